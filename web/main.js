// @ts-check
// Starts the page: connects the chat with the parts of the view.

import { translate, translatePage } from './i18n/translate.js';
import { Chat } from './model/chat.js';
import { perform } from './model/commands.js';
import { LOBBY } from './model/rooms.js';
import { RequestError } from './net/protocol.js';
import { setUpComposer } from './view/composer.js';
import { setUpDialogs } from './view/dialogs.js';
import { page } from './view/elements.js';
import { setUpFinder } from './view/finder.js';
import { setUpRoster } from './view/roster.js';
import { notify, showConnecting, showStatus, showUnread } from './view/status.js';
import { setUpTimeline } from './view/timeline.js';

/** @import { ChatEvent } from './model/types' */

/** @type {number | undefined} */
let listTimer;

const chat = new Chat(show);
const composer = setUpComposer(chat, async (text) => {
	await perform(chat, text);
	timeline.toEnd();
});
const roster = setUpRoster(chat, join);
const finder = setUpFinder(chat, (message) => {
	roster.open(false);
	chat.history.show(message).catch(showError);
});
const timeline = setUpTimeline(chat, {
	retry: (message) => chat.retry(message),
	withdraw: (message) => {
		chat.session.queue.remove(message);
		composer.giveBack(message.text);
	},
});

/** @param {ChatEvent} event */
function show(event) {
	switch (event.type) {
		case 'status':
			showStatus(event.status, event.reason);
			if (event.status === 'connected') finder.update();
			return;
		case 'renamed':
			page.nickname.textContent = chat.nick;
			showTitle();
			showListsSoon();
			return;
		case 'shown':
			showTitle();
			timeline.show(event.found);
			composer.showDraft();
			return;
		case 'mentioned': return notify(event.conversation, event.item, (key) => chat.visit(key));
		case 'queue': return timeline.showUnsent();
		case 'failed': return showError(event.error);
		case 'search':
			roster.open(true);
			finder.find(event.query);
			return;
		case 'list': return showListsSoon();
		default:
			timeline.update(event);
			showListsSoon();
	}
}

function showTitle() {
	const { key, title, isRoom } = chat.active;
	history.replaceState(null, '', key === LOBBY ? location.pathname : `#${key}`);
	page.title.textContent = title;
	page.topic.textContent = isRoom ? '' : translate('not_stored');
}

/** Shows conversations, members and unread counts, once for all changes of the moment. */
function showListsSoon() {
	listTimer ??= setTimeout(() => {
		listTimer = undefined;
		roster.draw();
		showUnread(chat);
	});
}

/** The status line tells of a lost connection. @param {Error} error */
function showError(error) {
	const isClosed = error instanceof RequestError && error.code === 'closed';
	composer.showError(isClosed ? '' : error.message);
}

function joinFromAddress() {
	try {
		join(decodeURIComponent(location.hash));
	} catch {
		join(LOBBY); // A malformed escape.
	}
}

/** @param {string} room as the user writes it */
function join(room) {
	perform(chat, `/join ${room}`).catch(showError);
}

const reportVisibility = () => chat.setAttention({ isVisible: !document.hidden });

translatePage();
setUpDialogs(chat);
showConnecting();
// The keyboard of a phone covers a part of the page.
visualViewport?.addEventListener('resize', () => {
	document.body.style.setProperty('--height', `${visualViewport?.height}px`);
});
document.onvisibilitychange = reportVisibility;
onhashchange = joinFromAddress;
onunhandledrejection = (event) => {
	// A request that the page makes by itself. It makes it again when needed.
	if (event.reason instanceof RequestError) event.preventDefault();
};
reportVisibility();
joinFromAddress();
chat.session.connection.open();
composer.focus();
