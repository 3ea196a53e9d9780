// @ts-check
// A window over the items that are shown: only these are drawn. The messages in
// sight do not move when the window does.

import { page } from './elements.js';
import { draw } from './entry.js';

/** @import { GapChange } from '../model/types' */
/** @import { Chat } from '../model/chat.js' */

/** Maximum number of entries. */
export const ENTRIES_MAX = 300;
/** How long screen readers ignore moved entries, in milliseconds. */
const SILENT_MS = 200;

const { timeline: scroller, messages } = page;

export class EntryWindow {
	/** The items from `start` to `end - 1` are drawn. */
	start = 0;
	end = 0;
	#chat;

	/** @param {Chat} chat */
	constructor(chat) {
		this.#chat = chat;
	}

	reset() {
		this.start = 0;
		this.end = 0;
	}

	/** @param {number} index of the item */
	entryAt(index) {
		return /** @type {HTMLElement} */ (messages.children[index - this.start]);
	}

	/**
	 * Draws the items from `start` to `end - 1`.
	 * @param {number} start
	 * @param {number} end
	 */
	moveTo(start, end) {
		const keptStart = Math.max(start, this.start);
		const keptEnd = Math.max(keptStart, Math.min(end, this.end));
		const kept = [...messages.children].slice(keptStart - this.start, keptEnd - this.start);
		const before = topOf(kept[0]);
		scroller.ariaLive = 'off';
		// The head of an entry depends on the one above.
		if (kept.length && start < keptStart) kept[0] = this.#draw(keptStart);
		const { activeElement } = document;
		messages.replaceChildren(...this.#drawRange(start, keptStart), ...kept, ...this.#drawRange(keptEnd, end));
		if (activeElement instanceof HTMLElement) activeElement.focus({ preventScroll: true });
		this.start = start;
		this.end = end;
		scrollBy(before, topOf(kept[0]));
		setTimeout(() => (scroller.ariaLive = 'polite'), SILENT_MS);
	}

	/**
	 * Draws the last item, if the one before it is drawn.
	 * @param {boolean} isChange whether it was drawn before
	 */
	drawLast(isChange) {
		const { length } = this.#chat.shown.items;
		if (this.end !== (isChange ? length : length - 1)) return;
		if (isChange) messages.lastChild?.remove();
		messages.append(this.#draw(length - 1));
		this.end = length;
		for (; messages.children.length > ENTRIES_MAX; this.start += 1) messages.firstChild?.remove();
	}

	/** Follows the drawn items when others were added above. @param {number} count */
	shift(count) {
		this.start += count;
		this.end += count;
	}

	/**
	 * Draws items that were added in a gap. The entry below stays in place, or the
	 * entry above if the gap is in the lower half of the screen.
	 * @param {GapChange} change
	 * @param {boolean} keepsEnd whether the last entry stays in the window
	 */
	fillGap({ at, added, isClosed }, keepsEnd) {
		const growth = added.length - Number(isClosed);
		if (at < this.start) return this.shift(growth);
		if (at >= this.end) return;
		const gap = this.entryAt(at);
		const isAbove = isInUpperHalf(gap);
		const first = isClosed ? at : at + 1;
		const below = gap.nextElementSibling;
		const above = gap.previousElementSibling;
		const before = topOf(isAbove ? below : above);
		scroller.ariaLive = 'off';
		gap.after(...this.#drawRange(first, first + added.length));
		if (isClosed) gap.remove();
		this.end += growth;
		const newBelow = below && this.#draw(first + added.length);
		if (newBelow) below.replaceWith(newBelow);
		scrollBy(before, topOf(isAbove ? newBelow : above));
		this.#shrink(isAbove, keepsEnd ? this.end : first + added.length + ENTRIES_MAX / 2);
	}

	/**
	 * Removes entries beyond the maximum.
	 * @param {boolean} isAtStart whether from the start of the window, rather than from its end
	 * @param {number} endMax maximum of `end` then
	 */
	#shrink(isAtStart, endMax) {
		const end = isAtStart ? Math.min(this.end, endMax) : this.end;
		const start = isAtStart ? Math.max(this.start, end - ENTRIES_MAX) : this.start;
		this.moveTo(start, Math.min(end, start + ENTRIES_MAX));
	}

	/** @param {number} index */
	#draw(index) {
		const { nick, active, shown: { items } } = this.#chat;
		const isFirstUnread = items[index] === active.divider;
		if (isFirstUnread) messages.querySelector('.divider')?.remove();
		return draw(items[index], items[index - 1], nick, isFirstUnread);
	}

	/**
	 * @param {number} start
	 * @param {number} end
	 */
	#drawRange(start, end) {
		return Array.from({ length: Math.max(0, end - start) }, (_, index) => this.#draw(start + index));
	}
}

/** @param {Element} entry */
function isInUpperHalf(entry) {
	const { height, top } = scroller.getBoundingClientRect();
	return entry.getBoundingClientRect().top < top + height / 2;
}

/**
 * Returns the top of the message, below the head of its entry.
 * @param {Element | null | undefined} entry
 */
const topOf = (entry) => entry?.lastElementChild?.getBoundingClientRect().top;

/**
 * @param {number | undefined} before
 * @param {number | undefined} after
 */
function scrollBy(before, after) {
	if (before !== undefined && after !== undefined) scroller.scrollTop += after - before;
}
