// @ts-check
// Kinds of characters: those that draw nothing, and emoji with their names.

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
export const emojiNamed = (name) => emojiByName.get(name.toLowerCase());

/** @param {string} prefix of names, in any letter case */
export function emojiMatching(prefix) {
	const matching = [...emojiByName].filter(([name]) => name.startsWith(prefix.toLowerCase()));
	return matching.map(([, emoji]) => emoji);
}
