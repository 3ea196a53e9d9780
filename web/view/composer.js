// The input, with a draft for each conversation. A text with a slash in front is a command of the
// page or of the server; two slashes stand for one.

import { translate } from '../i18n/texts.js';
import { chat } from '../model/chat.js';
import { emojiMatching, isBlank } from '../model/markup.js';
import { LOBBY } from '../model/rooms.js';
import { RequestError } from '../net/connection.js';
import { tab } from '../storage/storage.js';
import { button, create, drawable, keepFocus, onSubmit, page } from './elements.js';

const SENT_MAX = 50;
/** An example for each command of the page. */
const EXAMPLES = { nick: 'ana', me: 'waves', msg: 'bo psst', join: 'kitchen', part: '', who: '', rooms: '', help: '', search: 'cake from:ana' };
/** Without a keyboard, Enter begins a new line. The focus would show a keyboard. */
const isTouchOnly = matchMedia('(hover: none) and (pointer: coarse)').matches;
const { composer: form, text: input, objection, offers } = page;

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

/** Unlike the user's typing, it offers no commands. @param {string} text */
function setText(text) {
	input.value = text;
	edited();
	offers.hidden = true;
}

function edited() {
	recalled = 0;
	setObjection('');
	drafts[chat.active.title] = input.value;
	tab.set('drafts', drafts);
	fitHeight();
	showOffers();
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
	else if (key === 'ArrowUp' && !offers.hidden && complete(-1)) edited();
	else if (key === 'ArrowDown' && !offers.hidden && complete()) edited();
	else if (key === 'Escape' && !offers.hidden) offers.hidden = true;
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
	help() {
		const others = commands().filter(({ name }) => name !== 'help');
		chat.note(others.map(({ name, help }) => `/${name} ${help}`.trim()).join('\n'));
	},
	search: (query) => chat.notify({ type: 'search', query }),
};

/** @param {string} name */
const isOwn = (name) => Object.hasOwn(EXAMPLES, name) && (name !== 'search' || chat.canSearch);

/** Those of the server act in a room. A command of the page hides one of the same name. */
function commands() {
	const own = Object.entries(EXAMPLES).map(([name, help]) => ({ name, help })).filter(({ name }) => isOwn(name));
	const others = chat.active.isRoom ? chat.commands.filter(({ name }) => !isOwn(name)) : [];
	return [...others, ...own];
}

/** @param {string} text */
export async function perform(text) {
	const [, name, rest] = /^\/(?!\/)(\S*)\s*([^]*)$/u.exec(text) ?? [];
	if (name === undefined) return chat.say(text.replace(/^\/\//u, '/'));
	if (!commands().some((command) => command.name === name)) throw new Error(translate('unknown_command', { command: `/${name}` }));
	await (isOwn(name) ? COMMANDS[name](rest) : chat.command(name, rest));
}

/** Shows the commands that the text may become, and marks the one that completion has chosen. */
function showOffers() {
	const { value } = input;
	const isChosen = completion.value === value;
	const options = isChosen ? completion.options : optionsFor(/^\/\S*$/u.exec(value)?.[0] ?? '', true);
	const offered = commands().filter(({ name }) => options.includes(`/${name}`));
	offers.replaceChildren(...offered.map(({ name, help }) => {
		const choice = button('place', () => choose(name), create('span', '', `/${name}`), create('span', 'soft', ...drawable(help)));
		if (value === `/${name} `) choice.ariaCurrent = 'true';
		return create('li', '', choice);
	}));
	offers.hidden = !offered.length || document.activeElement !== input;
	offers.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' });
}

/** @param {string} name of a command */
function choose(name) {
	setText(`/${name} `);
	input.focus();
}

/** Nicknames may contain spaces. @param {string} text */
function knownNickAt(text) {
	const known = [...chat.conversations.values()].flatMap((conversation) => conversation.members.nicks);
	const matching = known.filter((nick) => `${text} `.toLowerCase().startsWith(`${nick} `.toLowerCase()));
	return matching.sort((a, b) => b.length - a.length).at(0);
}

/** The last press of Tab or an arrow, and the `value` after it. `taken` is the index of the option. */
let completion = { value: '', before: '', after: '', options: [''], taken: -1 };

/** Takes the next option, or the one before. Returns false if Tab should move the focus. */
function complete(step = 1) {
	const { value, selectionStart: caret } = input;
	if (completion.taken < 0 || completion.value !== value) {
		const word = /\S*$/u.exec(value.slice(0, caret))?.[0] ?? '';
		const before = value.slice(0, caret - word.length);
		completion = { value, before, after: value.slice(caret), options: optionsFor(word, before === ''), taken: -1 };
	}
	const { before, after, options, taken } = completion;
	const count = options.length;
	const isOnlyOption = count === 1 && taken === 0;
	if (!count || isOnlyOption) return false;
	const next = taken < 0 && step < 0 ? count - 1 : (taken + step + count) % count;
	const head = `${before}${options[next]} `;
	completion.value = input.value = head + after;
	completion.taken = next;
	input.setSelectionRange(head.length, head.length);
	return true;
}

/** @param {string} word @param {boolean} isFirst */
function optionsFor(word, isFirst) {
	if (!word) return [];
	if (isFirst && word.startsWith('/')) return commands().map(({ name }) => `/${name}`).filter((name) => name.startsWith(word));
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
input.onfocus = showOffers;
form.addEventListener('focusout', ({ relatedTarget }) => {
	if (!(relatedTarget instanceof Node && form.contains(relatedTarget))) offers.hidden = true;
});
onSubmit(form, submit);
keepFocus(page.send);
