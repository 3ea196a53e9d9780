// Puts the page together: what concerns two of its parts is said here.

import { call, showUnread } from './attention.js';
import { Chat, LOBBY } from './chat.js';
import { perform } from './commands.js';
import { setUpComposer } from './composer.js';
import { setUpDialogs } from './dialogs.js';
import { page } from './elements.js';
import { setUpFinder } from './finder.js';
import { mentionsMe } from './markup.js';
import { setUpRoster } from './roster.js';
import { setUpTimeline } from './timeline.js';
import { fillIn, say } from './words.js';

// What is back before that was not missed.
const BANNER_AFTER_MS = 1_000;

let banner;
let listing;
// Why we are not in, as far as the server has said.
let why;

const chat = new Chat({
	connected() {
		why = '';
		showStatus('connected');
		offerToFind();
	},
	disconnected: () => showAway(why),
	waiting: () => showAway(say('crowded')),
	refused: (sentence) => showAway(sentence && say('refused_entry', { reason: sentence })),
	named(wish) {
		page.nickname.textContent = chat.nick;
		if (wish && wish !== chat.nick) chat.note(say('nick_taken', { wish, nick: chat.nick }));
		listed();
	},
	titled,
	visited(found) {
		titled();
		timeline.show(found);
		composer.visit();
		seen();
	},
	joined(talk) {
		if (talk === chat.active) timeline.joined();
		listed();
	},
	appended(talk, isChange) {
		if (talk === chat.active.now) timeline.appended(isChange);
		listed();
	},
	grown: (count) => timeline.grown(count),
	filled: (...how) => timeline.filled(...how),
	called: (talk, item) => call(chat, talk, item),
	unsent: () => timeline.showUnsent(),
	failed: (error) => composer.object(error),
	isLookingAt: (talk) => talk === chat.active && !document.hidden && timeline.isFollowing(),
	isMentioned: (text) => mentionsMe(text, chat.nick),
	listed,
});
const composer = setUpComposer(chat, async (text) => {
	await perform(chat, text);
	timeline.toEnd();
});
const roster = setUpRoster(chat, join);
const offerToFind = setUpFinder(chat, roster, (found) => {
	roster.open(false);
	chat.jump(found).catch(composer.object);
});
const timeline = setUpTimeline(chat, (what, entry) => {
	if (what === 'retry') return chat.retry(entry);
	chat.session.withdraw(entry);
	composer.giveBack(entry.text);
});

function titled() {
	const { key, title, isRoom } = chat.active;
	history.replaceState(null, '', key === LOBBY ? location.pathname : `#${key}`);
	page.title.textContent = title;
	page.topic.textContent = isRoom ? '' : say('unstored');
}

function follow() {
	try {
		join(decodeURIComponent(location.hash));
	} catch {
		join(LOBBY);
	}
}

function join(name) {
	perform(chat, `/join ${name}`).catch(composer.object);
}

function listed() {
	listing ??= setTimeout(() => {
		listing = null;
		roster.draw();
		showUnread(chat);
	});
}

function seen() {
	if (!document.hidden && timeline.isFollowing()) chat.seen();
}

function showAway(reason) {
	why = reason;
	const show = () => showStatus('disconnected', why || say('disconnected'));
	if (page.status.dataset.state !== 'disconnected') banner ??= setTimeout(show, BANNER_AFTER_MS);
	// What is there already is not read out again.
	else if (page.status.textContent !== (why || say('disconnected'))) show();
}

function showStatus(state, text = say(state)) {
	banner = clearTimeout(banner);
	page.status.dataset.state = state;
	page.status.textContent = text;
}

fillIn();
setUpDialogs(chat);
showStatus('connecting');
// The keyboard of a phone leaves less than the page thinks.
visualViewport.onresize = () => document.body.style.setProperty('--height', `${visualViewport.height}px`);
document.onvisibilitychange = seen;
onhashchange = follow;
// Asked for when the connection broke, or refused by the server.
onunhandledrejection = (event) => void (event.reason?.code && event.preventDefault());
follow();
chat.session.connection.open();
composer.focus();
