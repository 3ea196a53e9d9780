// @ts-check
// The status line: whether the page is connected, and why not.

import { translate } from '../i18n/translate.js';
import { page } from './elements.js';

/** @import { Status } from '../model/events.js' */

/** How long the connection must be lost before a banner tells so, in milliseconds. */
const BANNER_DELAY_MS = 1_000;

/** @type {number | undefined} */
let banner;
/** Why the server does not let the page in, as far as it has said. */
let refusal = '';

/**
 * Shows a change of the connection.
 * @param {Status} status
 * @param {string} [reason] with `refused`
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
