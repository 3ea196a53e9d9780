// What Tab makes of the word before the caret: a command, an emoji or the
// nickname of somebody here, and the next one when it is pressed again.

import { COMMANDS } from './commands.js';
import { emojiMatching } from './emoji.js';

let round = {};

/** False where there is nothing to complete. */
export function complete(input, { active, nick }) {
	if (round.value !== input.value) {
		const caret = input.selectionStart;
		const word = /\S*$/u.exec(input.value.slice(0, caret))[0];
		const start = caret - word.length;
		const others = active.members.filter((it) => it !== nick);
		round = { start, next: 0, tail: input.value.slice(caret), options: optionsFor(word, !start, others) };
	}
	const { start, tail, options } = round;
	// Where nothing comes next, Tab leaves.
	if (options.length < 1 + (round.next > 0)) return false;
	const head = `${input.value.slice(0, start)}${options[round.next++ % options.length]} `;
	round.value = input.value = head + tail;
	input.setSelectionRange(head.length, head.length);
	return true;
}

function optionsFor(word, isFirst, nicks) {
	if (!word) return [];
	if (isFirst && word.startsWith('/')) return Object.keys(COMMANDS).map((it) => `/${it}`).filter((it) => it.startsWith(word));
	if (/^:[\w+-]+$/u.test(word)) return emojiMatching(word.slice(1));
	const at = word.startsWith('@') ? '@' : '';
	const begun = word.slice(at.length).toLowerCase();
	const fitting = nicks.filter((nick) => nick.toLowerCase().startsWith(begun));
	return fitting.map((nick) => `${at}${nick}${isFirst && !at ? ':' : ''}`);
}
