// @ts-check
// Finds the words of a search query in a text, as the server finds them.

/**
 * Splits a text at the words of a query. Every second part is a word that was
 * found. Accents are characters of their own in the parts.
 * @param {string} text
 * @param {string} query
 * @returns {string[]}
 */
export function splitAtMatches(text, query) {
	const words = wordsOf(query);
	if (!words.length) return [text.normalize('NFD')];
	const pattern = words.map((word) => word.replace(/./gu, letterPattern)).join('(?![\\p{LC}\\p{N}])|');
	return text.normalize('NFD').split(RegExp(`(?<![\\p{LC}\\p{N}]\\p{M}*)(${pattern})`, 'giu'));
}

/**
 * Returns how many characters of a text are before the first match.
 * @param {string} text
 * @param {string} query
 */
export function offsetOfMatch(text, query) {
	const [before, match] = splitAtMatches(text, query);
	return match ? before.normalize().length : 0;
}

/**
 * Returns the words of a query, without accents and authors.
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
