// The timeline. It follows the newest message if the reader is at its end.

import { translate } from '../i18n/texts.js';
import { chat } from '../model/chat.js';
import { giveBack } from './composer.js';
import { page } from './elements.js';
import * as entries from './entries.js';
import { offsetOfMatch } from './side.js';

const STEP = 60;
/** How far from the end the reader still follows. */
const AT_END_PX = 48;
/** How far from an edge more is drawn or requested. */
const NEAR_PX = 600;

const { timeline: scroller, messages, unsent, silence, newer } = page;

let isFollowing = true;
let lastTop = 0;
let frame = 0;

/** @param {Item} [found] or the first unread message */
export function show(found) {
	entries.reset();
	if (found) showFound(chat.shown.items.indexOf(found));
	else showEnd();
}

/** @param {number} index */
function showFound(index) {
	const { items } = chat.shown;
	entries.moveTo(Math.max(0, index - STEP), Math.min(items.length, index + STEP));
	isFollowing = false;
	showUnsent();
	const entry = entries.entryAt(index);
	const match = entries.unfoldAt(entry, offsetOfMatch(items[index].text ?? ''));
	entry.tabIndex = -1;
	entry.focus();
	entry.scrollIntoView({ block: 'center' });
	// A text may be longer than the screen is high.
	const { top, bottom } = scroller.getBoundingClientRect();
	const place = match.getBoundingClientRect();
	if (place.top < top || place.bottom > bottom) scroller.scrollTop += place.top - (top + bottom) / 2;
	scrolled();
}

function showEnd() {
	const { items, divider } = chat.active;
	follow(divider ? items.indexOf(divider) : Infinity);
	/** @type {HTMLElement | null} */
	const line = messages.querySelector('.divider');
	const top = line ? line.offsetTop - AT_END_PX : Infinity;
	if (top < scroller.scrollTop) {
		scroller.scrollTop = top;
		isFollowing = false;
	}
	reportAttention();
}

/** @param {ItemsEvent} event */
export function update(event) {
	switch (event.type) {
		case 'joined':
			if (event.conversation !== chat.active) return;
			if (isFollowing) show();
			else scrolled();
			return;
		case 'appended':
			if (event.conversation === chat.active) appended(event.isChange);
			return;
		case 'extended':
			entries.shift(event.olderCount);
			scrolled();
			return;
		case 'filled':
			entries.fillGap(event.change, isFollowing);
			scrolled();
	}
}

export function toEnd() {
	follow();
	reportAttention();
}

/** @param {number} [first] item to draw */
function follow(first = Infinity) {
	if (chat.past) {
		chat.visit(chat.active.key);
		return;
	}
	const { length } = chat.active.items;
	if (entries.end < length || !length) {
		entries.moveTo(Math.max(0, length - entries.ENTRIES_MAX, Math.min(first, length - STEP)), length);
	}
	isFollowing = true;
	showUnsent();
	scroller.scrollTop = scroller.scrollHeight;
}

/** @param {boolean} isChange */
function appended(isChange) {
	const hasSpace = isFollowing || isChange || messages.children.length < entries.ENTRIES_MAX;
	if (hasSpace && !chat.past) entries.drawLast(isChange);
	settle();
}

export function showUnsent() {
	const own = chat.session.queue.messages.filter(({ key }) => key === chat.active.key);
	unsent.replaceChildren(...own.map((message) => entries.drawUnsent(message, () => {
		chat.session.queue.remove(message);
		giveBack(message.text);
	})));
	settle();
}

function scrolled() {
	const { scrollHeight, scrollTop, clientHeight } = scroller;
	const below = scrollHeight - scrollTop - clientHeight;
	// Only the reader's scrolling up ends the following, not an entry that grows.
	const isHeld = isFollowing && scrollTop >= lastTop;
	isFollowing = !chat.past && entries.end === chat.shown.items.length && (isHeld || below < AT_END_PX);
	lastTop = scrollTop;
	extend(scrollTop < NEAR_PX, below < NEAR_PX);
	settle();
	reportAttention();
}

/** @param {boolean} isNearTop @param {boolean} isNearEnd */
function extend(isNearTop, isNearEnd) {
	const { start, end, ENTRIES_MAX, moveTo } = entries;
	const { items: { length }, hasMore } = chat.shown;
	if (isNearTop && start) moveTo(Math.max(0, start - STEP), Math.min(end, start - STEP + ENTRIES_MAX));
	else if (isNearEnd && end < length) moveTo(Math.max(start, end + STEP - ENTRIES_MAX), Math.min(length, end + STEP));
	else if (isNearTop && hasMore) chat.rooms.loadOlder();
	else if (isNearEnd && chat.past) chat.rooms.loadNewer();
}

function settle() {
	const { unread } = chat.active;
	silence.hidden = chat.shown.items.length + unsent.children.length > 0;
	newer.hidden = isFollowing;
	newer.textContent = unread ? translate('n_new_messages', { n: unread }) : translate('jump_to_latest');
	// Once for all changes before the next frame.
	frame ||= requestAnimationFrame(() => {
		frame = 0;
		if (isFollowing) scroller.scrollTop = scroller.scrollHeight;
		fillGapInSight();
	});
}

function fillGapInSight() {
	const { items } = chat.shown;
	const { top, bottom } = scroller.getBoundingClientRect();
	/** @param {Item} item */
	const isNear = (item) => {
		const place = entries.entryAt(items.indexOf(item)).getBoundingClientRect();
		return place.bottom > top - NEAR_PX && place.top < bottom + NEAR_PX;
	};
	const gaps = items.slice(entries.start, entries.end).filter((item) => item.kind === 'gap');
	const gap = gaps.findLast((item) => item.hasMore && isNear(item));
	if (gap) chat.rooms.fillGap(gap);
}

const reportAttention = () => chat.setAttention({ isAtEnd: isFollowing });

scroller.onscroll = scrolled;
// A text that was unfolded at the end is read from its beginning.
scroller.addEventListener('fold', () => {
	isFollowing = false;
	scrolled();
});
newer.onclick = toEnd;
// A keyboard, a growing input or a turned screen change the height.
new ResizeObserver(settle).observe(scroller);
