// How characters are drawn: those that draw nothing, and those that pile up.

import { create } from './elements.js';

/**
 * A class of characters that draw nothing: space, controls, format characters,
 * fillers, variation selectors, and symbols that are blank by design (an empty
 * Braille cell, a notehead that is not there, two blank hieroglyphs).
 */
export const INVISIBLE = String.raw`[\s\p{Cc}\p{DI}\u2800\ufff9-\ufffb\u{13430}-\u{1343f}\u{13441}\u{13442}\u{16fe4}\u{1d159}]`;
const BLANK = new RegExp(`^${INVISIBLE}*$`, 'u');

/** Whether a reader would see nothing of `text`. */
export const isBlank = (text) => BLANK.test(text);

// Four marks on one letter are enough for Vietnamese, Arabic and phonetics, whose
// marks belong to no script and pile up; six for a syllable of Burmese or
// Tibetan. Joiners and tags between marks do not end a stack.
const JOINERS = String.raw`[\u200c\u200d\u{e0020}-\u{e007f}]*`;
const STACK = String.raw`\p{sc=Zinh}{4}|\p{M}(?:${JOINERS}\p{M}){5}`;
const EXCESS = new RegExp(`(?<=${STACK})((?:${JOINERS}\\p{M})+)`, 'u');

/**
 * Returns `text` as nodes. Marks that would stand over other lines are there,
 * to be searched and compared, but not drawn: thousands of them on one letter
 * also take a browser a tenth of a second.
 */
export function drawable(text) {
	return text.split(EXCESS).map((part, index) => (index % 2 ? create('span', 'excess', part) : part));
}
