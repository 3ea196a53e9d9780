// @ts-check
// Items of a timeline, and lists of them.

import { isOwn } from '../net/identity.js';

/** @import { HistoryEvent } from '../net/protocol.js' */

/** @typedef {{ type: 'joined' | 'left' | 'renamed', nick: string, to?: string }} MemberChange */

/** @typedef {{ time: number, nick?: string, text?: string, id?: string, seq?: number }} ItemBase */
/** @typedef {ItemBase & { kind: 'say' | 'me', nick: string, text: string, id: string, isOwn: boolean }} MessageItem */
/** @typedef {ItemBase & { kind: 'note', text: string }} NoteItem a line for this user only */
/** @typedef {ItemBase & { kind: 'changes', changes: MemberChange[] }} ChangesItem what happened between two messages */
/**
 * Messages that this page does not have.
 * @typedef {ItemBase & { kind: 'gap' } & GapState} GapItem
 */
/**
 * @typedef {object} GapState
 * @property {number} floor number of the last message before the gap, or 0
 * @property {boolean} hasMore whether the server may have some of them
 * @property {boolean} isWhole whether none of them is lost, as far as is known
 */
/** @typedef {MessageItem | NoteItem | ChangesItem | GapItem} Item */

/** @typedef {{ room?: string, seq?: number, time: number, nick: string, text: string, id: string, kind?: 'say' | 'me' }} ReceivedMessage */

/**
 * @param {ReceivedMessage} message
 * @returns {MessageItem}
 */
export const itemOf = (message) => ({ kind: 'say', ...message, isOwn: isOwn(message) });

/** Items in order, the oldest first, to which older messages can be added. */
export class ItemList {
	/** @type {Item[]} */
	items = [];
	/** Whether the server has older messages. */
	hasMore = false;

	/** Number of the oldest message. */
	get firstSeq() {
		return this.items.find((item) => item.seq)?.seq;
	}

	/** @param {Pick<HistoryEvent, 'messages' | 'more'>} page of older messages */
	prepend({ messages, more }) {
		this.items.unshift(...messages.map(itemOf));
		this.hasMore = more;
	}
}

/** Messages from a room's past that do not reach up to its newest messages. */
export class PastItems extends ItemList {
	/** @param {Pick<HistoryEvent, 'messages' | 'more'>} page */
	constructor(page) {
		super();
		this.prepend(page);
	}

	/** Number of the newest message, or 0. */
	get lastSeq() {
		return this.items.at(-1)?.seq ?? 0;
	}

	/**
	 * Adds those of `messages` that are newer. Returns how many.
	 * @param {ReceivedMessage[]} messages
	 */
	append(messages) {
		const last = this.lastSeq;
		const newer = messages.filter(({ seq = 0 }) => seq > last);
		this.items.push(...newer.map(itemOf));
		return newer.length;
	}
}
