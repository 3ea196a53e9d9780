// An address in a text: where it begins, where the sentence goes on behind it,
// and whether it leads where a reader thinks.

import { INVISIBLE } from './visible.js';

// Letters, digits and marks of every script belong to an address, and of ASCII
// what RFC 3986 allows. Punctuation of other scripts does not: quotation marks,
// dashes, and whatever ends a sentence. Neither do modifier letters, which look
// like apostrophes.
const LETTER = String.raw`(?:(?!${INVISIBLE}|[\u02b0-\u02ff])[\p{L}\p{M}\p{N}])`;
const HOST = String.raw`\[[\da-f:.]+\]|${LETTER}(?:[._-]*${LETTER})*`;

// Brackets belong to an address in pairs. (A joiner between two letters is
// spelling in Persian.)
const PLAIN = String.raw`(?:[!#-'*-;=?@\^_|~]|${LETTER}|[\u200c\u200d](?=\p{L}))`;
const pairs = (inner) => String.raw`\(${inner}*\)|\[${inner}*\]|\{${inner}*\}`;
const PATH = `(?:${pairs(`(?:${PLAIN}|${pairs(PLAIN)})`)}|${PLAIN}|[(\\[{])*`;

/** The pattern of an address: as a group, with the `host` and the `rest` of it. */
export const LINK = String.raw`\b(?<link>https?://(?<host>${HOST})(?:\.(?=[:/?#]))?(?::\d+)?(?<rest>[/?#]${PATH})?)`;

/**
 * Returns where a `link` that was found in `text` leads, and as much of it as
 * is an address: `[typed, href]`. Without an `href` it should stay text, as it
 * leads elsewhere than a reader would think.
 */
export function addressIn({ groups: { link, host, rest }, index, input }) {
	const behind = input.slice(index + link.length);
	if (!isPlain(host) || (!rest && HOST_GOES_ON.test(behind))) return [];
	const typed = withoutTail(link, link === input.trim());
	try {
		const { hostname, href } = new URL(typed);
		const isSame = /^\[|[^\0-\x7f]/u.test(host) || hostname.replace(/\.$/u, '') === host.toLowerCase();
		return [typed, isSame && href];
	} catch {
		return [];
	}
}

// More of the authority behind the host: a password, an escape, or more of a
// host behind a character that looks like `/`, `.`, `:`, `-` or nothing. (A comma
// of another script only parts one address from the next.)
const LOOKS_LIKE_MARK = String.raw`(?![\p{White_Space}!-~、，､；،؛])(?:${INVISIBLE}|[\p{S}\p{C}\p{Po}\u02b0-\u02ff\u2010\u2011\ufe63\uff0d])`;
const HOST_GOES_ON = new RegExp(
	String.raw`^(?:%|(?:${LOOKS_LIKE_MARK})*[!$-.:;=\[\]^_{|}~\w]*@|(?:${LOOKS_LIKE_MARK})+\.?[\p{sc=Latn}\d][\p{L}\p{M}\p{N}_-]*\.[\p{L}\d])`,
	'u',
);

// The sentence goes on behind an address. An exclamation mark ends it, unless
// the address is all that was said.
function withoutTail(address, isAlone) {
	let end = address.length;
	while ('.,:;?\'*|([{'.includes(address[end - 1]) || (address[end - 1] === '!' && !isAlone)) end -= 1;
	return address.slice(0, end);
}

// The words of a host have one script each. Beside Latin letters, letters of
// another script can look like Latin ones, or like a slash.
const SCRIPTS = 'Arab Armn Beng Cyrl Deva Ethi Geor Grek Gujr Guru Hang Hebr Khmr Knda Laoo Mlym Mymr Orya Sinh Taml Telu Thaa Thai Tibt'.split(' ');
const LATIN = String.raw`(?:[\w-]|(?=\p{Ll})[\u00df-\u01bf\u01cd-\u0233\u1e00-\u1eff])+`;
const CHINESE_OR_JAPANESE = String.raw`(?=\p{L})[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\d-]+`;
const ofScript = (script) => String.raw`(?=\p{L})[\p{scx=${script}}\d-]+`;
const WORD = new RegExp(`^(?:${[LATIN, CHINESE_OR_JAPANESE, ...SCRIPTS.map(ofScript)].join('|')})$`, 'u');
// Cyrillic, Greek and Armenian letters that look like Latin ones.
const LOOKS_LATIN = /^[асԁеһіјӏкорԛѕԝхуѵѡгпьъыАВСЕНІЈКМОРТХУЅαικνορυωητΑΒΕΖΗΙΚΜΝΟΡΤΥΧօոսհցզք\d-]+$/u;

function isPlain(host) {
	if (/^[\0-\x7f]*$/u.test(host)) return true;
	return host.normalize('NFC').split('.').every(isPlainWord);
}

function isPlainWord(word) {
	// A mark that belongs to no script can strike a letter through.
	if (!WORD.test(word.toLowerCase()) || /\p{sc=Zinh}/u.test(word)) return false;
	return /^[\0-\x7f]*$/u.test(word) || !LOOKS_LATIN.test(word);
}
