// @ts-check
// A room, or a private conversation with another user, up to its newest message.

import { itemOf, ItemList } from './items.js';
import { MemberList } from './members.js';

/** @import { HistoryEvent, JoinedEvent } from '../net/protocol.js' */
/** @import { GapItem, Item, MemberChange, MessageItem, PastItems, ReceivedMessage } from './items.js' */

/** @typedef {{ at: number, added: MessageItem[], isClosed: boolean }} GapChange where items were added, and whether the gap is gone */

export class Conversation extends ItemList {
	members = new MemberList();
	/** Number of messages that the user has not seen. */
	unread = 0;
	/** The first of them. It stays marked while the conversation is shown. @type {Item | null} */
	divider = null;
	/** Whether one of them mentions the user, or is private. */
	hasMention = false;
	isJoined = false;
	/** Ends when the room is joined. @type {Promise<void> | null} */
	joining = null;
	/** The history that the numbers of messages belong to. @type {string | undefined} */
	#epoch;
	/** Number of the newest message. */
	#seq = 0;

	/** @param {string} key the name of a room, or a nickname after an @ */
	constructor(key) {
		super();
		this.key = key;
		this.isRoom = !key.startsWith('@');
	}

	get title() {
		return this.isRoom ? `#${this.key}` : this.key;
	}

	/** Whether the room was never joined. */
	get isNew() {
		return !this.#epoch;
	}

	/** The members of a `join` request for all messages after the newest one here. */
	get joinRequest() {
		return { room: this.key, epoch: this.#epoch, after: this.#epoch && this.#seq };
	}

	/**
	 * Adds the messages of an answer to `join`. Returns those that are new. The room
	 * is joined when no further part follows.
	 * @param {JoinedEvent} answer
	 */
	joined({ epoch, seq, recovered, messages, members, members_count = members.length, more = false }) {
		const isSameEpoch = epoch === this.#epoch;
		const isComplete = recovered || (isSameEpoch && seq === this.#seq);
		if (!this.firstSeq) this.hasMore = messages[0]?.seq > 1;
		else if (!isComplete) this.#addGap(isSameEpoch);
		const added = messages.filter((message) => !isSameEpoch || message.seq > this.#seq).map(itemOf);
		this.items.push(...added);
		this.members.reset(members, members_count);
		this.isJoined = !more;
		this.#epoch = epoch;
		this.#seq = more ? (messages.at(-1)?.seq ?? this.#seq) : seq;
		return added;
	}

	/**
	 * Messages of an earlier epoch have other numbers, so that neither those in the
	 * gap nor older ones can be requested.
	 * @param {boolean} isSameEpoch
	 */
	#addGap(isSameEpoch) {
		const time = this.items.at(-1)?.time ?? Date.now();
		this.items.push({ kind: 'gap', time, floor: isSameEpoch ? this.#seq : 0, hasMore: true, isWhole: isSameEpoch });
		if (!isSameEpoch) this.hasMore = false;
	}

	/**
	 * Returns the number of the first message after a gap.
	 * @param {GapItem} gap
	 */
	seqAfter(gap) {
		return this.items.slice(this.items.indexOf(gap) + 1).find((item) => item.seq)?.seq;
	}

	/**
	 * Adds a page of the missing messages, the newest first. A gap in which messages are lost for good stays.
	 * @param {GapItem} gap
	 * @param {Pick<HistoryEvent, 'messages' | 'more'>} page
	 * @returns {GapChange}
	 */
	fillGap(gap, { messages, more }) {
		const end = this.seqAfter(gap) ?? 0;
		const missing = messages.filter(({ seq }) => seq > gap.floor && seq < end);
		const first = missing[0]?.seq ?? end;
		if (end - first !== missing.length) gap.isWhole = false;
		gap.hasMore = more && first > gap.floor + 1 && missing.length > 0;
		const isClosed = gap.isWhole && first === gap.floor + 1;
		const added = missing.map(itemOf);
		const at = this.items.indexOf(gap);
		if (isClosed) this.items.splice(at, 1, ...added);
		else this.items.splice(at + 1, 0, ...added);
		return { at, added, isClosed };
	}

	/**
	 * Adds a message. Returns its item, or null if it was here already.
	 * @param {ReceivedMessage} message
	 */
	receive(message) {
		const { seq, id } = message;
		const isKnown = seq ? seq <= this.#seq : this.items.some((item) => item.id === id);
		if (isKnown) return null;
		this.#seq = seq ?? 0;
		const item = itemOf(message);
		this.items.push(item);
		return item;
	}

	/**
	 * Replaces the items if `past` reaches up to the newest message. Returns whether it does.
	 * @param {PastItems} past
	 */
	adopt(past) {
		if (!past.items.length || past.lastSeq < this.#seq) return false;
		this.items = past.items;
		this.hasMore = past.hasMore;
		return true;
	}

	/**
	 * Adds a line for this user only.
	 * @param {string} text
	 */
	addNote(text) {
		this.items.push({ kind: 'note', time: Date.now(), text });
	}

	/**
	 * Applies a change to the members. Changes between two messages make one item, in
	 * which the arrival and the departure of a user cancel out. Returns whether the item is new.
	 * @param {MemberChange} change
	 */
	recordChange(change) {
		this.members.apply(change);
		const last = this.items.at(-1);
		if (last?.kind !== 'changes') {
			this.items.push({ kind: 'changes', time: Date.now(), changes: [change] });
			return true;
		}
		const undone = last.changes.findIndex((other) => other.nick === change.nick && isOpposite(other.type, change.type));
		if (undone < 0) last.changes.push(change);
		else last.changes.splice(undone, 1);
		return false;
	}
}

/**
 * @param {MemberChange['type']} a
 * @param {MemberChange['type']} b
 */
const isOpposite = (a, b) => (a === 'joined' && b === 'left') || (a === 'left' && b === 'joined');
