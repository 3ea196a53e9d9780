// A window of at most 300 entries over a talk. It follows the newest while the
// reader is at the end, and else holds still.

import { find } from './elements.js';
import { draw, drawUnsent } from './entry.js';
import { say } from './words.js';

const NODES_MAX = 300;
const STEP = 60;
const AT_END_PX = 48;
const NEAR_PX = 600;

const [scroller, messages, unsent, silence, newer] = ['#timeline', '#messages', '#unsent', '#silence', '#newer'].map(find);

export class Timeline {
	isFollowing = true;
	#chat;
	#act;
	#items = [];
	// The children of the list are items[from] to items[to - 1].
	#from = 0;
	#to = 0;
	#top = 0;
	#missed = 0;
	#frame;

	/** `act` is told of `retry` and `withdraw`. */
	constructor(chat, act) {
		this.#chat = chat;
		this.#act = act;
		scroller.onscroll = () => this.#scrolled();
		newer.onclick = () => this.toEnd();
		// A keyboard, a growing input or a turned screen change our height.
		new ResizeObserver(() => this.#settle()).observe(scroller);
	}

	/** Shows the talk, from the first unread on. */
	show() {
		const { items, divider } = this.#chat.active;
		this.#items = items;
		this.#from = this.#to = 0;
		this.toEnd(divider ? items.indexOf(divider) : Infinity);
		const top = find('.divider')?.offsetTop - AT_END_PX;
		if (!(top < scroller.scrollTop)) return;
		scroller.scrollTop = top;
		this.isFollowing = false;
	}

	/** The talk was joined, perhaps again: so many messages came in. */
	joined(count) {
		if (this.isFollowing) return this.show();
		this.#missed += count;
		this.#scrolled();
		this.#settle();
	}

	toEnd(first = Infinity) {
		const { length } = this.#items;
		if (this.#to < length || !length) this.#window(Math.max(0, length - NODES_MAX, Math.min(first, length - STEP)), length);
		this.isFollowing = true;
		this.drawUnsent();
		scroller.scrollTop = scroller.scrollHeight;
	}

	/** An item was added at the end, or the last one has changed. */
	appended(isChange) {
		const { length } = this.#items;
		const hasRoom = this.isFollowing || isChange || messages.children.length < NODES_MAX;
		if (hasRoom && this.#to === (isChange ? length : length - 1)) {
			if (isChange) messages.lastChild.remove();
			messages.append(this.#draw(length - 1));
			this.#to = length;
			for (; messages.children.length > NODES_MAX; this.#from += 1) messages.firstChild.remove();
		}
		if (!isChange && !this.isFollowing && this.#items.at(-1).nick) this.#missed += 1;
		this.#settle();
	}

	/** So many items were put before all others. */
	prepended(count) {
		this.#from += count;
		this.#to += count;
		this.#scrolled();
	}

	drawUnsent() {
		const { active, session } = this.#chat;
		const ours = session.unsent.filter((entry) => entry.key === active.key);
		unsent.replaceChildren(...ours.map((entry) => drawUnsent(entry, this.#act)));
		this.#settle();
	}

	#draw(index) {
		const { nick, active } = this.#chat;
		const item = this.#items[index];
		const isDivided = item === active.divider;
		if (isDivided) find('.divider')?.remove();
		return draw(item, this.#items[index - 1], nick, isDivided);
	}

	// Nothing that is being read moves, and nothing old is read out.
	#window(from, to) {
		const drawn = (start, end) => this.#items.slice(start, end).map((_, index) => this.#draw(start + index));
		const first = Math.max(from, this.#from);
		const last = Math.max(first, Math.min(to, this.#to));
		const kept = [...messages.children].slice(first - this.#from, last - this.#from);
		const top = () => kept[0]?.lastChild.getBoundingClientRect().top;
		const before = top();
		scroller.ariaLive = 'off';
		// What is above an entry decides on its head.
		if (kept.length && from < first) kept[0] = this.#draw(first);
		messages.replaceChildren(...drawn(from, first), ...kept, ...drawn(last, to));
		[this.#from, this.#to] = [from, to];
		scroller.scrollTop += top() - before || 0;
		setTimeout(() => (scroller.ariaLive = 'polite'), 200);
	}

	#scrolled() {
		const { scrollHeight, scrollTop, clientHeight } = scroller;
		const [from, to, { length }] = [this.#from, this.#to, this.#items];
		const below = scrollHeight - scrollTop - clientHeight;
		// What grows below is no reason to let go: the reader's scrolling up is.
		const isHeld = this.isFollowing && scrollTop >= this.#top;
		this.isFollowing = to === length && (isHeld || below < AT_END_PX);
		this.#top = scrollTop;
		if (scrollTop < NEAR_PX && from) {
			this.#window(Math.max(0, from - STEP), Math.min(to, from - STEP + NODES_MAX));
		} else if (scrollTop < NEAR_PX) {
			this.#chat.readBack();
		} else if (below < NEAR_PX && to < length) {
			this.#window(Math.max(from, to + STEP - NODES_MAX), Math.min(length, to + STEP));
		}
		if (!this.isFollowing) return;
		this.#settle();
		this.#chat.seen();
	}

	#settle() {
		silence.hidden = this.#items.length + unsent.children.length > 0;
		if (this.isFollowing) this.#missed = 0;
		newer.hidden = !this.#missed;
		newer.textContent = say('n_new', { n: this.#missed });
		// Once for all that comes before the next frame.
		this.#frame ??= requestAnimationFrame(() => {
			this.#frame = null;
			if (this.isFollowing) scroller.scrollTop = scroller.scrollHeight;
		});
	}
}
