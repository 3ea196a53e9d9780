// The invitation and the settings, which open over the page, and our nickname.

import { mayNotify } from './attention.js';
import { onSubmit, page } from './elements.js';
import { browser } from './storage.js';
import { say } from './words.js';

const { address, code, copy, me, rename: form, wish: input, keep } = page;

export function setUpDialogs(chat) {
	for (const dialog of document.querySelectorAll('dialog')) {
		// A click beside it closes it. (A handler must not return false.)
		dialog.onclick = ({ target }) => void (target === dialog && dialog.close());
	}
	setUpNickname(chat);
	page.invite.onclick = () => invite(chat.active);
	copy.onclick = copyAddress;
	page.settings.onclick = () => page.choices.showModal();
	const { theme, sound, notify } = page.choices.querySelector('form').elements;
	theme.onchange = () => {
		browser.set('theme', theme.value);
		document.documentElement.style.colorScheme = theme.value.replace('auto', '');
	};
	theme.value = browser.get('theme', 'auto');
	theme.onchange();
	sound.checked = browser.get('sound');
	sound.onchange = () => browser.set('sound', sound.checked);
	notify.parentNode.hidden = !isSecureContext || !window.Notification;
	notify.checked = mayNotify();
	notify.onchange = async () => {
		browser.set('notify', notify.checked);
		if (notify.checked) await Notification.requestPermission();
		notify.checked = mayNotify();
	};
}

async function invite({ key, isRoom }) {
	const query = isRoom ? `?room=${encodeURIComponent(key)}` : '';
	const answer = await fetch(`/invite${query}`).catch(() => ({}));
	address.textContent = answer.ok ? await answer.text() : say('no_network');
	copy.hidden = code.hidden = !answer.ok;
	if (answer.ok) code.src = `/invite.svg${query}`;
	copy.textContent = say('copy');
	page.invitation.showModal();
}

async function copyAddress() {
	try {
		await navigator.clipboard.writeText(address.textContent);
	} catch {
		// A page that came over plain http may only do this.
		getSelection().selectAllChildren(address);
		document.execCommand('copy');
	}
	copy.textContent = say('copied');
}

function setUpNickname(chat) {
	me.onclick = () => {
		edit(true);
		input.value = browser.get('nickname') ?? chat.nick;
		input.select();
	};
	keep.onclick = () => edit(false);
	form.onkeydown = ({ key, isComposing }) => void (key === 'Escape' && !isComposing && edit(false));
	input.oninput = () => input.setCustomValidity('');
	onSubmit(form, async () => {
		const wish = input.value.trim();
		try {
			if (wish !== chat.nick) await chat.rename(wish);
			edit(false);
		} catch ({ message }) {
			input.setCustomValidity(message);
			form.reportValidity();
		}
	});
}

function edit(isEditing) {
	form.hidden = !isEditing;
	me.hidden = isEditing;
	document.body.classList.toggle('editing', isEditing);
	if (!isEditing) me.focus();
}
