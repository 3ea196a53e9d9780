// A window of at most 300 entries over a talk. It follows the newest while the
// reader is at the end, and else holds still.

import { page } from './elements.js';
import { draw, drawUnsent } from './entry.js';
import { beforeMatch } from './finder.js';
import { unfoldAt } from './fold.js';
import { say } from './words.js';

const NODES_MAX = 300;
const STEP = 60;
const AT_END_PX = 48;
const NEAR_PX = 600;

const { timeline: scroller, messages, unsent, silence, newer } = page;

/** `act` is told of `retry` and `withdraw`. */
export function setUpTimeline(chat, act) {
	let isFollowing = true;
	// The children of the list are the items from `start` to `end - 1`.
	let start = 0;
	let end = 0;
	let lastTop = 0;
	let frame;

	const isPast = () => chat.active !== chat.active.now;

	/** Shows the talk: what was `found` in it, or its end from the first unread on. */
	function show(found) {
		const { items, divider } = chat.active;
		start = end = 0;
		if (found) return reveal(items.indexOf(found));
		toEnd(divider ? items.indexOf(divider) : Infinity);
		const top = messages.querySelector('.divider')?.offsetTop - AT_END_PX;
		if (!(top < scroller.scrollTop)) return;
		scroller.scrollTop = top;
		isFollowing = false;
	}

	function reveal(index) {
		move(Math.max(0, index - STEP), Math.min(chat.active.items.length, index + STEP));
		isFollowing = false;
		showUnsent();
		const node = messages.children[index - start];
		const match = unfoldAt(node, beforeMatch(chat.active.items[index].text));
		node.tabIndex = -1;
		node.focus();
		node.scrollIntoView({ block: 'center' });
		// A text may be longer than the screen is high.
		const { top, bottom } = scroller.getBoundingClientRect();
		const place = match.getBoundingClientRect();
		if (place.top < top || place.bottom > bottom) scroller.scrollTop += place.top - (top + bottom) / 2;
		scrolled();
	}

	function joined() {
		if (isFollowing) show();
		else scrolled();
	}

	function toEnd(first = Infinity) {
		if (isPast()) return chat.visit(chat.active.key);
		const { length } = chat.active.items;
		if (end < length || !length) move(Math.max(0, length - NODES_MAX, Math.min(first, length - STEP)), length);
		isFollowing = true;
		showUnsent();
		scroller.scrollTop = scroller.scrollHeight;
	}

	/** An item was added at the end, or the last one has changed. */
	function appended(isChange) {
		const { length } = chat.active.items;
		const hasRoom = isFollowing || isChange || messages.children.length < NODES_MAX;
		if (hasRoom && !isPast() && end === (isChange ? length : length - 1)) {
			if (isChange) messages.lastChild.remove();
			messages.append(drawn(length - 1));
			end = length;
			for (; messages.children.length > NODES_MAX; start += 1) messages.firstChild.remove();
		}
		settle();
	}

	/** Items were put behind all others or, so many, before them. */
	function grown(count) {
		start += count;
		end += count;
		scrolled();
	}

	/** A gap at `at` has got `count` items behind it, or given way to them. */
	function filled(at, count, isGone) {
		if (at < start) return grown(count - isGone);
		if (at >= end) return scrolled();
		const { height, top } = scroller.getBoundingClientRect();
		const gap = messages.children[at - start];
		const isAbove = gap.getBoundingClientRect().top < top + height / 2;
		const first = isGone ? at : at + 1;
		// What is below is read by those who came from there.
		const below = gap.nextSibling;
		const held = isAbove ? below : gap.previousSibling;
		const place = (node) => node?.lastChild.getBoundingClientRect().top;
		const before = place(held);
		scroller.ariaLive = 'off';
		gap.after(...Array.from({ length: count }, (_, index) => drawn(first + index)));
		if (isGone) gap.remove();
		end += count - isGone;
		const behind = below && drawn(first + count);
		below?.replaceWith(behind);
		scroller.scrollTop += place(isAbove ? behind : held) - before || 0;
		const to = isFollowing || !isAbove ? end : Math.min(end, first + count + NODES_MAX / 2);
		const from = isAbove ? Math.max(start, to - NODES_MAX) : start;
		move(from, Math.min(to, from + NODES_MAX));
		scrolled();
	}

	/** Asks for what is missing where a gap is in sight. */
	function fillGap() {
		const { items } = chat.active;
		const { top, bottom } = scroller.getBoundingClientRect();
		const isNear = (item) => {
			const place = messages.children[items.indexOf(item) - start].getBoundingClientRect();
			return place.bottom > top - NEAR_PX && place.top < bottom + NEAR_PX;
		};
		const gap = items.slice(start, end).findLast((item) => item.kind === 'gap' && item.hasMore && isNear(item));
		if (gap) chat.fill(gap);
	}

	function showUnsent() {
		const ours = chat.session.unsent.filter((entry) => entry.key === chat.active.key);
		unsent.replaceChildren(...ours.map((entry) => drawUnsent(entry, act)));
		settle();
	}

	function drawn(index) {
		const { nick, active } = chat;
		const item = active.items[index];
		const isDivided = item === active.divider;
		if (isDivided) messages.querySelector('.divider')?.remove();
		return draw(item, active.items[index - 1], nick, isDivided);
	}

	// Nothing that is being read moves, and nothing old is read out.
	function move(from, to) {
		const range = (low, high) => chat.active.items.slice(low, high).map((_, index) => drawn(low + index));
		const first = Math.max(from, start);
		const last = Math.max(first, Math.min(to, end));
		const kept = [...messages.children].slice(first - start, last - start);
		const top = () => kept[0]?.lastChild.getBoundingClientRect().top;
		const before = top();
		scroller.ariaLive = 'off';
		// What is above an entry decides on its head.
		if (kept.length && from < first) kept[0] = drawn(first);
		const { activeElement } = document;
		messages.replaceChildren(...range(from, first), ...kept, ...range(last, to));
		activeElement.focus({ preventScroll: true });
		[start, end] = [from, to];
		scroller.scrollTop += top() - before || 0;
		setTimeout(() => (scroller.ariaLive = 'polite'), 200);
	}

	function scrolled() {
		const { scrollHeight, scrollTop, clientHeight } = scroller;
		const { items: { length }, hasMore } = chat.active;
		const below = scrollHeight - scrollTop - clientHeight;
		// What grows below is no reason to let go: the reader's scrolling up is.
		const isHeld = isFollowing && scrollTop >= lastTop;
		isFollowing = !isPast() && end === length && (isHeld || below < AT_END_PX);
		lastTop = scrollTop;
		if (scrollTop < NEAR_PX && start) {
			move(Math.max(0, start - STEP), Math.min(end, start - STEP + NODES_MAX));
		} else if (below < NEAR_PX && end < length) {
			move(Math.max(start, end + STEP - NODES_MAX), Math.min(length, end + STEP));
		} else if (scrollTop < NEAR_PX && hasMore) {
			chat.read(true);
		} else if (below < NEAR_PX && isPast()) {
			chat.read(false);
		}
		settle();
		if (isFollowing) chat.seen();
	}

	function settle() {
		const { items, now } = chat.active;
		silence.hidden = items.length + unsent.children.length > 0;
		newer.hidden = isFollowing;
		newer.textContent = now.unread ? say('n_new', { n: now.unread }) : say('newest');
		// Once for all that comes before the next frame.
		frame ??= requestAnimationFrame(() => {
			frame = null;
			if (isFollowing) scroller.scrollTop = scroller.scrollHeight;
			fillGap();
		});
	}

	scroller.onscroll = scrolled;
	// A text that was unfolded at the end is read from there on.
	scroller.addEventListener('fold', () => {
		isFollowing = false;
		scrolled();
	});
	newer.onclick = () => toEnd();
	// A keyboard, a growing input or a turned screen change our height.
	new ResizeObserver(settle).observe(scroller);
	return { show, joined, toEnd, appended, grown, filled, showUnsent, isFollowing: () => isFollowing };
}
