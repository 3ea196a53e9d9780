// @ts-check
// Requests older messages for the conversation that is shown, one page at a time.

import { RequestError } from '../net/protocol.js';
import { PastItems } from './items.js';

/** @import { HistoryEvent } from '../net/protocol.js' */
/** @import { Chat } from './chat.js' */
/** @import { GapItem } from './items.js' */

/** Number of messages per page towards the newest. An answer may hold no more if they are long. */
const NEWER_PAGE = 15;
/** Number of messages per page in a gap: the maximum of the protocol. */
const GAP_PAGE = 100;
/** How many messages newer than a search result are requested with it. */
const RESULT_CONTEXT = 7;

export class History {
	#chat;
	#isLoading = false;

	/** @param {Chat} chat */
	constructor(chat) {
		this.#chat = chat;
	}

	/** Adds older messages to those that are shown. */
	async loadOlder() {
		const { active, shown } = this.#chat;
		if (this.#isLoading || !active.isJoined) return;
		const page = await this.#load({ room: active.key, before: shown.firstSeq });
		shown.prepend(page);
		if (page.messages.length && shown === this.#chat.shown) {
			this.#chat.notify({ type: 'extended', olderCount: page.messages.length });
		}
	}

	/** Adds newer messages to those from the past that are shown, up to the newest. */
	async loadNewer() {
		const { active, past } = this.#chat;
		if (this.#isLoading || !active.isJoined || !past) return;
		// A page ends before a number, which may be one that does not exist yet.
		const page = await this.#load({ room: active.key, before: past.lastSeq + NEWER_PAGE + 1, limit: NEWER_PAGE });
		const count = past.append(page.messages);
		if (!count || past !== this.#chat.past) return;
		if (active.adopt(past)) this.#chat.past = null;
		this.#chat.notify({ type: 'extended', olderCount: 0 });
	}

	/**
	 * Requests the newest of the messages that are missing at a gap.
	 * @param {GapItem} gap
	 */
	async fillGap(gap) {
		const { active } = this.#chat;
		const before = active.seqAfter(gap);
		if (this.#isLoading || !active.isJoined || !before) return;
		const page = await this.#load({ room: active.key, before, limit: GAP_PAGE }).catch((error) => {
			// It would be requested again as long as the gap is in sight.
			gap.hasMore = error instanceof RequestError && error.code === 'closed';
			throw error;
		});
		// Messages from the past may have replaced the gap.
		if (!active.items.includes(gap)) return;
		const change = active.fillGap(gap, page);
		for (const { id } of change.added) this.#chat.session.queue.confirm(id);
		if (active === this.#chat.shown) this.#chat.notify({ type: 'filled', change });
	}

	/**
	 * Shows a message that was found, with those around it.
	 * @param {{ room: string, seq: number, time: number }} result
	 */
	async show({ room, seq, time }) {
		const conversation = this.#chat.open(room);
		if (!conversation.isJoined) await this.#chat.join(conversation);
		if (!conversation.isJoined) return;
		/** @param {PastItems | typeof conversation} list */
		const find = (list) => list.items.find((item) => item.seq === seq && item.time === time);
		const found = find(conversation);
		if (found) {
			this.#chat.show(conversation, { found });
			return;
		}
		const page = await this.#chat.session.requestWithRetry('history', { room, before: seq + RESULT_CONTEXT + 1 });
		const past = new PastItems(page);
		if (conversation.adopt(past)) this.#chat.show(conversation, { found: find(conversation) });
		else this.#chat.show(conversation, { past, found: find(past) });
	}

	/**
	 * @param {object} members of the request
	 * @returns {Promise<HistoryEvent>}
	 */
	async #load(members) {
		this.#isLoading = true;
		try {
			return await this.#chat.session.requestWithRetry('history', members);
		} finally {
			this.#isLoading = false;
		}
	}
}
