// Elements of index.html by id, new elements, and messages as elements. Texts become text nodes,
// never HTML.

import { parse } from '../model/markup.js';

export const page = /** @type {Page} */ (
	/** @type {unknown} */ (Object.fromEntries([...document.querySelectorAll('[id]')].map((element) => [element.id, element])))
);

/** @template {keyof HTMLElementTagNameMap} N @param {N} name @param {string} className @param {(Node | string)[]} content */
export function create(name, className, ...content) {
	const element = document.createElement(name);
	if (className) element.className = className;
	element.append(...content);
	return element;
}

/** @param {string} className @param {() => void} act @param {(Node | string)[]} content */
export function button(className, act, ...content) {
	const element = create('button', className, ...content);
	element.type = 'button';
	element.onclick = act;
	keepFocus(element);
	return element;
}

/** The input keeps the focus, and a phone shows the keyboard. @param {HTMLElement} element */
export function keepFocus(element) {
	element.onpointerdown = (event) => event.preventDefault();
}

/** @param {HTMLFormElement} form @param {() => void} act */
export function onSubmit(form, act) {
	form.onsubmit = (event) => {
		event.preventDefault();
		act();
	};
}

/** @param {string} text @param {string} [nick] for mentions */
export function render(text, nick = '') {
	return fragmentOf(parse(text, nick));
}

/** @param {Token[]} tokens */
function fragmentOf(tokens) {
	const fragment = new DocumentFragment();
	for (const token of tokens) fragment.append(...nodesOf(token));
	return fragment;
}

/** @param {Token} token @returns {(Node | string)[]} */
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

// Four marks on a letter are enough for Vietnamese, Arabic and phonetics, whose marks belong to no
// script; six for a syllable of Burmese or Tibetan.
const JOINERS = String.raw`[\u200c\u200d\u{e0020}-\u{e007f}]*`;
const STACK = String.raw`\p{sc=Zinh}{4}|\p{M}(?:${JOINERS}\p{M}){5}`;
const EXCESS = new RegExp(`(?<=${STACK})((?:${JOINERS}\\p{M})+)`, 'u');

/** Hides excess marks: thousands on a letter take a browser a tenth of a second. @param {string} text @returns {(Node | string)[]} */
export function drawable(text) {
	// Every second part is a match.
	return text.split(EXCESS).map((part, index) => (index % 2 ? create('span', 'excess', part) : part));
}

/** @param {string} nick */
export function author(nick) {
	const element = create('bdi', 'author coloured', ...drawable(nick));
	element.style.setProperty('--hue', String(hueOf(nick)));
	return element;
}

/** FNV-1a, folded to degrees. @param {string} nick */
export function hueOf(nick) {
	let hash = 0x811c9dc5;
	for (const character of nick.toLowerCase()) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
	return ((hash ^ (hash >>> 15)) >>> 0) % 360;
}
