// What people write, as nodes: links, `code`, ```blocks```, *bold*, _italic_,
// :emoji: and our nickname. It takes as long as the text is, whatever it holds.

import { create } from './elements.js';
import { emojiNamed } from './emoji.js';
import { addressIn, LINK } from './link.js';
import { drawable } from './visible.js';

// Chinese and Japanese have no spaces between words.
const LETTER = String.raw`(?:(?![\p{Ideographic}\p{sc=Hira}\p{sc=Kana}])[\p{L}\p{M}\p{N}])`;

// Emphasis opens before a word and closes behind one, with the same marks. A
// mark beside a slash, before the dot of `*.js`, or alone in quotation marks or
// brackets is part of a glob or a path.
const OPENS = String.raw`(?![\s/\\,;)\]}~?|&=-]|\.(?!\.)|(?<=["'][*_]+)["'])`;
const CLOSES = String.raw`(?<![\s/\\([{])`;
const emphasis = (name, mark, marks) =>
	String.raw`(?<!${LETTER}|[\\/]|${mark})(?<${name}Mark>${marks})(?!${mark})${OPENS}(?<${name}>(?:\x60[^\x60\n]+\x60|(?<=${LETTER})${mark}(?=${LETTER})|(?!${mark}|[\x60\n])[^])+)${CLOSES}\k<${name}Mark>(?!${LETTER}|${mark})`;
// Not `*.*` or `*?*`.
const HAS_WORD = /[\p{L}\p{N}]|[^\0-\x7f]/u;
const patterns = (mention) => [
	// A word alone on the first line is a language, and is not shown.
	'\\n?```(?:[\\w+#.-]*\\n(?!```))?(?<block>[^]*?)\\n?```\\n?',
	'`(?<code>[^`\\n]+)`',
	LINK,
	mention,
	emphasis('bold', '[*]', '[*]{1,2}'),
	emphasis('italic', '_', '_'),
	String.raw`(?<!${LETTER}):(?<emoji>[\w+-]{1,32}):(?!${LETTER})`,
];

/** `text` as a DocumentFragment, with the nickname `nick` marked in it. */
export function render(text, nick = '') {
	const result = new DocumentFragment();
	let done = 0;
	for (const match of text.matchAll(patternFor(nick))) {
		const nodes = nodesFor(match, nick);
		if (!nodes) continue;
		result.append(...drawable(text.slice(done, match.index)), ...nodes);
		done = match.index + match[0].length;
	}
	result.append(...drawable(text.slice(done)));
	return result;
}

/** Not in code or a link. */
export const mentionsMe = (text, nick) => Boolean(render(text, nick).querySelector('mark'));

function nodesFor(match, nick) {
	const { block, code, link, bold, italic, emoji, mention } = match.groups;
	if (block?.trim()) return [create('pre', '', create('code', '', ...drawable(block)))];
	if (code) return [create('code', '', ...drawable(code))];
	if (bold && HAS_WORD.test(bold)) return [create('strong', '', render(bold, nick))];
	if (italic) return [create('em', '', render(italic, nick))];
	if (mention) return [create('mark', 'mention', ...drawable(mention))];
	if (emojiNamed(emoji ?? '')) return [emojiNamed(emoji)];
	const [address, href] = link ? addressIn(match) : [];
	const more = { href, rel: 'noopener noreferrer nofollow', target: '_blank' };
	return href && [Object.assign(create('a', '', ...drawable(address)), more), link.slice(address.length)];
}

let last = {};
function patternFor(nick) {
	if (last.nick !== nick) {
		const quoted = nick.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&') || '(?!)';
		const mention = `(?<!${LETTER}[-_@]?)(?<mention>@?${quoted})(?![-_]?${LETTER})`;
		last = { nick, pattern: new RegExp(patterns(mention).join('|'), 'giu') };
	}
	return last.pattern;
}
