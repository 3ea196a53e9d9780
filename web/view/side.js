// The side of the page: conversations and members, or the results of a search.

import { formatDateTime, translate } from '../i18n/texts.js';
import { chat } from '../model/chat.js';
import { isBlank } from '../model/markup.js';
import { RequestError } from '../net/connection.js';
import { perform, showError } from './composer.js';
import { author, button, create, drawable, onSubmit, page } from './elements.js';

/** How long after the last key a search begins. */
const TYPING_PAUSE_MS = 250;

const { menu, join: form, rooms, people, side, query, everywhere, matches, results } = page;

let timer = 0;
let isWaiting = false;
/** Where older results begin. @type {number | undefined} */
let nextBefore;

export function drawSide() {
	rooms.replaceChildren(...[...chat.conversations.values()].map(conversationEntry));
	drawPeople(chat.active);
}

/** @param {Conversation} conversation */
function drawPeople(conversation) {
	const { isRoom, members } = conversation;
	const nicks = isRoom ? [...members.nicks].sort((a, b) => a.localeCompare(b)) : [];
	const more = isRoom ? members.count - nicks.length : 0;
	page.count.textContent = isRoom && members.count ? String(members.count) : '';
	people.replaceChildren(...nicks.map(personEntry));
	if (more > 0) people.append(create('li', '', button('link', () => chat.loadMembers(conversation), translate('n_more', { n: more }))));
}

/** @param {Conversation} conversation */
function conversationEntry(conversation) {
	const { key, title, unread, hasMention } = conversation;
	const link = conversationLink(key, create('bdi', '', title));
	if (conversation === chat.active) link.ariaCurrent = 'page';
	if (unread) link.append(create('span', hasMention ? 'badge called' : 'badge', String(unread)));
	const leave = button('quiet', () => chat.leave(conversation), '×');
	leave.ariaLabel = translate('leave', { room: title });
	return create('li', '', link, leave);
}

/** @param {string} nick */
function personEntry(nick) {
	const link = conversationLink(`@${nick}`, author(nick));
	link.disabled = nick === chat.nick;
	if (link.disabled) link.append(create('span', 'soft', translate('you')));
	return create('li', '', link);
}

/** @param {string} key @param {Node} name */
function conversationLink(key, name) {
	const visit = () => {
		chat.visit(key);
		openSide(false);
	};
	return button('place', visit, name);
}

/** @param {string} room as the user writes it */
export function join(room) {
	perform(`/join ${room}`).catch(showError);
}

/** @param {boolean} isOpen */
export function openSide(isOpen) {
	document.body.classList.toggle('open', isOpen);
	menu.ariaExpanded = String(isOpen);
}

/** @param {number} [before] */
async function search(before) {
	document.body.classList.toggle('finding', query.value !== '');
	if (!query.value) return;
	if (isWaiting) return searchLater();
	isWaiting = true;
	const room = everywhere.checked || !chat.active.isRoom ? undefined : chat.active.key;
	try {
		showPage(await chat.session.request('search', { query: query.value, room, before }), before === undefined);
	} catch (error) {
		if (!(error instanceof RequestError)) throw error;
		failed(error, before === undefined);
	} finally {
		isWaiting = false;
	}
}

/** @param {ResultsEvent} page @param {boolean} isFirst */
function showPage({ messages, before }, isFirst) {
	if (isFirst) results.replaceChildren();
	results.append(...messages.map(resultEntry));
	nextBefore = before;
	matches.textContent = `${translate('messages')}: ${results.children.length}${nextBefore ? '+' : ''}`;
}

/** @param {RequestError} error @param {boolean} isFirst */
function failed(error, isFirst) {
	if (error.pause !== null) return searchLater(error.pause);
	if (isFirst) results.replaceChildren();
	nextBefore = undefined;
	matches.textContent = error.message;
}

function searchLater(ms = TYPING_PAUSE_MS) {
	nextBefore = undefined;
	clearTimeout(timer);
	timer = setTimeout(search, ms);
}

/** @param {Message} message */
function resultEntry(message) {
	const place = create('span', 'soft', create('bdi', '', `#${message.room}`), ` · ${formatDateTime(message.time)}`);
	const text = create('span', 'excerpt', ...excerptOf(message.text));
	text.dir = 'auto';
	const show = () => {
		openSide(false);
		chat.rooms.showResult(message).catch(showError);
	};
	return create('li', '', button('place', show, author(message.nick), ' ', place, ' ', text));
}

export function updateSearch() {
	query.hidden = !chat.canSearch;
	if (!chat.canSearch) query.value = '';
	search();
}

/** @param {string} words */
export function find(words) {
	openSide(true);
	query.value = words;
	query.focus();
	search();
}

/** Begins a little before the first match. @param {string} text */
function excerptOf(text) {
	if (isBlank(text)) return [create('span', 'soft', translate('empty_text'))];
	const parts = splitAtMatches(text);
	if (parts.length > 1) parts[0] = parts[0].replace(/^[^]+(?=[^]{60}$)/u, '…');
	return parts.map((part, index) => create(index % 2 ? 'mark' : 'span', '', ...drawable(part.normalize())));
}

/** Every second part is a match. Accents are separate characters. @param {string} text @returns {string[]} */
function splitAtMatches(text) {
	const words = wordsOf(query.value);
	if (!words.length) return [text.normalize('NFD')];
	const pattern = words.map((word) => word.replace(/./gu, letterPattern)).join('(?![\\p{LC}\\p{N}])|');
	return text.normalize('NFD').split(RegExp(`(?<![\\p{LC}\\p{N}]\\p{M}*)(${pattern})`, 'giu'));
}

/** @param {string} text */
export function offsetOfMatch(text) {
	const [before, match] = splitAtMatches(text);
	return match ? before.normalize().length : 0;
}

/** @param {string} search @returns {string[]} */
function wordsOf(search) {
	const text = search.normalize('NFD').replace(/\p{M}|(?<!\S)from:\s*("[^"]*"?|\S*)/giu, '');
	return text.match(/[\p{L}\p{N}\p{So}'’ʼ]+/gu) ?? [];
}

/** Accepts any accents, and the apostrophes of all keyboards. @param {string} letter */
function letterPattern(letter) {
	const marks = '\\p{M}*';
	if (/['’ʼ]/u.test(letter)) return `['’ʼ]${marks}`;
	return letter === 'ß' ? `(?:ß|ss)${marks}` : letter + marks;
}

menu.onclick = () => openSide(menu.ariaExpanded === 'false');
page.shade.onclick = () => openSide(false);
addEventListener('keydown', ({ key }) => {
	if (key !== 'Escape' || menu.ariaExpanded === 'false') return;
	openSide(false);
	menu.focus();
});
onSubmit(form, () => {
	openSide(false);
	join(page.room.value);
	form.reset();
});
query.oninput = () => searchLater();
everywhere.onchange = () => searchLater();
side.onscroll = () => {
	const isNearEnd = side.scrollTop + 2 * side.clientHeight > side.scrollHeight;
	if (nextBefore && !isWaiting && isNearEnd) search(nextBefore);
};
