// What begins with a slash. Two slashes say one.

import { LOBBY } from './chat.js';
import { isBlank } from './visible.js';
import { say } from './words.js';

const EXAMPLES = '/nick ana\n/me waves\n/msg bo psst\n/join kitchen\n/part\n/who\n/rooms';

export const COMMANDS = {
	nick: (chat, rest) => chat.rename(rest),
	me: (chat, rest) => isBlank(rest) || chat.session.say(chat.active.key, rest, 'me'),
	msg: async (chat, whole) => {
		const rest = whole.replace('@', '');
		// A nickname may have spaces: the longest that is here is meant.
		const here = [...chat.talks.values()].flatMap((it) => it.members);
		const fitting = here.filter((nick) => `${rest} `.toLowerCase().startsWith(`${nick} `.toLowerCase()));
		const nick = fitting.sort((a, b) => b.length - a.length)[0] ?? rest.split(' ')[0];
		await chat.visit(`@${nick}`);
		const text = rest.slice(nick.length).trim();
		if (!isBlank(text)) chat.session.say(chat.active.key, text);
	},
	join: (chat, rest) => chat.visit(rest.replace('#', '').normalize('NFKC').toLowerCase() || LOBBY),
	part: (chat) => chat.leave(chat.active),
	who: (chat) => {
		const { members, count } = chat.active;
		const rest = count > members.length ? [say('others', { n: count - members.length })] : [];
		chat.note(`${say('people')}: ${[...members, ...rest].join(', ')}`);
	},
	rooms: async (chat, after) => {
		const { rooms, more } = await chat.session.ask('rooms', { after: after || undefined });
		const page = rooms.map(({ room, members }) => `#${room} (${members})`).join(', ');
		// What shows the next page.
		chat.note(more ? `${page}\n/rooms ${rooms.at(-1).room}` : page);
	},
	help: (chat) => chat.note(COMMANDS.search ? `${EXAMPLES}\n/search cake from:ana` : EXAMPLES),
};

/** Does what `text` asks for: mostly, that it be said. */
export async function perform(chat, text) {
	const [, name, rest] = /^\/(?!\/)(\S*)\s*([^]*)$/u.exec(text) ?? [];
	if (name === undefined) return chat.session.say(chat.active.key, text.replace(/^\/\//u, '/'));
	if (!Object.hasOwn(COMMANDS, name)) throw new Error(say('unknown_command', { command: `/${name}` }));
	await COMMANDS[name](chat, rest);
}
