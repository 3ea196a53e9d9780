// @ts-check
// Characters that draw nothing.

/**
 * A class of a regular expression: space, controls, format characters, fillers,
 * variation selectors, and symbols that are blank by design (an empty Braille
 * cell, a null notehead, two blank hieroglyphs).
 */
export const INVISIBLE = String.raw`[\s\p{Cc}\p{DI}\u2800\ufff9-\ufffb\u{13430}-\u{1343f}\u{13441}\u{13442}\u{16fe4}\u{1d159}]`;
const BLANK = new RegExp(`^${INVISIBLE}*$`, 'u');

/**
 * Returns whether a text has nothing to see.
 * @param {string} text
 */
export const isBlank = (text) => BLANK.test(text);
