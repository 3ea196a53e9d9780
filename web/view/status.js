// @ts-check
// The status line, the title and icon of the page, and notifications.

import { translate } from '../i18n/translate.js';
import { browser } from '../storage/storage.js';
import { page } from './elements.js';

/** @import { MessageItem, Status } from '../model/types' */
/** @import { Chat } from '../model/chat.js' */
/** @import { Conversation } from '../model/conversation.js' */

/** How long a connection is lost before the page says so, in milliseconds. */
const BANNER_DELAY_MS = 1_000;

/** @type {number | undefined} */
let banner;
/** Why the server refuses the connection, if it has said so. */
let refusal = '';

/**
 * @param {Status} status
 * @param {string} [reason]
 */
export function showStatus(status, reason = '') {
	if (status === 'connected') {
		refusal = '';
		setStatus('connected', translate('connected'));
		return;
	}
	if (status === 'waiting') refusal = translate('server_busy');
	if (status === 'refused') refusal = reason && translate('no_entry', { reason });
	showDisconnected();
}

export function showConnecting() {
	setStatus('connecting', translate('connecting'));
}

function showDisconnected() {
	const isShown = page.status.dataset.state === 'disconnected';
	if (!isShown) banner ??= setTimeout(() => setStatus('disconnected', reason()), BANNER_DELAY_MS);
	// A screen reader would read the same text again.
	else if (page.status.textContent !== reason()) setStatus('disconnected', reason());
}

const reason = () => refusal || translate('disconnected');

/**
 * @param {string} state
 * @param {string} text
 */
function setStatus(state, text) {
	clearTimeout(banner);
	banner = undefined;
	page.status.dataset.state = state;
	page.status.textContent = text;
}

/** A page that came over plain http has no notifications. */
export const hasNotifications = isSecureContext && Boolean(window.Notification);

export const canNotify = () => hasNotifications && Notification.permission === 'granted' && Boolean(browser.get('notify'));

/** @param {Chat} chat */
export function showUnread({ active, conversations }) {
	const unread = [...conversations.values()].reduce((sum, conversation) => sum + conversation.unread, 0);
	const count = unread ? `(${unread}) ` : '';
	document.title = `${count}${active.title} · chinwag`;
	page.icon.href = unread ? '/icon-unread.svg' : '/icon.svg';
}

/**
 * Makes a sound and shows a notification, as far as the user wants them.
 * @param {Conversation} conversation
 * @param {MessageItem} item
 * @param {(key: string) => void} visit
 */
export function notify({ key, title }, { nick, text }, visit) {
	if (browser.get('sound')) beep();
	if (!canNotify()) return;
	new Notification(`${nick} · ${title}`, { body: text, tag: key }).onclick = () => {
		focus();
		visit(key);
	};
}

/** @type {AudioContext | undefined} */
let audio;

function beep() {
	audio ??= new AudioContext();
	const tone = new OscillatorNode(audio, { frequency: 880 });
	const volume = new GainNode(audio, { gain: 0.1 });
	const end = audio.currentTime + 0.3;
	volume.gain.exponentialRampToValueAtTime(0.001, end);
	tone.connect(volume).connect(audio.destination);
	tone.start();
	tone.stop(end);
}
