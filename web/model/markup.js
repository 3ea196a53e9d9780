// Parses links, `code`, ```blocks```, *bold*, _italic_, :emoji: and mentions, in linear time.

/** Space, controls, format characters, fillers, variation selectors, and symbols that are blank by design. */
const INVISIBLE = String.raw`[\s\p{Cc}\p{DI}\u2800\ufff9-\ufffb\u{13430}-\u{1343f}\u{13441}\u{13442}\u{16fe4}\u{1d159}]`;
const BLANK = new RegExp(`^${INVISIBLE}*$`, 'u');

/** @param {string} text */
export const isBlank = (text) => BLANK.test(text);

/** Each emoji follows its names. */
const TABLE = `
smile 😄 joy 😂 heart ❤️ +1 thumbsup 👍 tada 🎉 fire 🔥 eyes 👀 rocket 🚀 wave 👋 pray 🙏 clap 👏 100 💯 thinking 🤔 sob 😭
rofl 🤣 wink 😉 blush 😊 sweat_smile 😅 heart_eyes 😍 sunglasses 😎 -1 thumbsdown 👎 white_check_mark ✅ x ❌ ok_hand 👌
muscle 💪 raised_hands 🙌 sparkles ✨ bug 🐛 coffee ☕ warning ⚠️ grin 😁 laughing 😆 slightly_smiling_face 🙂
stuck_out_tongue 😛 nerd_face 🤓 confused 😕 cry 😢 angry 😠 exploding_head 🤯 scream 😱 roll_eyes 🙄 sleeping 😴 ghost
👻 skull 💀 robot 🤖 broken_heart 💔 crossed_fingers 🤞 facepalm 🤦 shrug 🤷 dog 🐶 cat 🐱 unicorn 🦄 zap ⚡ snowflake ❄️
star ⭐ pizza 🍕 cake 🍰 birthday 🎂 beer 🍺 beers 🍻 tea 🍵 trophy 🏆 car 🚗 house 🏠 bulb 💡 books 📚 memo 📝 package 📦
lock 🔒 key 🔑 bell 🔔 gift 🎁 rotating_light 🚨 question ❓
`;

/** @type {Map<string, string>} */
const emojiByName = new Map();
/** @type {string[]} */
let names = [];
for (const word of TABLE.trim().split(/\s/u)) {
	if (/^[\w+-]+$/u.test(word)) {
		names.push(word);
	} else {
		for (const name of names) emojiByName.set(name, word);
		names = [];
	}
}

/** @param {string} name in any letter case */
const emojiNamed = (name) => emojiByName.get(name.toLowerCase());

/** @param {string} prefix of names, in any letter case */
export function emojiMatching(prefix) {
	const matching = [...emojiByName].filter(([name]) => name.startsWith(prefix.toLowerCase()));
	return matching.map(([, emoji]) => emoji);
}

// Letters, digits and marks of every script belong to an address, and the ASCII characters
// that RFC 3986 allows. Punctuation of other scripts does not, nor do modifier letters,
// which look like apostrophes.
const LINK_LETTER = String.raw`(?:(?!${INVISIBLE}|[\u02b0-\u02ff])[\p{L}\p{M}\p{N}])`;
const HOST = String.raw`\[[\da-f:.]+\]|${LINK_LETTER}(?:[._-]*${LINK_LETTER})*`;

// Brackets belong to an address in pairs. In Persian, joiners stand between letters.
const PLAIN = String.raw`(?:[!#-'*-;=?@\^_|~]|${LINK_LETTER}|[\u200c\u200d](?=\p{L}))`;
/** @param {string} inner */
const pairs = (inner) => String.raw`\(${inner}*\)|\[${inner}*\]|\{${inner}*\}`;
const PATH = `(?:${pairs(`(?:${PLAIN}|${pairs(PLAIN)})`)}|${PLAIN}|[(\\[{])*`;

const LINK = String.raw`\b(?<link>https?://(?<host>${HOST})(?:\.(?=[:/?#]))?(?::\d+)?(?<rest>[/?#]${PATH})?)`;

