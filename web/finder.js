// What was said, found as one types, in place of rooms and people.

import { author } from './colour.js';
import { COMMANDS } from './commands.js';
import { button, create, page } from './elements.js';
import { drawable, isBlank } from './visible.js';
import { moment, say } from './words.js';

const PAUSE_MS = 250;

const { side, query, everywhere, matches, results } = page;

/** `jump(message)` leads there. What is returned offers it all, if the server can search. */
export function setUpFinder(chat, roster, jump) {
	let timer;
	let isAsking;
	// Where older results begin.
	let next;

	async function search(before) {
		const { value } = query;
		const room = everywhere.checked || !chat.active.isRoom ? undefined : chat.active.key;
		document.body.classList.toggle('finding', value);
		if (!value) return;
		if (isAsking) return soon();
		isAsking = true;
		const answer = await chat.session.ask('search', { query: value, room, before }).catch((error) => error);
		isAsking = false;
		const { messages, message, retry_ms } = answer;
		if (retry_ms) return soon(retry_ms);
		if (!before) results.replaceChildren();
		results.append(...(messages ?? []).map(result));
		next = answer.before;
		const count = results.children.length + (next ? '+' : '');
		matches.textContent = messages ? `${say('messages')}: ${count}` : message ?? say('disconnected');
	}

	function soon(ms = PAUSE_MS) {
		next = null;
		clearTimeout(timer);
		timer = setTimeout(search, ms);
	}

	function result(message) {
		const place = create('span', 'soft', create('bdi', '', `#${message.room}`), ` · ${moment(message.time)}`);
		const said = create('span', 'excerpt', ...excerpt(message.text));
		said.dir = 'auto';
		return create('li', '', button('place', () => jump(message), author(message.nick), ' ', place, ' ', said));
	}

	query.oninput = everywhere.onchange = () => soon();
	side.onscroll = () => {
		if (next && !isAsking && side.scrollTop + 2 * side.clientHeight > side.scrollHeight) search(next);
	};
	return () => {
		query.hidden = !chat.canSearch;
		delete COMMANDS.search;
		if (!chat.canSearch) query.value = '';
		else COMMANDS.search = (_, words) => {
			roster.open(true);
			query.value = words;
			query.focus();
			search();
		};
		search();
	};
}

// The text, from a little before the first word that was found, with all marked.
function excerpt(text) {
	if (isBlank(text)) return [create('span', 'soft', say('blank'))];
	const parts = split(text);
	if (parts[1]) parts[0] = parts[0].replace(/^[^]+(?=[^]{60}$)/u, '…');
	return parts.map((part, index) => create(index % 2 ? 'mark' : 'span', '', ...drawable(part.normalize())));
}

/** How many characters of `text` stand before the first word that was found. */
export function beforeMatch(text) {
	const [before, match] = split(text);
	return match ? before.normalize().length : 0;
}

// At the words that were found. Accents are characters of their own here.
function split(text) {
	const wish = query.value.normalize('NFD').replace(/\p{M}|(?<!\S)from:\s*("[^"]*"?|\S*)/giu, '');
	const words = wish.match(/[\p{L}\p{N}\p{So}'’ʼ]+/gu) ?? ['\0'];
	// The two keyboards of a household have different apostrophes.
	const letter = (c) => (/['’ʼ]/u.test(c) ? "['’ʼ]" : c === 'ß' ? '(?:ß|ss)' : c) + '\\p{M}*';
	const pattern = words.map((word) => word.replace(/./gu, letter)).join('(?![\\p{LC}\\p{N}])|');
	return text.normalize('NFD').split(RegExp(`(?<![\\p{LC}\\p{N}]\\p{M}*)(${pattern})`, 'giu'));
}
