// @ts-check
// The dialogs for the invitation and the settings, and the form for the nickname.

import { translate } from '../i18n/translate.js';
import { browser } from '../storage/storage.js';
import { field, onSubmit, page } from './elements.js';
import { canNotify, hasNotifications } from './status.js';

/** @import { Chat } from '../model/chat.js' */
/** @import { Conversation } from '../model/conversation.js' */

const { address, code, copy, me, rename: renameForm, wish: nickInput, keep } = page;

/** @param {Chat} chat */
export function setUpDialogs(chat) {
	for (const dialog of document.querySelectorAll('dialog')) {
		dialog.onclick = ({ target }) => {
			// The backdrop belongs to the dialog.
			if (target === dialog) dialog.close();
		};
	}
	page.invite.onclick = () => invite(chat.active);
	copy.onclick = copyAddress;
	page.settings.onclick = () => page.choices.showModal();
	setUpSettings();
	setUpNickname(chat);
}

/** @param {Conversation} conversation */
async function invite({ key, isRoom }) {
	const query = isRoom ? `?room=${encodeURIComponent(key)}` : '';
	const text = await invitationText(query);
	address.textContent = text ?? translate('no_network');
	copy.hidden = text === null;
	code.hidden = text === null;
	if (text !== null) code.src = `/invite.svg${query}`;
	copy.textContent = translate('copy');
	page.invitation.showModal();
}

/**
 * Returns the address of this server for others, or null if there is none.
 * @param {string} query
 */
async function invitationText(query) {
	try {
		const response = await fetch(`/invite${query}`);
		return response.ok ? await response.text() : null;
	} catch {
		return null;
	}
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

function setUpSettings() {
	const form = page.choices.querySelector('form');
	if (!form) throw new Error('the settings are missing');
	const theme = field(form, 'theme', HTMLSelectElement);
	const sound = field(form, 'sound', HTMLInputElement);
	const notify = field(form, 'notify', HTMLInputElement);

	theme.value = browser.get('theme', 'auto');
	const applyTheme = () => {
		document.documentElement.style.colorScheme = theme.value.replace('auto', '');
	};
	applyTheme();
	theme.onchange = () => {
		browser.set('theme', theme.value);
		applyTheme();
	};

	sound.checked = browser.get('sound', false);
	sound.onchange = () => browser.set('sound', sound.checked);

	notify.labels?.forEach((label) => (label.hidden = !hasNotifications));
	notify.checked = canNotify();
	notify.onchange = async () => {
		browser.set('notify', notify.checked);
		if (notify.checked) await Notification.requestPermission();
		notify.checked = canNotify();
	};
}

/** @param {Chat} chat */
function setUpNickname(chat) {
	me.onclick = () => {
		showNicknameForm(true);
		nickInput.value = browser.get('nickname', chat.nick);
		nickInput.select();
	};
	keep.onclick = () => showNicknameForm(false);
	renameForm.onkeydown = ({ key, isComposing }) => {
		if (key === 'Escape' && !isComposing) showNicknameForm(false);
	};
	nickInput.oninput = () => nickInput.setCustomValidity('');
	onSubmit(renameForm, async () => {
		const nick = nickInput.value.trim();
		try {
			if (nick !== chat.nick) await chat.rename(nick);
			showNicknameForm(false);
		} catch (error) {
			nickInput.setCustomValidity(error instanceof Error ? error.message : String(error));
			renameForm.reportValidity();
		}
	});
}

/** @param {boolean} isEditing */
function showNicknameForm(isEditing) {
	renameForm.hidden = !isEditing;
	me.hidden = isEditing;
	document.body.classList.toggle('editing', isEditing);
	if (!isEditing) me.focus();
}
