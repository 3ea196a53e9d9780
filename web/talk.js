// What was said in a room, or between two. Each item is an entry of the
// timeline: a message, a note, a gap, or a line of comings and goings.

import { isOwn } from './session.js';

const asItem = (message) => ({ kind: 'say', ...message, isOwn: isOwn(message) });

export class Talk {
	/** The talk as it is now: itself, if it is not its past. */
	now = this;
	items = [];
	members = [];
	/** Not seen: how many, the first, and whether one calls us. */
	unread = 0;
	divider;
	isCalled = false;
	isJoined = false;
	/** Whether the server has older messages. */
	hasMore = false;
	#epoch;
	#seq = 0;

	/** `key` is the name of a room, or a nickname behind an @. */
	constructor(key) {
		this.key = key;
		this.isRoom = !key.startsWith('@');
	}

	get title() {
		return this.isRoom ? `#${this.key}` : this.key;
	}

	/** What a join asks for: everything since the last message that is here. */
	get since() {
		return { room: this.key, epoch: this.#epoch, after: this.#epoch && this.#seq };
	}

	get oldest() {
		return this.items.find((item) => item.seq)?.seq;
	}

	/** The answer to a join. Returns the items that are new. */
	joined({ epoch, seq, recovered, messages, members }) {
		const isSame = epoch === this.#epoch;
		if (!this.oldest) this.hasMore = messages[0]?.seq > 1;
		else if (!recovered && !(isSame && seq === this.#seq)) {
			this.add({ kind: 'gap' });
			// What is before a gap may be numbered anew.
			this.hasMore = false;
		}
		const fresh = messages.filter((it) => !isSame || it.seq > this.#seq).map(asItem);
		this.items.push(...fresh);
		Object.assign(this, { members, isJoined: true });
		[this.#epoch, this.#seq] = [epoch, seq];
		return fresh;
	}

	/** A message that came just now: its item, if it was not here already. */
	heard(message) {
		const { seq, id } = message;
		if (seq ? seq <= this.#seq : this.items.some((it) => it.id === id)) return;
		this.#seq = seq;
		this.items.push(asItem(message));
		return this.items.at(-1);
	}

	/** Older messages. */
	remember({ messages, more }) {
		this.items.unshift(...messages.map(asItem));
		return Object.assign(this, { hasMore: more });
	}

	/** Its past: the same talk, with items of its own. */
	recall(page) {
		return Object.assign(Object.create(this), { items: [] }).remember(page).goOn([]);
	}

	/** Newer messages for the past. Returns the talk as it is now, once they meet. */
	goOn(messages) {
		const { items, now } = this;
		const last = items.at(-1)?.seq;
		items.push(...messages.filter(({ seq }) => seq > last).map(asItem));
		const isNow = items.at(-1)?.seq >= now.#seq;
		return isNow ? Object.assign(now, { items, hasMore: this.hasMore }) : this;
	}

	add(item) {
		this.items.push({ time: Date.now(), ...item });
	}

	/**
	 * Somebody has `joined`, has `left`, or is called `to` now (`renamed`). What
	 * happens between two messages is one line, without those who came and went.
	 * True if it is a new line.
	 */
	fold(what, nick, to) {
		const others = this.members.filter((it) => it !== nick);
		this.members = { joined: [...others, nick], left: others, renamed: [...others, to] }[what];
		const { kind, changes } = this.items.at(-1) ?? {};
		if (kind !== 'fold') this.add({ kind: 'fold', changes: [{ what, nick, to }] });
		else {
			const opposite = { joined: 'left', left: 'joined' }[what];
			const undone = changes.findIndex((it) => it.nick === nick && it.what === opposite);
			if (undone < 0) changes.push({ what, nick, to });
			else changes.splice(undone, 1);
		}
		return kind !== 'fold';
	}
}
