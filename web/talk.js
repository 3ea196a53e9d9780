// What was said in a room, or between two. Each item is an entry of the
// timeline: a message, a note, a gap, or a line of comings and goings.

import { isOwn } from './session.js';

const asItem = (message) => ({ kind: 'say', ...message, isOwn: isOwn(message) });

export class Talk {
	/** The talk as it is now: itself, if it is not its past. */
	now = this;
	items = [];
	/** Those in the room that we know of, the first to come first, and how many there are. */
	members = [];
	count = 0;
	/** Not seen: how many, the first, and whether one calls us. */
	unread = 0;
	divider;
	isCalled = false;
	isJoined = false;
	/** While we join: what ends with that. */
	joining = null;
	/** Whether we have asked for more of its members. */
	isListing = false;
	/** Whether the server has older messages. */
	hasMore = false;
	#epoch;
	#seq = 0;
	// So many of the members came in pages; the others we saw come.
	#listed = 0;

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

	/** Whether nothing is known of it yet. */
	get isNew() {
		return !this.#epoch;
	}

	/** What asks for more of its members. */
	get unlisted() {
		return { room: this.key, after: this.members[this.#listed - 1] };
	}

	/**
	 * The answer to a join, or the first part of it, if there is `more`: then we are
	 * not told yet what is said. Returns the items that are new.
	 */
	joined({ epoch, seq, recovered, messages, members, members_count = members.length, more = false }) {
		const isSame = epoch === this.#epoch;
		if (!this.oldest) this.hasMore = messages[0]?.seq > 1;
		else if (!recovered && !(isSame && seq === this.#seq)) {
			// What is missing is behind this number; with another epoch, there is none.
			this.add({ kind: 'gap', time: this.items.at(-1).time, floor: isSame ? this.#seq : 0, hasMore: true, isWhole: isSame });
			// What is before the gap is numbered otherwise.
			if (!isSame) this.hasMore = false;
		}
		const fresh = messages.filter((it) => !isSame || it.seq > this.#seq).map(asItem);
		this.items.push(...fresh);
		Object.assign(this, { members, count: members_count, isJoined: !more });
		this.#listed = members.length;
		this.#epoch = epoch;
		this.#seq = more ? (messages.at(-1)?.seq ?? this.#seq) : seq;
		return fresh;
	}

	/** One more page of members. */
	list({ members, members_count }) {
		const listed = new Set([...this.members.slice(0, this.#listed), ...members]);
		this.members = [...new Set([...listed, ...this.members])];
		this.#listed = listed.size;
		this.count = Math.max(members_count, this.members.length);
	}

	/** The last member that we know of is not there any more: begin before it. */
	unlist() {
		this.#listed = Math.max(0, this.#listed - 1);
	}

	/** The number of the first message behind a gap. */
	end(gap) {
		return this.items.slice(this.items.indexOf(gap) + 1).find((item) => item.seq)?.seq;
	}

	/**
	 * A page of what is missing, the newest of it: where it went in, how many items
	 * it is, and whether the gap is gone.
	 */
	fill(gap, { messages, more }) {
		const end = this.end(gap);
		const fresh = messages.filter(({ seq }) => seq > gap.floor && seq < end).map(asItem);
		const first = fresh[0]?.seq ?? end;
		if (end - first !== fresh.length) gap.isWhole = false;
		gap.hasMore = more && first > gap.floor + 1 && fresh.length > 0;
		// Else some are lost for good.
		const isGone = gap.isWhole && first === gap.floor + 1;
		const at = this.items.indexOf(gap);
		this.items.splice(isGone ? at : at + 1, isGone ? 1 : 0, ...fresh);
		return { at, fresh, isGone };
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
		this.#move(what, nick, to);
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

	#move(what, nick, to) {
		const index = this.members.indexOf(nick);
		if (what === 'renamed') this.members = this.members.map((it) => (it === nick ? to : it));
		else if (what === 'joined') {
			if (index < 0) this.members = [...this.members, nick];
			this.count += index < 0;
		} else {
			this.members = this.members.filter((it) => it !== nick);
			if (index >= 0 && index < this.#listed) this.#listed -= 1;
			this.count = Math.max(this.members.length, this.count - 1);
		}
	}
}
