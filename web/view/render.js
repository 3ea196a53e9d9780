// @ts-check
// Renders messages as nodes. Texts become text nodes, never HTML.

import { parse } from '../model/markup.js';
import { drawable } from './drawable.js';
import { create } from './elements.js';

/** @import { Token } from '../model/markup.js' */

/**
 * Returns `text` as a fragment in which the nickname `nick` is marked.
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
