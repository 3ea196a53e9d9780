// What people write, as nodes: links, `code`, ```blocks```, *bold*, _italic_,
// :emoji: and our nickname. It takes as long as the text is, whatever it holds.

import { create } from './elements.js';
import { emojiNamed } from './emoji.js';

// Chinese and Japanese have no spaces between words.
const LETTER = String.raw`(?:(?![\p{Ideographic}\p{sc=Hira}\p{sc=Kana}])[\p{L}\p{M}\p{N}])`;
const emphasis = (name, mark, times = '') =>
	String.raw`(?<!${LETTER}|[\\/]|${mark})${mark}${times}(?=\S)(?<${name}>(?:\x60[^\x60\n]+\x60|(?<=${LETTER})${mark}(?=${LETTER})|(?!${mark}|[\x60\n])[^])+)(?<=\S)${mark}${times}(?!${LETTER}|${mark})`;
const patterns = (mention) => [
	// A word alone on the first line is a language, and is not shown.
	'\\n?```(?:[\\w+#.-]*\\n(?!```))?(?<block>[^]*?)\\n?```\\n?',
	'`(?<code>[^`\\n]+)`',
	// Without what could disguise where it leads.
	String.raw`\b(?<link>https?://[^\s\\<>"\x60\p{Bidi_C}\u3000-\u303f\uff00-\uff0f\uff1a-\uff20]+)`,
	mention,
	emphasis('bold', '[*]', '{1,2}'),
	emphasis('italic', '_'),
	String.raw`(?<!${LETTER}):(?<emoji>[\w+-]{1,32}):(?!${LETTER})`,
];

/** `text` as a DocumentFragment, with the nickname `nick` marked in it. */
export function render(text, nick = '') {
	const result = new DocumentFragment();
	let done = 0;
	for (const { index, 0: typed, groups } of text.matchAll(patternFor(nick))) {
		const nodes = nodesFor(groups, nick);
		if (!nodes) continue;
		result.append(text.slice(done, index), ...nodes);
		done = index + typed.length;
	}
	result.append(text.slice(done));
	return result;
}

/** Not in code or a link. */
export const mentionsMe = (text, nick) => Boolean(render(text, nick).querySelector('mark'));

function nodesFor({ block, code, link, bold, italic, emoji, mention }, nick) {
	if (block?.trim()) return [create('pre', '', create('code', '', block))];
	if (code) return [create('code', '', code)];
	if (bold) return [create('strong', '', render(bold, nick))];
	if (italic) return [create('em', '', render(italic, nick))];
	if (mention) return [create('mark', 'mention', mention)];
	if (emojiNamed(emoji ?? '')) return [emojiNamed(emoji)];
	const address = withoutTail(link ?? '');
	const href = addressOf(address);
	const more = { href, rel: 'noopener noreferrer nofollow', target: '_blank' };
	return href && [Object.assign(create('a', '', address), more), link.slice(address.length)];
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

// The sentence goes on behind an address.
function withoutTail(address) {
	const count = (bracket) => address.split(bracket).length;
	const surplus = { ')': count(')') - count('('), ']': count(']') - count('[') };
	let end = address.length;
	for (; end; end -= 1) {
		const tail = address[end - 1];
		if (surplus[tail] > 0) surplus[tail] -= 1;
		else if (!'.,:;!?\'*_~}…’”»'.includes(tail)) break;
	}
	return address.slice(0, end);
}

// If it is plain to see: not in `http://bank@elsewhere/`.
function addressOf(typed) {
	try {
		const { protocol, username, password, href } = new URL(typed);
		return /^https?:$/u.test(protocol) && !username && !password && href;
	} catch {
		return '';
	}
}
