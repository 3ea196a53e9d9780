// @ts-check
// Names of common emoji.

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

/**
 * Returns the emoji with a name, if there is one.
 * @param {string} name in any letter case
 */
export const emojiNamed = (name) => emojiByName.get(name.toLowerCase());

/**
 * Returns the emoji whose names begin with `prefix`.
 * @param {string} prefix in any letter case
 */
export function emojiMatching(prefix) {
	const matching = [...emojiByName].filter(([name]) => name.startsWith(prefix.toLowerCase()));
	return matching.map(([, emoji]) => emoji);
}
