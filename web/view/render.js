// @ts-check
// Renders messages and nicknames as nodes. Texts become text nodes, never HTML.

import { parse } from '../model/markup.js';
import { create } from './elements.js';

/** @import { Token } from '../model/types' */

/**
 * Renders a message, with mentions of `nick` marked.
 * @param {string} text
 * @param {string} [nick]
 */
export function render(text, nick = '') {
	return fragmentOf(parse(text, nick));
}

/** @param {Token[]} tokens */
function fragmentOf(tokens) {
	const fragment = new DocumentFragment();
	for (const token of tokens) fragment.append(...nodesOf(token));
	return fragment;
}

/**
 * @param {Token} token
 * @returns {(Node | string)[]}
 */
function nodesOf(token) {
	switch (token.type) {
		case 'text': return drawable(token.text);
		case 'code': return [create('code', '', ...drawable(token.text))];
		case 'block': return [create('pre', '', create('code', '', ...drawable(token.text)))];
		case 'bold': return [create('strong', '', fragmentOf(token.content))];
		case 'italic': return [create('em', '', fragmentOf(token.content))];
		case 'mention': return [create('mark', 'mention', ...drawable(token.text))];
		case 'link': {
			const link = create('a', '', ...drawable(token.text));
			return [Object.assign(link, { href: token.href, rel: 'noopener noreferrer nofollow', target: '_blank' })];
		}
	}
}

// Four marks on one letter are enough for Vietnamese, Arabic and phonetics, whose
// marks belong to no script; six for a syllable of Burmese or Tibetan. Joiners and
// tags between marks do not end a stack.
const JOINERS = String.raw`[\u200c\u200d\u{e0020}-\u{e007f}]*`;
const STACK = String.raw`\p{sc=Zinh}{4}|\p{M}(?:${JOINERS}\p{M}){5}`;
const EXCESS = new RegExp(`(?<=${STACK})((?:${JOINERS}\\p{M})+)`, 'u');

/**
 * Excess marks are in the page, for search and copying, but are not drawn: thousands
 * of them on a letter take a browser a tenth of a second.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function drawable(text) {
	// Every second part is a match.
	return text.split(EXCESS).map((part, index) => (index % 2 ? create('span', 'excess', part) : part));
}

/**
 * Creates an element with a nickname in its colour.
 * @param {string} nick
 */
export function author(nick) {
	const element = create('bdi', 'author coloured', ...drawable(nick));
	element.style.setProperty('--hue', String(hueOf(nick)));
	return element;
}

/**
 * Returns a hue in degrees: FNV-1a over the characters, folded.
 * @param {string} nick in any letter case
 */
export function hueOf(nick) {
	let hash = 0x811c9dc5;
	for (const character of nick.toLowerCase()) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
	return ((hash ^ (hash >>> 15)) >>> 0) % 360;
}
