// @ts-check
// A colour for each nickname, the same on every screen.

import { drawable } from './drawable.js';
import { create } from './elements.js';

/**
 * Creates an element with a nickname in its colour. The style sheet makes a readable colour of the hue.
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
