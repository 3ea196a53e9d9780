// For those who do not look: a number in the title, a dot on the icon and, if
// they want, a sound and notifications.

import { page } from './elements.js';
import { browser } from './storage.js';

export const mayNotify = () => isSecureContext && window.Notification?.permission === 'granted' && browser.get('notify');

export function showUnread({ active, talks }) {
	const unread = [...talks.values()].reduce((sum, it) => sum + it.unread, 0);
	document.title = `${unread ? `(${unread}) ` : ''}${active.title} · chinwag`;
	page.icon.href = unread ? '/icon-unread.svg' : '/icon.svg';
}

/** Somebody said our nickname, or something to us alone. */
export function call(chat, { key, title }, { nick, text }) {
	if (browser.get('sound')) beep();
	if (!mayNotify()) return;
	new Notification(`${nick} · ${title}`, { body: text, tag: key }).onclick = () => {
		focus();
		chat.visit(key);
	};
}

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
