// @ts-check
// Search while the user types. The results replace the rooms and people.

import { formatDateTime, translate } from '../i18n/translate.js';
import { isBlank } from '../model/characters.js';
import { RequestError } from '../net/protocol.js';
import { button, create, page } from './elements.js';
import { author, drawable } from './render.js';

/** @import { Message, ResultsEvent } from '../net/types' */
/** @import { Chat } from '../model/chat.js' */

/** How long after the last key a search begins, in milliseconds. */
const TYPING_PAUSE_MS = 250;

const { side, query, everywhere, matches, results } = page;

/**
 * @param {Chat} chat
 * @param {(message: Message) => void} show
 */
export function setUpFinder(chat, show) {
	/** @type {number | undefined} */
	let timer;
	let isWaiting = false;
	/** Where older results begin. @type {number | undefined} */
	let next;

	/** @param {number} [before] */
	async function search(before) {
		document.body.classList.toggle('finding', query.value !== '');
		if (!query.value) return;
		if (isWaiting) {
			searchLater();
			return;
		}
		isWaiting = true;
		const room = everywhere.checked || !chat.active.isRoom ? undefined : chat.active.key;
		try {
			showPage(await chat.session.request('search', { query: query.value, room, before }), before === undefined);
		} catch (error) {
			if (!(error instanceof RequestError)) throw error;
			failed(error, before === undefined);
		} finally {
			isWaiting = false;
		}
	}

	/**
	 * @param {ResultsEvent} page
	 * @param {boolean} isFirst
	 */
	function showPage({ messages, before }, isFirst) {
		if (isFirst) results.replaceChildren();
		results.append(...messages.map(resultEntry));
		next = before;
		matches.textContent = `${translate('messages')}: ${results.children.length}${next ? '+' : ''}`;
	}

	/**
	 * @param {RequestError} error
	 * @param {boolean} isFirst
	 */
	function failed(error, isFirst) {
		if (error.pause !== null) {
			searchLater(error.pause);
			return;
		}
		if (isFirst) results.replaceChildren();
		next = undefined;
		matches.textContent = error.message;
	}

	function searchLater(ms = TYPING_PAUSE_MS) {
		next = undefined;
		clearTimeout(timer);
		timer = setTimeout(search, ms);
	}

	/** @param {Message} message */
	function resultEntry(message) {
		const place = create('span', 'soft', create('bdi', '', `#${message.room}`), ` · ${formatDateTime(message.time)}`);
		const text = create('span', 'excerpt', ...excerptOf(message.text));
		text.dir = 'auto';
		return create('li', '', button('place', () => show(message), author(message.nick), ' ', place, ' ', text));
	}

	/** Shows the search if the server supports it. */
	function update() {
		query.hidden = !chat.canSearch;
		if (!chat.canSearch) query.value = '';
		search();
	}

	/** @param {string} words */
	function find(words) {
		query.value = words;
		query.focus();
		search();
	}

	query.oninput = () => searchLater();
	everywhere.onchange = () => searchLater();
	side.onscroll = () => {
		const isNearEnd = side.scrollTop + 2 * side.clientHeight > side.scrollHeight;
		if (next && !isWaiting && isNearEnd) search(next);
	};
	return { update, find };
}

/**
 * Begins a little before the first match, and marks all matches.
 * @param {string} text
 */
function excerptOf(text) {
	if (isBlank(text)) return [create('span', 'soft', translate('empty_text'))];
	const parts = splitAtMatches(text, query.value);
	if (parts.length > 1) parts[0] = parts[0].replace(/^[^]+(?=[^]{60}$)/u, '…');
	return parts.map((part, index) => create(index % 2 ? 'mark' : 'span', '', ...drawable(part.normalize())));
}

/**
 * Splits a text: every second part is a match. Accents are characters of their own.
 * @param {string} text
 * @param {string} query
 * @returns {string[]}
 */
function splitAtMatches(text, query) {
	const words = wordsOf(query);
	if (!words.length) return [text.normalize('NFD')];
	const pattern = words.map((word) => word.replace(/./gu, letterPattern)).join('(?![\\p{LC}\\p{N}])|');
	return text.normalize('NFD').split(RegExp(`(?<![\\p{LC}\\p{N}]\\p{M}*)(${pattern})`, 'giu'));
}

/**
 * @param {string} text
 * @param {string} query
 */
export function offsetOfMatch(text, query) {
	const [before, match] = splitAtMatches(text, query);
	return match ? before.normalize().length : 0;
}

/**
 * @param {string} query
 * @returns {string[]}
 */
function wordsOf(query) {
	const text = query.normalize('NFD').replace(/\p{M}|(?<!\S)from:\s*("[^"]*"?|\S*)/giu, '');
	return text.match(/[\p{L}\p{N}\p{So}'’ʼ]+/gu) ?? [];
}

/**
 * Returns a pattern for a letter with any accents. Keyboards have different apostrophes.
 * @param {string} letter
 */
function letterPattern(letter) {
	const marks = '\\p{M}*';
	if (/['’ʼ]/u.test(letter)) return `['’ʼ]${marks}`;
	return letter === 'ß' ? `(?:ß|ss)${marks}` : letter + marks;
}
