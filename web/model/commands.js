// @ts-check
// Commands: texts that begin with a slash. Two slashes begin a message with one.

import { translate } from '../i18n/translate.js';
import { isBlank } from './characters.js';
import { LOBBY } from './rooms.js';

/** @import { Chat } from './chat.js' */

const HELP = '/nick ana\n/me waves\n/msg bo psst\n/join kitchen\n/part\n/who\n/rooms';
const SEARCH_HELP = '/search cake from:ana';

/** @type {Record<string, (chat: Chat, rest: string) => unknown>} */
const COMMANDS = {
	nick: (chat, nick) => chat.rename(nick),
	me: (chat, text) => isBlank(text) || chat.say(text, 'me'),
	msg: sendPrivate,
	join: (chat, room) => chat.visit(room.replace('#', '').normalize('NFKC').toLowerCase() || LOBBY),
	part: (chat) => chat.leave(chat.active),
	who: listMembers,
	rooms: listRooms,
	help: (chat) => chat.note(chat.canSearch ? `${HELP}\n${SEARCH_HELP}` : HELP),
	search: (chat, query) => chat.notify({ type: 'search', query }),
};

/** @param {Chat} chat */
export const commandNames = (chat) => Object.keys(COMMANDS).filter((name) => name !== 'search' || chat.canSearch);

/**
 * Performs a command, or sends a message.
 * @param {Chat} chat
 * @param {string} text
 */
export async function perform(chat, text) {
	const [, name, rest] = /^\/(?!\/)(\S*)\s*([^]*)$/u.exec(text) ?? [];
	if (name === undefined) return chat.say(text.replace(/^\/\//u, '/'));
	if (!commandNames(chat).includes(name)) throw new Error(translate('unknown_command', { command: `/${name}` }));
	await COMMANDS[name](chat, rest);
}

/**
 * @param {Chat} chat
 * @param {string} rest
 */
async function sendPrivate(chat, rest) {
	const nickAndText = rest.replace('@', '');
	const nick = knownNickAt(chat, nickAndText) ?? nickAndText.split(' ')[0];
	await chat.visit(`@${nick}`);
	const text = nickAndText.slice(nick.length).trim();
	if (!isBlank(text)) chat.say(text);
}

/**
 * Returns the longest known nickname that `text` begins with. Nicknames may contain spaces.
 * @param {Chat} chat
 * @param {string} text
 */
function knownNickAt(chat, text) {
	const known = [...chat.conversations.values()].flatMap((conversation) => conversation.members.nicks);
	const matching = known.filter((nick) => `${text} `.toLowerCase().startsWith(`${nick} `.toLowerCase()));
	return matching.sort((a, b) => b.length - a.length).at(0);
}

/** @param {Chat} chat */
function listMembers(chat) {
	const { nicks, count } = chat.active.members;
	const rest = count > nicks.length ? [translate('n_more', { n: count - nicks.length })] : [];
	chat.note(`${translate('people')}: ${[...nicks, ...rest].join(', ')}`);
}

/**
 * @param {Chat} chat
 * @param {string} after
 */
async function listRooms(chat, after) {
	const { rooms, more } = await chat.session.request('rooms', { after: after || undefined });
	const lines = [rooms.map(({ room, members }) => `#${room} (${members})`).join(', ')];
	const last = rooms.at(-1);
	// The command for the next page.
	if (more && last) lines.push(`/rooms ${last.room}`);
	chat.note(lines.join('\n'));
}
