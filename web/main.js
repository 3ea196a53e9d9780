// Puts the page together: what concerns two of its parts is said here.

import { call, showUnread } from './attention.js';
import { Chat, LOBBY } from './chat.js';
import { perform } from './commands.js';
import { Composer } from './composer.js';
import { setUpDialogs } from './dialogs.js';
import { find } from './elements.js';
import { mentionsMe } from './markup.js';
import { setUpNickname } from './nickname.js';
import { Roster } from './roster.js';
import { Timeline } from './timeline.js';
import { fillIn, say } from './words.js';

// What is back before that was not missed.
const BANNER_AFTER_MS = 1_000;

let banner;
let listing;

const chat = new Chat({
	connected: () => showStatus('connected'),
	disconnected() {
		banner ??= setTimeout(() => showStatus('disconnected'), BANNER_AFTER_MS);
	},
	named(wish) {
		find('#nickname').textContent = chat.nick;
		if (wish && wish !== chat.nick) chat.note(say('nick_taken', { wish, nick: chat.nick }));
		listed();
	},
	titled,
	visited() {
		titled();
		timeline.show();
		composer.visit();
		seen();
	},
	joined(talk, count) {
		if (talk === chat.active) timeline.joined(count);
		listed();
	},
	appended(talk, isChange) {
		if (talk === chat.active) timeline.appended(isChange);
		listed();
	},
	prepended(talk, count) {
		if (talk === chat.active) timeline.prepended(count);
	},
	called: (talk, item) => call(chat, talk, item),
	unsent: () => timeline.drawUnsent(),
	failed: ({ message }) => composer.object(message),
	isLookingAt: (talk) => talk === chat.active && !document.hidden && timeline.isFollowing,
	isMentioned: (text) => mentionsMe(text, chat.nick),
	listed,
});
const composer = new Composer(chat, async (text) => {
	await perform(chat, text);
	timeline.toEnd();
});
const roster = new Roster(chat, join);
const timeline = new Timeline(chat, (what, entry) => {
	chat.session[what](entry);
	if (what === 'withdraw') composer.giveBack(entry.text);
});

function titled() {
	const { key, title, isRoom } = chat.active;
	history.replaceState(null, '', key === LOBBY ? location.pathname : `#${key}`);
	find('#title').textContent = title;
	find('#topic').textContent = isRoom ? '' : say('unstored');
}

function follow() {
	try {
		join(decodeURIComponent(location.hash));
	} catch {
		join(LOBBY);
	}
}

function join(name) {
	perform(chat, `/join ${name}`).catch(({ message }) => composer.object(message));
}

function listed() {
	listing ??= setTimeout(() => {
		listing = null;
		roster.draw();
		showUnread(chat);
	});
}

function seen() {
	if (!document.hidden && timeline.isFollowing) chat.seen();
}

function showStatus(state) {
	banner = clearTimeout(banner);
	find('#status').dataset.state = state;
	find('#status').textContent = say(state);
}

fillIn();
setUpDialogs(chat);
setUpNickname(chat);
showStatus('connecting');
// The keyboard of a phone leaves less than the page thinks.
visualViewport.onresize = () => document.body.style.setProperty('--height', `${visualViewport.height}px`);
document.onvisibilitychange = seen;
onhashchange = follow;
// Asked for when the connection broke.
onunhandledrejection = (event) => void (event.reason?.code === 'closed' && event.preventDefault());
follow();
chat.session.connection.open();
composer.focus();
