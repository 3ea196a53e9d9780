// @ts-check
// Tells a user who looks elsewhere of new messages: a number in the title, a dot
// on the icon and, if wanted, a sound and notifications.

import { browser } from '../storage/storage.js';
import { page } from './elements.js';

/** @import { Chat } from '../model/chat.js' */
/** @import { Conversation } from '../model/conversation.js' */
/** @import { MessageItem } from '../model/items.js' */

/** Whether notifications can be asked for: not from a page that came over plain http. */
export const hasNotifications = isSecureContext && Boolean(window.Notification);

/** Returns whether notifications are wanted and allowed. */
export const canNotify = () => hasNotifications && Notification.permission === 'granted' && Boolean(browser.get('notify'));

/** @param {Chat} chat */
export function showUnread({ active, conversations }) {
	const unread = [...conversations.values()].reduce((sum, conversation) => sum + conversation.unread, 0);
	const count = unread ? `(${unread}) ` : '';
	document.title = `${count}${active.title} · chinwag`;
	page.icon.href = unread ? '/icon-unread.svg' : '/icon.svg';
}

/**
 * Notifies the user of a private message or a mention.
 * @param {Conversation} conversation
 * @param {MessageItem} item
 * @param {(key: string) => void} visit shows the conversation
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
