// @ts-check
// Finds addresses in texts: where they begin, where the sentence goes on, and
// whether they lead where a reader expects.

import { INVISIBLE } from './characters.js';

// Letters, digits and marks of every script belong to an address, and of ASCII
// those characters that RFC 3986 allows. Punctuation of other scripts does not, such
// as quotation marks, dashes, and marks that end a sentence. Nor do modifier
// letters, which look like apostrophes.
const LETTER = String.raw`(?:(?!${INVISIBLE}|[\u02b0-\u02ff])[\p{L}\p{M}\p{N}])`;
const HOST = String.raw`\[[\da-f:.]+\]|${LETTER}(?:[._-]*${LETTER})*`;

// Brackets belong to an address in pairs. (A joiner between two letters is
// spelling in Persian.)
const PLAIN = String.raw`(?:[!#-'*-;=?@\^_|~]|${LETTER}|[\u200c\u200d](?=\p{L}))`;
/** @param {string} inner */
const pairs = (inner) => String.raw`\(${inner}*\)|\[${inner}*\]|\{${inner}*\}`;
const PATH = `(?:${pairs(`(?:${PLAIN}|${pairs(PLAIN)})`)}|${PLAIN}|[(\\[{])*`;

/** Pattern of an address, with groups for the `link`, its `host` and its `rest`. */
export const LINK = String.raw`\b(?<link>https?://(?<host>${HOST})(?:\.(?=[:/?#]))?(?::\d+)?(?<rest>[/?#]${PATH})?)`;

/**
 * Returns an address that `LINK` has found, without punctuation of the sentence.
 * Null if it should stay text, as it leads elsewhere than a reader expects.
 * @param {RegExpMatchArray} match
 * @returns {{ text: string, href: string } | null}
 */
export function linkOf({ groups: { link, host, rest } = {}, index = 0, input = '' }) {
	const following = input.slice(index + link.length);
	if (!isReadable(host) || (!rest && HOST_CONTINUES.test(following))) return null;
	const text = withoutPunctuation(link, link === input.trim());
	try {
		const { hostname, href } = new URL(text);
		// Browsers write IPv6 addresses, and names in other scripts, in another way.
		const isRewritten = /^\[|[^\0-\x7f]/u.test(host);
		return isRewritten || hostname.replace(/\.$/u, '') === host.toLowerCase() ? { text, href } : null;
	} catch {
		return null;
	}
}

// After the host comes more of the authority: a password, an escape, or more of a
// host after a character that looks like `/`, `.`, `:`, `-` or nothing. (A comma of
// another script separates one address from the next.)
const LOOKS_LIKE_MARK = String.raw`(?![\p{White_Space}!-~、，､；،؛])(?:${INVISIBLE}|[\p{S}\p{C}\p{Po}\u02b0-\u02ff\u2010\u2011\ufe63\uff0d])`;
const PASSWORD = String.raw`(?:${LOOKS_LIKE_MARK})*[!$-.:;=\[\]^_{|}~\w]*@`;
const MORE_OF_HOST = String.raw`(?:${LOOKS_LIKE_MARK})+\.?[\p{sc=Latn}\d][\p{L}\p{M}\p{N}_-]*\.[\p{L}\d]`;
const HOST_CONTINUES = new RegExp(`^(?:%|${PASSWORD}|${MORE_OF_HOST})`, 'u');

/** Punctuation that ends a sentence. An exclamation mark does, unless the address is the whole text. */
const PUNCTUATION = '.,:;?\'*|([{';

/**
 * @param {string} address
 * @param {boolean} isAlone
 */
function withoutPunctuation(address, isAlone) {
	const ending = isAlone ? PUNCTUATION : `${PUNCTUATION}!`;
	let end = address.length;
	while (end && ending.includes(address[end - 1])) end -= 1;
	return address.slice(0, end);
}

// Each label of a host has one script. Beside Latin letters, letters of another
// script can look like Latin ones, or like a slash.
const SCRIPTS = 'Arab Armn Beng Cyrl Deva Ethi Geor Grek Gujr Guru Hang Hebr Khmr Knda Laoo Mlym Mymr Orya Sinh Taml Telu Thaa Thai Tibt'.split(' ');
const LATIN = String.raw`(?:[\w-]|(?=\p{Ll})[\u00df-\u01bf\u01cd-\u0233\u1e00-\u1eff])+`;
const CHINESE_OR_JAPANESE = String.raw`(?=\p{L})[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\d-]+`;
/** @param {string} script */
const ofScript = (script) => String.raw`(?=\p{L})[\p{scx=${script}}\d-]+`;
const LABEL = new RegExp(`^(?:${[LATIN, CHINESE_OR_JAPANESE, ...SCRIPTS.map(ofScript)].join('|')})$`, 'u');
// Cyrillic, Greek and Armenian letters that look like Latin ones.
const LOOKS_LATIN = /^[асԁеһіјӏкорԛѕԝхуѵѡгпьъыАВСЕНІЈКМОРТХУЅαικνορυωητΑΒΕΖΗΙΚΜΝΟΡΤΥΧօոսհցզք\d-]+$/u;

/**
 * Returns whether a reader can tell the host from others.
 * @param {string} host
 */
function isReadable(host) {
	return isAscii(host) || host.normalize('NFC').split('.').every(isReadableLabel);
}

/** @param {string} label */
function isReadableLabel(label) {
	// A mark that belongs to no script can strike a letter through.
	if (!LABEL.test(label.toLowerCase()) || /\p{sc=Zinh}/u.test(label)) return false;
	return isAscii(label) || !LOOKS_LATIN.test(label);
}

/** @param {string} text */
const isAscii = (text) => /^[\0-\x7f]*$/u.test(text);
