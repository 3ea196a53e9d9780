// The header with the status, nickname, invitation and settings; the title and icon; notifications.

import { translate } from '../i18n/texts.js';
import { chat } from '../model/chat.js';
import { LOBBY } from '../model/rooms.js';
import { browser } from '../storage/storage.js';
import { onSubmit, page } from './elements.js';

/** How long a connection is lost before the page says so. */
const BANNER_DELAY_MS = 1_000;

const { address, code, copy, me, notify: notifyBox, rename: renameForm, sound, status: statusLine, theme, wish: nickInput } = page;

async function invite() {
	const { key, isRoom } = chat.active;
	const path = new URL('.', location.href).pathname;
	const query = `?${new URLSearchParams({ path, ...(isRoom && { room: key }) })}`;
	const text = await fetch(`invite${query}`).then((response) => (response.ok ? response.text() : null)).catch(() => null);
	address.textContent = text ?? translate('no_network');
	copy.hidden = code.hidden = text === null;
	if (text !== null) code.src = `invite.svg${query}`;
	copy.textContent = translate('copy');
	page.invitation.showModal();
}

async function copyAddress() {
	try {
		await navigator.clipboard.writeText(address.textContent ?? '');
	} catch {
		// A page that came over plain http has no clipboard.
		getSelection()?.selectAllChildren(address);
		document.execCommand('copy');
	}
	copy.textContent = translate('copied');
}

function applyTheme() {
	document.documentElement.style.colorScheme = theme.value.replace('auto', '');
}

async function rename() {
	const nick = nickInput.value.trim();
	try {
		if (nick !== chat.nick) await chat.rename(nick);
		showNicknameForm(false);
	} catch (error) {
		nickInput.setCustomValidity(error instanceof Error ? error.message : String(error));
		renameForm.reportValidity();
	}
}

/** @param {boolean} isEditing */
function showNicknameForm(isEditing) {
	renameForm.hidden = !isEditing;
	me.hidden = isEditing;
	document.body.classList.toggle('editing', isEditing);
	if (!isEditing) me.focus();
}

let banner = 0;
/** Why the page is disconnected, if the server has said so. */
let explanation = '';

export function showTitle() {
	const { key, title, isRoom } = chat.active;
	history.replaceState(null, '', key === LOBBY ? location.pathname : `#${key}`);
	page.title.textContent = title;
	page.topic.textContent = isRoom ? '' : translate('not_stored');
	page.nickname.textContent = chat.nick;
}

/** @param {Status} status @param {string} reason */
export function showStatus(status, reason) {
	if (status === 'connected') {
		explanation = '';
		return setStatus('connected');
	}
	if (status === 'waiting') explanation = translate('server_busy');
	if (status === 'refused') explanation = reason && translate('no_entry', { reason });
	if (status === 'kicked') explanation = translate('kicked', { reason });
	if (status === 'elsewhere') explanation = translate('elsewhere');
	const show = () => setStatus('disconnected', explanation || translate('disconnected'));
	if (statusLine.dataset.state !== 'disconnected') banner ||= setTimeout(show, BANNER_DELAY_MS);
	// A screen reader would read the same text again.
	else if (statusLine.textContent !== (explanation || translate('disconnected'))) show();
}

/** @param {'connecting' | 'connected' | 'disconnected'} state */
export function setStatus(state, text = translate(state)) {
	clearTimeout(banner);
	banner = 0;
	statusLine.dataset.state = state;
	statusLine.textContent = text;
}

export function showUnread() {
	const unread = [...chat.conversations.values()].reduce((sum, conversation) => sum + conversation.unread, 0);
	document.title = `${unread ? `(${unread}) ` : ''}${chat.active.title} · chinwag`;
	page.icon.href = unread ? 'icon-unread.svg' : 'icon.svg';
}

/** A page that came over plain http has no notifications. */
const hasNotifications = isSecureContext && Boolean(window.Notification);

const canNotify = () => hasNotifications && Notification.permission === 'granted' && Boolean(browser.get('notify'));

/** @param {Conversation} conversation @param {MessageItem} item */
export function notify({ key, title }, { nick, text }) {
	if (browser.get('sound')) beep();
	if (!canNotify()) return;
	new Notification(`${nick} · ${title}`, { body: text, tag: key }).onclick = () => {
		focus();
		chat.visit(key);
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

theme.value = browser.get('theme', 'auto');
applyTheme();
theme.onchange = () => {
	browser.set('theme', theme.value);
	applyTheme();
};
sound.checked = browser.get('sound', false);
sound.onchange = () => browser.set('sound', sound.checked);
notifyBox.labels?.forEach((label) => (label.hidden = !hasNotifications));
notifyBox.checked = canNotify();
notifyBox.onchange = async () => {
	browser.set('notify', notifyBox.checked);
	if (notifyBox.checked) await Notification.requestPermission();
	notifyBox.checked = canNotify();
};
me.onclick = () => {
	showNicknameForm(true);
	nickInput.value = browser.get('nickname', chat.nick);
	nickInput.select();
};
page.keep.onclick = () => showNicknameForm(false);
renameForm.addEventListener('keydown', ({ key, isComposing }) => {
	if (key === 'Escape' && !isComposing) showNicknameForm(false);
});
nickInput.oninput = () => nickInput.setCustomValidity('');
onSubmit(renameForm, rename);
page.invite.onclick = invite;
copy.onclick = copyAddress;
page.settings.onclick = () => page.choices.showModal();
for (const dialog of document.querySelectorAll('dialog')) {
	dialog.onclick = ({ target }) => {
		// The backdrop belongs to the dialog.
		if (target === dialog) dialog.close();
	};
}
