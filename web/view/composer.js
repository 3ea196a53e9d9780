// The input, with a draft for each conversation. A text with a slash in front is a command; two
// slashes stand for one.

import { translate } from '../i18n/texts.js';
import { chat } from '../model/chat.js';
import { emojiMatching, isBlank } from '../model/markup.js';
import { LOBBY } from '../model/rooms.js';
import { RequestError } from '../net/connection.js';
import { tab } from '../storage/storage.js';
import { keepFocus, onSubmit, page } from './elements.js';

const SENT_MAX = 50;
const HELP = '/nick ana\n/me waves\n/msg bo psst\n/join kitchen\n/part\n/who\n/rooms';
const SEARCH_HELP = '/search cake from:ana';
/** Without a keyboard, Enter begins a new line. The focus would show a keyboard. */
const isTouchOnly = matchMedia('(hover: none) and (pointer: coarse)').matches;
const { composer: form, text: input, objection } = page;

/** By title of the conversation. @type {Record<string, string>} */
const drafts = tab.get('drafts', {});
/** @type {string[]} */
let sent = [];
/** How many texts back the recalled text is. */
let recalled = 0;

export function focusInput() {
	if (!isTouchOnly) input.focus();
}

export function showDraft() {
	setText(drafts[chat.active.title] ?? '');
}

/** @param {string} text that was not sent */
export function giveBack(text) {
	if (!input.value) setText(text);
}

/** The status tells of a lost connection. @param {Error} error */
export function showError(error) {
	setObjection(error instanceof RequestError && error.code === 'closed' ? '' : error.message);
}

/** @param {string} message */
function setObjection(message) {
	objection.textContent = message;
}

/** @param {string} text */
function setText(text) {
	input.value = text;
	edited();
}

function edited() {
	recalled = 0;
	setObjection('');
	drafts[chat.active.title] = input.value;
	tab.set('drafts', drafts);
	fitHeight();
}

/** @param {KeyboardEvent} event */
function pressed(event) {
	const { key, isComposing, keyCode, shiftKey, ctrlKey, altKey, metaKey } = event;
	// Enter may select a word in an input method. Safari only has the key code.
	if (isComposing || keyCode === 229 || shiftKey || ctrlKey || altKey || metaKey) return;
	if (key === 'Enter' && !isTouchOnly) submit();
	else if (key === 'Tab' && complete()) edited();
	else if (key === 'ArrowUp' && (!input.value || recalled)) recall(recalled + 1);
	else if (key === 'ArrowDown' && recalled) recall(recalled - 1);
	else return;
	event.preventDefault();
}

/** @param {number} count */
function recall(count) {
	const back = Math.min(count, sent.length);
	setText(back ? (sent.at(-back) ?? '') : '');
	recalled = back;
}

async function submit() {
	const text = input.value.trim();
	const bytes = new TextEncoder().encode(text).length;
	const max = chat.limits.text_bytes ?? Infinity;
	if (bytes > max) setObjection(translate('too_long', { bytes, max }));
	if (isBlank(text) || bytes > max) return;
	sent = [...sent, text].slice(-SENT_MAX);
	setText('');
	try {
		await perform(text);
		form.dispatchEvent(new Event('sent'));
	} catch (error) {
		giveBack(text);
		setObjection(error instanceof Error ? error.message : String(error));
	}
}

/** The form keeps its height meanwhile, so that the timeline does not move. */
function fitHeight() {
	form.style.minHeight = `${form.offsetHeight}px`;
	input.style.height = '0';
	input.style.height = `${input.scrollHeight + 2}px`;
	form.style.minHeight = '';
}

/** @type {Record<string, (rest: string) => unknown>} */
const COMMANDS = {
	nick: (nick) => chat.rename(nick),
	me: (text) => isBlank(text) || chat.say(text, 'me'),
	async msg(rest) {
		const nickAndText = rest.replace('@', '');
		const nick = knownNickAt(nickAndText) ?? nickAndText.split(' ')[0];
		await chat.visit(`@${nick}`);
		const text = nickAndText.slice(nick.length).trim();
		if (!isBlank(text)) chat.say(text);
	},
	join: (room) => chat.visit(room.replace('#', '').normalize('NFKC').toLowerCase() || LOBBY),
	part: () => chat.leave(chat.active),
	who() {
		const { nicks, count } = chat.active.members;
		const rest = count > nicks.length ? [translate('n_more', { n: count - nicks.length })] : [];
		chat.note(`${translate('people')}: ${[...nicks, ...rest].join(', ')}`);
	},
	async rooms(after) {
		const { rooms, more } = await chat.session.request('rooms', { after: after || undefined });
		const list = rooms.map(({ room, members }) => `#${room} (${members})`).join(', ');
		chat.note(more ? `${list}\n/rooms ${rooms.at(-1)?.room}` : list);
	},
	help: () => chat.note(chat.canSearch ? `${HELP}\n${SEARCH_HELP}` : HELP),
	search: (query) => chat.notify({ type: 'search', query }),
};

const commandNames = () => Object.keys(COMMANDS).filter((name) => name !== 'search' || chat.canSearch);

/** @param {string} text */
export async function perform(text) {
	const [, name, rest] = /^\/(?!\/)(\S*)\s*([^]*)$/u.exec(text) ?? [];
	if (name === undefined) return chat.say(text.replace(/^\/\//u, '/'));
	if (!commandNames().includes(name)) throw new Error(translate('unknown_command', { command: `/${name}` }));
	await COMMANDS[name](rest);
}

/** Nicknames may contain spaces. @param {string} text */
function knownNickAt(text) {
	const known = [...chat.conversations.values()].flatMap((conversation) => conversation.members.nicks);
	const matching = known.filter((nick) => `${text} `.toLowerCase().startsWith(`${nick} `.toLowerCase()));
	return matching.sort((a, b) => b.length - a.length).at(0);
}

/** The last press of Tab, and the `value` after it. */
let completion = { value: '', before: '', after: '', options: [''], taken: 0 };

/** Returns false if Tab should move the focus. */
function complete() {
	const { value, selectionStart: caret } = input;
	if (!completion.taken || completion.value !== value) {
		const word = /\S*$/u.exec(value.slice(0, caret))?.[0] ?? '';
		const before = value.slice(0, caret - word.length);
		completion = { value, before, after: value.slice(caret), options: optionsFor(word, before === ''), taken: 0 };
	}
	const { before, after, options, taken } = completion;
	const isOnlyOption = options.length === 1 && taken > 0;
	if (!options.length || isOnlyOption) return false;
	const head = `${before}${options[taken % options.length]} `;
	completion.value = input.value = head + after;
	completion.taken += 1;
	input.setSelectionRange(head.length, head.length);
	return true;
}

/** @param {string} word @param {boolean} isFirst */
function optionsFor(word, isFirst) {
	if (!word) return [];
	if (isFirst && word.startsWith('/')) return commandNames().map((name) => `/${name}`).filter((name) => name.startsWith(word));
	if (/^:[\w+-]+$/u.test(word)) return emojiMatching(word.slice(1));
	const at = word.startsWith('@') ? '@' : '';
	const prefix = word.slice(at.length).toLowerCase();
	const matching = chat.active.members.nicks.filter((nick) => nick !== chat.nick && nick.toLowerCase().startsWith(prefix));
	// At the beginning, a nickname addresses its user.
	return matching.map((nick) => `${at}${nick}${isFirst && !at ? ':' : ''}`);
}

input.enterKeyHint = isTouchOnly ? 'enter' : 'send';
input.onkeydown = pressed;
input.oninput = edited;
onSubmit(form, submit);
keepFocus(page.send);
