// A colour for everybody, the same on every screen: a hue, which the style sheet
// makes one that can be read.

import { create } from './elements.js';
import { drawable } from './visible.js';

export function author(nick) {
	const element = create('bdi', 'author coloured', ...drawable(nick));
	element.style.setProperty('--hue', hueOf(nick));
	return element;
}

// In degrees: FNV-1a over the characters, folded.
export function hueOf(nick) {
	let hash = 0x811c9dc5;
	for (const character of nick.toLowerCase()) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
	return ((hash ^ (hash >>> 15)) >>> 0) % 360;
}