// A password, an escape, or more of the host after a character that looks like `/`, `.`, `:`, `-`
// or nothing. A comma of another script ends an address.
const LOOKS_LIKE_MARK = String.raw`(?![\p{White_Space}!-~、，､；،؛])(?:${INVISIBLE}|[\p{S}\p{C}\p{Po}\u02b0-\u02ff\u2010\u2011\ufe63\uff0d])`;
const PASSWORD = String.raw`(?:${LOOKS_LIKE_MARK})*[!$-.:;=\[\]^_{|}~\w]*@`;
const MORE_OF_HOST = String.raw`(?:${LOOKS_LIKE_MARK})+\.?[\p{sc=Latn}\d][\p{L}\p{M}\p{N}_-]*\.[\p{L}\d]`;
const HOST_CONTINUES = new RegExp(`^(?:%|${PASSWORD}|${MORE_OF_HOST})`, 'u');

// Each label of a host has one script: letters of others can look like Latin ones, or a slash.
const SCRIPTS = 'Arab Armn Beng Cyrl Deva Ethi Geor Grek Gujr Guru Hang Hebr Khmr Knda Laoo Mlym Mymr Orya Sinh Taml Telu Thaa Thai Tibt'.split(' ');
const LATIN = String.raw`(?:[\w-]|(?=\p{Ll})[\u00df-\u01bf\u01cd-\u0233\u1e00-\u1eff])+`;
const CHINESE_OR_JAPANESE = String.raw`(?=\p{L})[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\d-]+`;
/** @param {string} script */
const ofScript = (script) => String.raw`(?=\p{L})[\p{scx=${script}}\d-]+`;
const LABEL = new RegExp(`^(?:${[LATIN, CHINESE_OR_JAPANESE, ...SCRIPTS.map(ofScript)].join('|')})$`, 'u');
// Cyrillic, Greek and Armenian letters that look like Latin ones.
const LOOKS_LATIN = /^[асԁеһіјӏкорԛѕԝхуѵѡгпьъыАВСЕНІЈКМОРТХУЅαικνορυωητΑΒΕΖΗΙΚΜΝΟΡΤΥΧօոսհցզք\d-]+$/u;

/** A letter or digit in a script that has spaces between words. Chinese and Japanese do not. */
const LETTER = String.raw`(?:(?![\p{Ideographic}\p{sc=Hira}\p{sc=Kana}])[\p{L}\p{M}\p{N}])`;

// Emphasis opens before a word and closes after one. A mark beside a slash, before the dot of
// `*.js`, or alone in quotation marks or brackets is part of a glob or a path.
const WORD_FOLLOWS = String.raw`(?![\s/\\,;)\]}~?|&=-]|\.(?!\.)|(?<=["'][*_]+)["'])`;
const WORD_PRECEDES = String.raw`(?<![\s/\\([{])`;

/** @param {'bold' | 'italic'} name of the group @param {string} mark @param {string} marks */
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

/** @param {string} text @param {string} [nick] for mentions @returns {Token[]} */
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

/** @param {RegExpMatchArray} match @param {string} nick @returns {Token[] | null} null if it is plain text */
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

/** @param {string} text @param {string} nick */
export const mentions = (text, nick) => hasMention(parse(text, nick));

/** @param {Token[]} tokens @returns {boolean} */
function hasMention(tokens) {
	return tokens.some((token) => token.type === 'mention' || ('content' in token && hasMention(token.content)));
}

/**
 * Returns null if the address leads elsewhere than a reader expects.
 * @param {RegExpMatchArray} match @returns {{ text: string, href: string } | null}
 */
function linkOf({ groups: { link, host, rest } = {}, index = 0, input = '' }) {
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

/** An exclamation mark ends a sentence, too, unless the address is the whole text. */
const PUNCTUATION = '.,:;?\'*|([{';

/** @param {string} address @param {boolean} isAlone */
function withoutPunctuation(address, isAlone) {
	const ending = isAlone ? PUNCTUATION : `${PUNCTUATION}!`;
	let end = address.length;
	while (end && ending.includes(address[end - 1])) end -= 1;
	return address.slice(0, end);
}

/** @param {string} host */
function isReadable(host) {
	if (isAscii(host)) return true;
	return host.normalize('NFC').split('.').every((label) => {
		// A mark that belongs to no script can strike a letter through.
		const isOneScript = LABEL.test(label.toLowerCase()) && !/\p{sc=Zinh}/u.test(label);
		return isOneScript && (isAscii(label) || !LOOKS_LATIN.test(label));
	});
}

/** @param {string} text */
const isAscii = (text) => /^[\0-\x7f]*$/u.test(text);
