// @ts-check
// One entry of the timeline as an element.

import { formatDay, formatTime, translate } from '../i18n/translate.js';
import { isBlank } from '../model/invisible.js';
import { author } from './colour.js';
import { drawable } from './drawable.js';
import { button, create } from './elements.js';
import { fold } from './fold.js';
import { render } from './render.js';

/** @import { Item, MemberChange, MessageItem } from '../model/items.js' */
/** @import { UnsentMessage } from '../net/send-queue.js' */

/** How long after a message the next one of its author is drawn without a name, in milliseconds. */
const GROUP_MS = 5 * 60_000;
const NAMES_MAX = 5;

/** @typedef {{ retry: (message: UnsentMessage) => void, withdraw: (message: UnsentMessage) => void }} UnsentActions */

/**
 * Draws an item.
 * @param {Item} item
 * @param {Item | undefined} previous the item above
 * @param {string} nick of the user, for mentions
 * @param {boolean} [isFirstUnread]
 */
export function draw(item, previous, nick, isFirstUnread = false) {
	const entry = create('li', item.kind);
	const isNewDay = !previous || formatDay(item.time) !== formatDay(previous.time);
	if (isNewDay) entry.append(create('p', 'day', formatDay(item.time)));
	if (isFirstUnread) entry.append(create('p', 'divider', translate('new_messages')));
	if (item.kind === 'say' || item.kind === 'me') {
		entry.classList.add('message', item.isOwn ? 'own' : 'other');
		if (!isNewDay && continues(item, previous)) entry.classList.add('continues');
		entry.append(...messageNodes(item, nick));
	} else {
		entry.append(create('p', 'notice', noticeOf(item)));
	}
	return entry;
}

/**
 * Draws a message that is not confirmed, with buttons for what the user can do.
 * @param {UnsentMessage} message
 * @param {UnsentActions} actions
 */
export function drawUnsent(message, actions) {
	const { problem } = message;
	/** @type {MessageItem} */
	const item = { ...message, nick: ' ', isOwn: true };
	const entry = draw(item, item, '');
	const state = create('p', 'state', problem ?? translate('sending'));
	if (problem) state.append(' ', button('link', () => actions.retry(message), translate('try_again')));
	state.append(' ', button('link', () => actions.withdraw(message), translate('withdraw')));
	entry.classList.add(problem ? 'failed' : 'pending', 'continues');
	entry.append(state);
	return entry;
}

/**
 * @param {MessageItem} item
 * @param {Item} previous
 */
function continues(item, previous) {
	const isSameAuthor = item.kind === 'say' && previous.kind === 'say' && previous.nick === item.nick;
	return isSameAuthor && item.time - previous.time < GROUP_MS;
}

/**
 * @param {MessageItem} item
 * @param {string} nick of the user
 */
function messageNodes(item, nick) {
	const content = isBlank(item.text) ? create('span', 'soft', translate('empty_text')) : render(item.text, item.isOwn ? '' : nick);
	const body = create('div', 'text', content);
	if (item.kind === 'me') body.prepend(create('bdi', '', ...drawable(item.nick)), ' ');
	body.dir = 'auto';
	return [
		create('div', 'byline', author(item.nick), ' ', create('time', '', formatTime(item.time))),
		create('div', 'bubble', body, ...fold(item, body)),
	];
}

/** @param {Item} item */
function noticeOf(item) {
	switch (item.kind) {
		case 'gap': return translate('gap');
		case 'changes': return summary(item.changes);
		default: return item.text;
	}
}

/**
 * Returns a line such as "ana, bo joined · cy left".
 * @param {MemberChange[]} changes
 */
function summary(changes) {
	const parts = [];
	for (const type of /** @type {const} */ (['joined', 'left'])) {
		const nicks = changes.filter((change) => change.type === type).map(({ nick }) => nick);
		if (nicks.length) parts.push(translate(type, { names: listNames(nicks) }));
	}
	for (const { type, nick, to = '' } of changes) {
		if (type === 'renamed') parts.push(translate('renamed', { from: nick, to }));
	}
	return parts.join(' · ');
}

/** @param {string[]} nicks */
function listNames(nicks) {
	const rest = nicks.length - NAMES_MAX;
	// Isolated, as each may have its own writing direction.
	const names = nicks.slice(0, NAMES_MAX).map((nick) => `\u2068${nick}\u2069`).join(', ');
	return rest > 0 ? `${names}, ${translate('n_more', { n: rest })}` : names;
}
