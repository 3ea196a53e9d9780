// @ts-check
// An entry of the timeline as an element. Long texts are folded.

import { formatDay, formatTime, translate } from '../i18n/translate.js';
import { isBlank } from '../model/characters.js';
import { button, create, page } from './elements.js';
import { author, drawable, render } from './render.js';

/** @import { UnsentMessage } from '../net/types' */
/** @import { Item, MemberChange, MessageItem } from '../model/types' */
/** @import { UnsentActions } from './types' */

/** Messages of an author within this time are drawn as a group. */
const GROUP_MS = 5 * 60_000;
const NAMES_MAX = 5;
/** Maximum height of a folded text. The style sheet has it, too. */
const LINES_MAX = 40;
/** Shorter texts have fewer lines on any screen. */
const SHORT_MAX = 400;
/** How many characters a line feed counts for. */
const LINE_FEED = 10;

/**
 * @param {Item} item
 * @param {Item | undefined} previous
 * @param {string} nick of the user
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

/** Items that stay unfolded when they are drawn again. @type {WeakSet<MessageItem>} */
const unfolded = new WeakSet();

const resizeObserver = new ResizeObserver((entries) => {
	for (const { target } of entries) hideToggleIfShort(/** @type {HTMLElement} */ (target));
});

/**
 * Folds the text of an item. Returns a button for long texts.
 * @param {MessageItem} item
 * @param {HTMLElement} body
 * @returns {HTMLElement[]}
 */
function fold(item, body) {
	if (item.text.length + LINE_FEED * item.text.split('\n').length < SHORT_MAX) return [];
	const toggle = button('unfold', () => setUnfolded(!unfolded.has(item)));

	/** @param {boolean} isUnfolded */
	function setUnfolded(isUnfolded) {
		const before = toggle.getBoundingClientRect().top;
		if (isUnfolded) unfolded.add(item);
		else unfolded.delete(item);
		show();
		// The button of a folded text stays in place.
		if (!isUnfolded) page.timeline.scrollTop += toggle.getBoundingClientRect().top - before;
		body.dispatchEvent(new Event('fold', { bubbles: true }));
	}

	function show() {
		const isUnfolded = unfolded.has(item);
		body.classList.toggle('folded', !isUnfolded);
		toggle.ariaExpanded = String(isUnfolded);
		toggle.textContent = translate(isUnfolded ? 'show_less' : 'show_all');
	}

	show();
	toggle.hidden = true;
	// The browser scrolls to a focused link, and to matches of its own search.
	body.onscroll = () => {
		setUnfolded(true);
		const { activeElement } = document;
		if (body.contains(activeElement)) activeElement?.scrollIntoView({ block: 'nearest' });
	};
	resizeObserver.observe(body);
	return [toggle];
}

/**
 * Unfolds a text. Returns the range of its character at `offset`.
 * @param {HTMLElement} entry
 * @param {number} offset
 */
export function unfoldAt(entry, offset) {
	/** @type {HTMLElement | null} */ (entry.querySelector('.unfold[aria-expanded=false]'))?.click();
	const range = new Range();
	range.selectNode(entry);
	const walker = document.createTreeWalker(entry.querySelector('.text') ?? entry, NodeFilter.SHOW_TEXT);
	let rest = offset;
	while (walker.nextNode()) {
		const node = /** @type {Text} */ (walker.currentNode);
		if (rest < node.length) {
			range.setStart(node, rest);
			range.setEnd(node, rest + 1);
			return range;
		}
		rest -= node.length;
	}
	return range;
}

/**
 * The button lies over the last lines: nothing moves when it appears.
 * @param {HTMLElement} body
 */
function hideToggleIfShort(body) {
	const lineHeight = parseFloat(getComputedStyle(body).lineHeight);
	const toggle = /** @type {HTMLElement} */ (body.nextSibling);
	toggle.hidden = body.scrollHeight <= LINES_MAX * lineHeight + 1;
}
