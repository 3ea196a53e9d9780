// @ts-check
// Parses the markup of messages: links, `code`, ```blocks```, *bold*, _italic_,
// :emoji: and mentions. It takes linear time, whatever the text.

import { emojiNamed } from './characters.js';
import { LINK, linkOf } from './link.js';

/** @import { Token } from './types' */

/** A letter or digit in a script that has spaces between words. Chinese and Japanese do not. */
const LETTER = String.raw`(?:(?![\p{Ideographic}\p{sc=Hira}\p{sc=Kana}])[\p{L}\p{M}\p{N}])`;

// Emphasis opens before a word and closes after one, with the same marks. A mark
// beside a slash, before the dot of `*.js`, or alone in quotation marks or brackets
// is part of a glob or a path.
const WORD_FOLLOWS = String.raw`(?![\s/\\,;)\]}~?|&=-]|\.(?!\.)|(?<=["'][*_]+)["'])`;
const WORD_PRECEDES = String.raw`(?<![\s/\\([{])`;

/**
 * @param {'bold' | 'italic'} name of the group for the text between the marks
 * @param {string} mark
 * @param {string} marks
 */
function emphasis(name, mark, marks) {
	const opening = String.raw`(?<!${LETTER}|[\\/]|${mark})(?<${name}Mark>${marks})(?!${mark})${WORD_FOLLOWS}`;
	const code = String.raw`\x60[^\x60\n]+\x60`;
	const markInsideWord = `(?<=${LETTER})${mark}(?=${LETTER})`;
	const other = String.raw`(?!${mark}|[\x60\n])[^]`;
	const closing = String.raw`${WORD_PRECEDES}\k<${name}Mark>(?!${LETTER}|${mark})`;
	return `${opening}(?<${name}>(?:${code}|${markInsideWord}|${other})+)${closing}`;
}

// A word alone on the first line names a language, and is not shown.
const BLOCK = '\\n?```(?:[\\w+#.-]*\\n(?!```))?(?<block>[^]*?)\\n?```\\n?';
const CODE = '`(?<code>[^`\\n]+)`';
const BOLD = emphasis('bold', '[*]', '[*]{1,2}');
const ITALIC = emphasis('italic', '_', '_');
const EMOJI = String.raw`(?<!${LETTER}):(?<emoji>[\w+-]{1,32}):(?!${LETTER})`;

/** @param {string} nick */
function mentionOf(nick) {
	const quoted = nick.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&') || '(?!)';
	return `(?<!${LETTER}[-_@]?)(?<mention>@?${quoted})(?![-_]?${LETTER})`;
}

/** Not `*.*` or `*?*`, which are no emphasis. */
const HAS_WORD = /[\p{L}\p{N}]|[^\0-\x7f]/u;

let last = { nick: '', pattern: compile('') };

/** @param {string} nick */
function compile(nick) {
	return new RegExp([BLOCK, CODE, LINK, mentionOf(nick), BOLD, ITALIC, EMOJI].join('|'), 'giu');
}

/** @param {string} nick */
function patternFor(nick) {
	if (last.nick !== nick) last = { nick, pattern: compile(nick) };
	return last.pattern;
}

/**
 * @param {string} text
 * @param {string} [nick] for mentions
 * @returns {Token[]}
 */
export function parse(text, nick = '') {
	/** @type {Token[]} */
	const tokens = [];
	let end = 0;
	for (const match of text.matchAll(patternFor(nick))) {
		const found = tokensOf(match, nick);
		if (!found) continue;
		tokens.push({ type: 'text', text: text.slice(end, match.index) }, ...found);
		end = match.index + match[0].length;
	}
	tokens.push({ type: 'text', text: text.slice(end) });
	return tokens;
}

/**
 * @param {RegExpMatchArray} match
 * @param {string} nick
 * @returns {Token[] | null} null if it is plain text
 */
function tokensOf(match, nick) {
	const { block, code, link, bold, italic, emoji, mention } = match.groups ?? {};
	if (block?.trim()) return [{ type: 'block', text: block }];
	if (code) return [{ type: 'code', text: code }];
	if (bold && HAS_WORD.test(bold)) return [{ type: 'bold', content: parse(bold, nick) }];
	if (italic) return [{ type: 'italic', content: parse(italic, nick) }];
	if (mention) return [{ type: 'mention', text: mention }];
	const character = emoji && emojiNamed(emoji);
	if (character) return [{ type: 'text', text: character }];
	const target = link && linkOf(match);
	if (!target) return null;
	return [{ type: 'link', ...target }, { type: 'text', text: link.slice(target.text.length) }];
}

/**
 * Returns whether a text mentions a nickname outside code and links.
 * @param {string} text
 * @param {string} nick
 */
export const mentions = (text, nick) => hasMention(parse(text, nick));

/**
 * @param {Token[]} tokens
 * @returns {boolean}
 */
function hasMention(tokens) {
	return tokens.some((token) => token.type === 'mention' || ('content' in token && hasMention(token.content)));
}
