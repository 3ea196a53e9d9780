// @ts-check
// Draws texts without combining marks that would cover other lines.

import { create } from './elements.js';

// Four marks on one letter are enough for Vietnamese, Arabic and phonetics, whose
// marks belong to no script; six for a syllable of Burmese or Tibetan. Joiners and
// tags between marks do not end a stack.
const JOINERS = String.raw`[\u200c\u200d\u{e0020}-\u{e007f}]*`;
const STACK = String.raw`\p{sc=Zinh}{4}|\p{M}(?:${JOINERS}\p{M}){5}`;
const EXCESS = new RegExp(`(?<=${STACK})((?:${JOINERS}\\p{M})+)`, 'u');

/**
 * Returns `text` as nodes. Excess marks stay in the page for search and copying,
 * but are not drawn. Thousands of them on one letter also take a browser a tenth
 * of a second.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function drawable(text) {
	// Every second part is what the group of the pattern has matched.
	return text.split(EXCESS).map((part, index) => (index % 2 ? create('span', 'excess', part) : part));
}
