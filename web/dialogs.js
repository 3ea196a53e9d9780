// What opens over the page: the invitation and the settings.

import { mayNotify } from './attention.js';
import { find } from './elements.js';
import { browser } from './storage.js';
import { say } from './words.js';

const [address, copy, code] = ['#address', '#copy', '#code'].map(find);

export function setUpDialogs(chat) {
	for (const dialog of document.querySelectorAll('dialog')) {
		// A click beside it closes it. (A handler must not return false.)
		dialog.onclick = ({ target }) => void (target === dialog && dialog.close());
	}
	find('#invite').onclick = () => invite(chat.active);
	copy.onclick = copyAddress;
	find('#settings').onclick = () => find('#choices').showModal();
	const { theme, sound, notify } = find('#choices form').elements;
	theme.onchange = () => {
		browser.set('theme', theme.value);
		document.documentElement.dataset.theme = theme.value;
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
	find('#invitation').showModal();
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
