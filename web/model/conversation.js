// A room, or a private conversation with another user, up to its newest message.

import { RequestError } from '../net/connection.js';
import { isOwn } from '../net/session.js';

const OPPOSITES = { joined: 'left', left: 'joined', renamed: '' };

/** @param {ReceivedMessage} message @returns {MessageItem} */
const itemOf = (message) => ({ kind: 'say', ...message, isOwn: isOwn(message) });

class ItemList {
	/** @type {Item[]} */
	items = [];
	/** Whether the server has older messages. */
	hasMore = false;

	get firstSeq() {
		return this.items.find((item) => item.seq)?.seq;
	}

	/** @param {MessagePage} page */
	prepend({ messages, more }) {
		this.items.unshift(...messages.map(itemOf));
		this.hasMore = more;
	}
}

/** Messages of a room that do not reach up to the newest. */
export class PastItems extends ItemList {
	/** @param {MessagePage} page */
	constructor(page) {
		super();
		this.prepend(page);
	}

	get lastSeq() {
		return this.items.at(-1)?.seq ?? 0;
	}

	/** @param {ReceivedMessage[]} messages */
	append(messages) {
		const last = this.lastSeq;
		const newer = messages.filter(({ seq = 0 }) => seq > last);
		this.items.push(...newer.map(itemOf));
		return newer.length;
	}
}

export class Conversation extends ItemList {
	members = new MemberList();
	unread = 0;
	/** The first unread message, also when it is seen. @type {Item | null} */
	divider = null;
	hasMention = false;
	isJoined = false;
	/** Whether the server has taken the user out of the room. */
	isRemoved = false;
	/** @type {Promise<void> | null} */
	joining = null;
	/** @type {string | undefined} */
	#epoch;
	/** Number of the newest message. */
	#seq = 0;

	/** @param {string} key a room, or a nickname after an @ */
	constructor(key) {
		super();
		this.key = key;
		this.isRoom = !key.startsWith('@');
	}

	get title() {
		return this.isRoom ? `#${this.key}` : this.key;
	}

	get isNew() {
		return !this.#epoch;
	}

	get joinRequest() {
		return { room: this.key, epoch: this.#epoch, after: this.#epoch && this.#seq };
	}

	/** Returns the new items. @param {JoinedEvent} answer */
	joined({ epoch, seq, recovered, messages, members, members_count = members.length, more = false }) {
		const isSameEpoch = epoch === this.#epoch;
		const next = messages.at(0)?.seq ?? seq + 1;
		const isComplete = recovered || (isSameEpoch && next <= this.#seq + 1);
		if (!this.firstSeq) this.hasMore = messages[0]?.seq > 1;
		else if (!isComplete) this.#addGap(isSameEpoch);
		const added = messages.filter((message) => !isSameEpoch || message.seq > this.#seq).map(itemOf);
		this.items.push(...added);
		this.members.reset(members, members_count);
		this.isJoined = !more;
		this.isRemoved = false;
		this.#epoch = epoch;
		this.#seq = more ? (messages.at(-1)?.seq ?? this.#seq) : seq;
		return added;
	}

	/** Messages of an earlier epoch have other numbers, and cannot be requested. @param {boolean} isSameEpoch */
	#addGap(isSameEpoch) {
		const time = this.items.at(-1)?.time ?? Date.now();
		this.items.push({ kind: 'gap', time, floor: isSameEpoch ? this.#seq : 0, hasMore: true, isWhole: isSameEpoch });
		if (!isSameEpoch) this.hasMore = false;
	}

	/** @param {GapItem} gap */
	seqAfter(gap) {
		return this.items.slice(this.items.indexOf(gap) + 1).find((item) => item.seq)?.seq;
	}

	/** The gap stays if messages are lost for good. @param {GapItem} gap @param {MessagePage} page @returns {GapChange} */
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

	/** Returns null if the message was here already. @param {ReceivedMessage} message */
	receive(message) {
		const { seq, id } = message;
		const isKnown = seq ? seq <= this.#seq : this.items.some((item) => item.id === id);
		if (isKnown) return null;
		this.#seq = seq ?? 0;
		const item = itemOf(message);
		this.items.push(item);
		return item;
	}

	/** Returns whether `past` reaches up to the newest message. @param {PastItems} past */
	adopt(past) {
		if (!past.items.length || past.lastSeq < this.#seq) return false;
		this.items = past.items;
		this.hasMore = past.hasMore;
		return true;
	}

	/** @param {string} text */
	addNote(text) {
		this.items.push({ kind: 'note', time: Date.now(), text });
	}

	/** Changes between two messages make one item. Returns whether it is new. @param {MemberChange} change */
	recordChange(change) {
		this.members.apply(change);
		const last = this.items.at(-1);
		if (last?.kind !== 'changes') {
			this.items.push({ kind: 'changes', time: Date.now(), changes: [change] });
			return true;
		}
		const undone = last.changes.findIndex((other) => other.nick === change.nick && other.type === OPPOSITES[change.type]);
		if (undone < 0) last.changes.push(change);
		else last.changes.splice(undone, 1);
		return false;
	}
}

/** The server lists the members of a large room in pages. */
class MemberList {
	/** In the order of their arrival. @type {string[]} */
	nicks = [];
	count = 0;
	/** How many came in pages. The others arrived later. */
	#paged = 0;
	#isLoading = false;

	/** @param {string[]} nicks @param {number} count */
	reset(nicks, count) {
		this.nicks = nicks;
		this.count = count;
		this.#paged = nicks.length;
	}

	/** @param {Session} session @param {string} room */
	async loadPage(session, room) {
		if (this.#isLoading) return;
		this.#isLoading = true;
		try {
			this.#addPage(await this.#request(session, room));
		} finally {
			this.#isLoading = false;
		}
	}

	/** @param {Session} session @param {string} room @returns {Promise<MembersEvent>} */
	async #request(session, room) {
		try {
			return await session.requestWithRetry('members', { room, after: this.nicks[this.#paged - 1] });
		} catch (error) {
			if (!(error instanceof RequestError) || error.code !== 'no_such_nick') throw error;
			// The last member of the page before has left: the next page begins one earlier.
			this.#paged = Math.max(0, this.#paged - 1);
			return this.#request(session, room);
		}
	}

	/** @param {MembersEvent} page */
	#addPage({ members, members_count }) {
		const paged = new Set([...this.nicks.slice(0, this.#paged), ...members]);
		this.nicks = [...new Set([...paged, ...this.nicks])];
		this.#paged = paged.size;
		this.count = Math.max(members_count, this.nicks.length);
	}

	/** @param {MemberChange} change */
	apply({ type, nick, to = nick }) {
		if (type === 'joined') this.#add(nick);
		else if (type === 'left') this.#remove(nick);
		else this.nicks = this.nicks.map((other) => (other === nick ? to : other));
	}

	/** @param {string} nick */
	#add(nick) {
		if (this.nicks.includes(nick)) return;
		this.nicks = [...this.nicks, nick];
		this.count += 1;
	}

	/** @param {string} nick */
	#remove(nick) {
		const index = this.nicks.indexOf(nick);
		this.nicks = this.nicks.filter((other) => other !== nick);
		if (index >= 0 && index < this.#paged) this.#paged -= 1;
		this.count = Math.max(this.nicks.length, this.count - 1);
	}
}
