// Starts the page: shows the changes of the chat in the parts of the view.

import { translatePage } from './i18n/texts.js';
import { chat } from './model/chat.js';
import { LOBBY } from './model/rooms.js';
import { RequestError } from './net/connection.js';
import { focusInput, showDraft, showError } from './view/composer.js';
import { page } from './view/elements.js';
import { notify, setStatus, showStatus, showTitle, showUnread } from './view/header.js';
import { drawSide, find, join, updateSearch } from './view/side.js';
import * as timeline from './view/timeline.js';

let listTimer = 0;

/** @param {ChatEvent} event */
function show(event) {
	switch (event.type) {
		case 'status':
			showStatus(event.status, event.reason ?? '');
			if (event.status === 'connected') updateSearch();
			return;
		case 'renamed':
			showTitle();
			showListsSoon();
			return;
		case 'shown':
			showTitle();
			timeline.show(event.found);
			showDraft();
			return;
		case 'mentioned': return notify(event.conversation, event.item);
		case 'queue': return timeline.showUnsent();
		case 'failed': return showError(event.error);
		case 'search': return find(event.query);
		case 'list': return showListsSoon();
		default:
			timeline.update(event);
			showListsSoon();
	}
}

/** Once for all changes of the moment. */
function showListsSoon() {
	listTimer ||= setTimeout(() => {
		listTimer = 0;
		drawSide();
		showUnread();
	});
}

function joinFromAddress() {
	try {
		join(decodeURIComponent(location.hash));
	} catch {
		join(LOBBY); // A malformed escape.
	}
}

const reportVisibility = () => chat.setAttention({ isVisible: !document.hidden });

translatePage();
setStatus('connecting');
chat.notify = show;
page.composer.addEventListener('sent', timeline.toEnd);
// The keyboard of a phone covers a part of the page.
visualViewport?.addEventListener('resize', () => {
	document.body.style.setProperty('--height', `${visualViewport?.height}px`);
});
document.onvisibilitychange = reportVisibility;
onhashchange = joinFromAddress;
onunhandledrejection = (event) => {
	// The page repeats its own requests when needed.
	if (event.reason instanceof RequestError) event.preventDefault();
};
reportVisibility();
joinFromAddress();
chat.session.connection.open();
focusInput();
