// The entries of the timeline. Only a part of the items is drawn, and long texts are folded.

import { formatDay, formatTime, translate } from '../i18n/texts.js';
import { chat } from '../model/chat.js';
import { isBlank } from '../model/markup.js';
import { author, button, create, drawable, page, render } from './elements.js';

export const ENTRIES_MAX = 300;
/** How long screen readers ignore moved entries. */
const SILENT_MS = 200;
/** Messages of an author within this time are drawn as a group. */
const GROUP_MS = 5 * 60_000;
const NAMES_MAX = 5;
/** The style sheet has it, too. */
const LINES_MAX = 40;
/** Shorter texts have fewer lines on any screen. */
const SHORT_MAX = 400;
/** Characters that a line feed counts for. */
const LINE_FEED = 10;

const { timeline: scroller, messages } = page;

/** The items from `start` to `end - 1` are drawn. */
export let start = 0;
export let end = 0;

/** @param {number} index of the item */
export const entryAt = (index) => /** @type {HTMLElement} */ (messages.children[index - start]);

export function reset() {
	start = end = 0;
}

/** The messages in sight do not move. @param {number} newStart @param {number} newEnd */
export function moveTo(newStart, newEnd) {
	const keptStart = Math.max(newStart, start);
	const keptEnd = Math.max(keptStart, Math.min(newEnd, end));
	const kept = [...messages.children].slice(keptStart - start, keptEnd - start);
	const before = topOf(kept[0]);
	scroller.ariaLive = 'off';
	// The head of an entry depends on the one above.
	if (kept.length && newStart < keptStart) kept[0] = drawItem(keptStart);
	const { activeElement } = document;
	messages.replaceChildren(...drawItems(newStart, keptStart), ...kept, ...drawItems(keptEnd, newEnd));
	if (activeElement instanceof HTMLElement) activeElement.focus({ preventScroll: true });
	start = newStart;
	end = newEnd;
	scrollBy(before, topOf(kept[0]));
	setTimeout(() => (scroller.ariaLive = 'polite'), SILENT_MS);
}

/** @param {boolean} isChange whether the last item was drawn before */
export function drawLast(isChange) {
	const { length } = chat.shown.items;
	if (end !== (isChange ? length : length - 1)) return;
	if (isChange) messages.lastChild?.remove();
	messages.append(drawItem(length - 1));
	end = length;
	for (; messages.children.length > ENTRIES_MAX; start += 1) messages.firstChild?.remove();
}

/** Items were added above. @param {number} count */
export function shift(count) {
	start += count;
	end += count;
}

/**
 * The entry below stays in place, or that above if the gap is in the lower half of the screen.
 * @param {GapChange} change @param {boolean} keepsEnd whether the last entry stays
 */
export function fillGap({ at, added, isClosed }, keepsEnd) {
	const growth = added.length - Number(isClosed);
	if (at < start) return shift(growth);
	if (at >= end) return;
	const gap = entryAt(at);
	const { height, top } = scroller.getBoundingClientRect();
	const isAbove = gap.getBoundingClientRect().top < top + height / 2;
	const first = isClosed ? at : at + 1;
	const next = first + added.length;
	const below = gap.nextElementSibling;
	const above = gap.previousElementSibling;
	const before = topOf(isAbove ? below : above);
	scroller.ariaLive = 'off';
	gap.after(...drawItems(first, next));
	if (isClosed) gap.remove();
	end += growth;
	const newBelow = below && drawItem(next);
	if (newBelow) below.replaceWith(newBelow);
	scrollBy(before, topOf(isAbove ? newBelow : above));
	// Entries beyond the maximum are removed on the other side.
	const newEnd = isAbove && !keepsEnd ? Math.min(end, next + ENTRIES_MAX / 2) : end;
	const newStart = isAbove ? Math.max(start, newEnd - ENTRIES_MAX) : start;
	moveTo(newStart, Math.min(newEnd, newStart + ENTRIES_MAX));
}

/** @param {number} index */
function drawItem(index) {
	const { nick, active, shown: { items } } = chat;
	const isFirstUnread = items[index] === active.divider;
	if (isFirstUnread) messages.querySelector('.divider')?.remove();
	return draw(items[index], items[index - 1], nick, isFirstUnread);
}

/** @param {number} from @param {number} to */
const drawItems = (from, to) => Array.from({ length: Math.max(0, to - from) }, (_, index) => drawItem(from + index));

/** Returns the top of the message, below the head of its entry. @param {Element | null} [entry] */
const topOf = (entry) => entry?.lastElementChild?.getBoundingClientRect().top;

/** @param {number} [before] @param {number} [after] */
function scrollBy(before, after) {
	if (before !== undefined && after !== undefined) scroller.scrollTop += after - before;
}

/** @param {Item} item @param {Item | undefined} previous @param {string} nick of the user @param {boolean} [isFirstUnread] */
export function draw(item, previous, nick, isFirstUnread) {
	const entry = create('li', item.kind);
	const isNewDay = !previous || formatDay(item.time) !== formatDay(previous.time);
	if (isNewDay) entry.append(create('p', 'day', formatDay(item.time)));
	if (isFirstUnread) entry.append(create('p', 'divider', translate('new_messages')));
	if (item.kind === 'say' || item.kind === 'me') {
		entry.classList.add('message', item.isOwn ? 'own' : 'other');
		const isSameAuthor = item.kind === 'say' && previous?.kind === 'say' && previous.nick === item.nick;
		if (!isNewDay && isSameAuthor && item.time - previous.time < GROUP_MS) entry.classList.add('continues');
		entry.append(...messageNodes(item, nick));
	} else {
		const text = item.kind === 'gap' ? translate('gap') : item.kind === 'changes' ? summary(item.changes) : item.text;
		entry.append(create('p', 'notice', text));
	}
	return entry;
}

/** @param {UnsentMessage} message @param {() => void} withdraw */
export function drawUnsent(message, withdraw) {
	const { problem } = message;
	/** @type {MessageItem} */
	const item = { ...message, nick: ' ', isOwn: true };
	const entry = draw(item, item, '');
	const state = create('p', 'state', problem ?? translate('sending'));
	if (problem) state.append(' ', button('link', () => chat.retry(message), translate('try_again')));
	state.append(' ', button('link', withdraw, translate('withdraw')));
	entry.classList.add(problem ? 'failed' : 'pending', 'continues');
	entry.append(state);
	return entry;
}

/** @param {MessageItem} item @param {string} nick of the user */
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

/** @param {MemberChange[]} changes */
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
	for (const { target: body } of entries) {
		// The button lies over the last lines: nothing moves when it appears.
		const lineHeight = parseFloat(getComputedStyle(body).lineHeight);
		const toggle = /** @type {HTMLElement} */ (body.nextSibling);
		toggle.hidden = body.scrollHeight <= LINES_MAX * lineHeight + 1;
	}
});

/** @param {MessageItem} item @param {HTMLElement} body */
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
		if (!isUnfolded) scroller.scrollTop += toggle.getBoundingClientRect().top - before;
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

/** Returns the range of the character at `offset`. @param {HTMLElement} entry @param {number} offset */
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
