// @ts-check
// Completes the word before the caret: a command, an emoji or a nickname. Each
// further press of Tab takes the next option.

import { commandNames } from '../model/commands.js';
import { emojiMatching } from '../model/emoji.js';

/** @import { Chat } from '../model/chat.js' */

/** What the last press of Tab has completed. */
let last = {
	/** The text after it. Any other text begins a new completion. */
	value: '',
	/** Text before and after the completed word. */
	before: '',
	after: '',
	/** @type {string[]} */
	options: [],
	/** How many options were taken. */
	taken: 0,
};

/**
 * Completes the text of an input. Returns false if there is nothing to complete, so that Tab moves the focus.
 * @param {HTMLTextAreaElement} input
 * @param {Chat} chat
 */
export function complete(input, chat) {
	if (!last.taken || last.value !== input.value) start(input, chat);
	const { before, after, options, taken } = last;
	const isOnlyOption = options.length === 1 && taken > 0;
	if (!options.length || isOnlyOption) return false;
	const head = `${before}${options[taken % options.length]} `;
	last.value = input.value = head + after;
	last.taken += 1;
	input.setSelectionRange(head.length, head.length);
	return true;
}

/**
 * @param {HTMLTextAreaElement} input
 * @param {Chat} chat
 */
function start({ value, selectionStart: caret }, chat) {
	const word = /\S*$/u.exec(value.slice(0, caret))?.[0] ?? '';
	const before = value.slice(0, caret - word.length);
	last = { value, before, after: value.slice(caret), options: optionsFor(word, before === '', chat), taken: 0 };
}

/**
 * @param {string} word
 * @param {boolean} isFirst whether the text begins with it
 * @param {Chat} chat
 */
function optionsFor(word, isFirst, chat) {
	if (!word) return [];
	if (isFirst && word.startsWith('/')) return commandNames(chat).map((name) => `/${name}`).filter((name) => name.startsWith(word));
	if (/^:[\w+-]+$/u.test(word)) return emojiMatching(word.slice(1));
	const at = word.startsWith('@') ? '@' : '';
	const prefix = word.slice(at.length).toLowerCase();
	const others = chat.active.members.nicks.filter((nick) => nick !== chat.nick);
	const matching = others.filter((nick) => nick.toLowerCase().startsWith(prefix));
	// At the beginning, a nickname addresses its user.
	const colon = isFirst && !at ? ':' : '';
	return matching.map((nick) => `${at}${nick}${colon}`);
}
