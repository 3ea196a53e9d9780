// @ts-check
// The timeline. It follows the newest message if the reader is at its end.

import { translate } from '../i18n/translate.js';
import { page } from './elements.js';
import { drawUnsent, unfoldAt } from './entry.js';
import { ENTRIES_MAX, EntryWindow } from './entry-window.js';
import { offsetOfMatch } from './finder.js';

/** @import { Item, ItemsEvent } from '../model/types' */
/** @import { Chat } from '../model/chat.js' */
/** @import { UnsentActions } from './types' */

/** How many entries are drawn at a time. */
const STEP = 60;
/** How far from the end the reader still follows, in pixels. */
const AT_END_PX = 48;
/** How far from an edge more is drawn or requested, in pixels. */
const NEAR_PX = 600;

const { timeline: scroller, messages, unsent, silence, newer } = page;

/**
 * @param {Chat} chat
 * @param {UnsentActions} actions
 */
export function setUpTimeline(chat, actions) {
	const entries = new EntryWindow(chat);
	let isFollowing = true;
	let lastTop = 0;
	/** @type {number | null} */
	let frame = null;

	/**
	 * Shows an item that was found, or the first unread message.
	 * @param {Item} [found]
	 */
	function show(found) {
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
		const match = unfoldAt(entry, offsetOfMatch(items[index].text ?? '', page.query.value));
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
		scrollBackToDivider();
		reportAttention();
	}

	function scrollBackToDivider() {
		/** @type {HTMLElement | null} */
		const divider = messages.querySelector('.divider');
		const top = divider && divider.offsetTop - AT_END_PX;
		if (top === null || top >= scroller.scrollTop) return;
		scroller.scrollTop = top;
		isFollowing = false;
	}

	/** @param {ItemsEvent} event */
	function update(event) {
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

	function toEnd() {
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
		const start = Math.max(0, length - ENTRIES_MAX, Math.min(first, length - STEP));
		if (entries.end < length || !length) entries.moveTo(start, length);
		isFollowing = true;
		showUnsent();
		scroller.scrollTop = scroller.scrollHeight;
	}

	/** @param {boolean} isChange */
	function appended(isChange) {
		const hasSpace = isFollowing || isChange || messages.children.length < ENTRIES_MAX;
		if (hasSpace && !chat.past) entries.drawLast(isChange);
		settle();
	}

	function showUnsent() {
		const own = chat.session.queue.messages.filter(({ key }) => key === chat.active.key);
		unsent.replaceChildren(...own.map((message) => drawUnsent(message, actions)));
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

	/**
	 * @param {boolean} isNearTop
	 * @param {boolean} isNearEnd
	 */
	function extend(isNearTop, isNearEnd) {
		const { start, end } = entries;
		const { items: { length }, hasMore } = chat.shown;
		if (isNearTop && start) {
			entries.moveTo(Math.max(0, start - STEP), Math.min(end, start - STEP + ENTRIES_MAX));
		} else if (isNearEnd && end < length) {
			entries.moveTo(Math.max(start, end + STEP - ENTRIES_MAX), Math.min(length, end + STEP));
		} else if (isNearTop && hasMore) {
			chat.history.loadOlder();
		} else if (isNearEnd && chat.past) {
			chat.history.loadNewer();
		}
	}

	function settle() {
		const { unread } = chat.active;
		silence.hidden = chat.shown.items.length + unsent.children.length > 0;
		newer.hidden = isFollowing;
		newer.textContent = unread ? translate('n_new_messages', { n: unread }) : translate('jump_to_latest');
		// Once for all changes before the next frame.
		frame ??= requestAnimationFrame(() => {
			frame = null;
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
		if (gap) chat.history.fillGap(gap);
	}

	function reportAttention() {
		chat.setAttention({ isAtEnd: isFollowing });
	}

	scroller.onscroll = scrolled;
	// A text that was unfolded at the end is read from its beginning.
	scroller.addEventListener('fold', () => {
		isFollowing = false;
		scrolled();
	});
	newer.onclick = toEnd;
	// A keyboard, a growing input or a turned screen change the height.
	new ResizeObserver(settle).observe(scroller);
	return { show, update, toEnd, showUnsent };
}
