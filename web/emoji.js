// The common emoji, each after its names.
const TABLE = `
smile 😄 joy 😂 heart ❤️ +1 thumbsup 👍 tada 🎉 fire 🔥 eyes 👀 rocket 🚀 wave 👋 pray 🙏 clap 👏 100 💯 thinking 🤔 sob 😭
rofl 🤣 wink 😉 blush 😊 sweat_smile 😅 heart_eyes 😍 sunglasses 😎 -1 thumbsdown 👎 white_check_mark ✅ x ❌ ok_hand 👌
muscle 💪 raised_hands 🙌 sparkles ✨ bug 🐛 coffee ☕ warning ⚠️ grin 😁 laughing 😆 slightly_smiling_face 🙂
stuck_out_tongue 😛 nerd_face 🤓 confused 😕 cry 😢 angry 😠 exploding_head 🤯 scream 😱 roll_eyes 🙄 sleeping 😴 ghost
👻 skull 💀 robot 🤖 broken_heart 💔 crossed_fingers 🤞 facepalm 🤦 shrug 🤷 dog 🐶 cat 🐱 unicorn 🦄 zap ⚡ snowflake ❄️
star ⭐ pizza 🍕 cake 🍰 birthday 🎂 beer 🍺 beers 🍻 tea 🍵 trophy 🏆 car 🚗 house 🏠 bulb 💡 books 📚 memo 📝 package 📦
lock 🔒 key 🔑 bell 🔔 gift 🎁 rotating_light 🚨 question ❓
`;

const characters = new Map();
const names = [];
for (const word of TABLE.trim().split(/\s/u)) {
	if (/^[\w+-]+$/u.test(word)) names.push(word);
	else names.splice(0).forEach((name) => characters.set(name, word));
}

export const emojiNamed = (name) => characters.get(name.toLowerCase());

export function emojiMatching(prefix) {
	return [...characters].filter(([name]) => name.startsWith(prefix.toLowerCase())).map(([, it]) => it);
}
