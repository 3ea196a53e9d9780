// @ts-check
// Requests older messages for the conversation that is shown, one page at a time.

import { RequestError } from '../net/protocol.js';
import { PastItems } from './conversation.js';

/** @import { HistoryEvent } from '../net/types' */
/** @import { GapItem } from './types' */
/** @import { Chat } from './chat.js' */

/** Page size towards the newest. Even the longest messages fit into one answer. */
const NEWER_PAGE = 15;
/** Maximum page size of the protocol. */
const GAP_PAGE = 100;
/** Number of messages that are requested after a search result. */
const RESULT_CONTEXT = 7;

export class History {
	#chat;
	#isLoading = false;

	/** @param {Chat} chat */
	constructor(chat) {
		this.#chat = chat;
	}

	async loadOlder() {
		const { active, shown } = this.#chat;
		if (this.#isLoading || !active.isJoined) return;
		const page = await this.#load({ room: active.key, before: shown.firstSeq });
		shown.prepend(page);
		if (page.messages.length && shown === this.#chat.shown) {
			this.#chat.notify({ type: 'extended', olderCount: page.messages.length });
		}
	}

	async loadNewer() {
		const { active, past } = this.#chat;
		if (this.#isLoading || !active.isJoined || !past) return;
		// `before` may be a number that does not exist yet.
		const page = await this.#load({ room: active.key, before: past.lastSeq + NEWER_PAGE + 1, limit: NEWER_PAGE });
		const count = past.append(page.messages);
		if (!count || past !== this.#chat.past) return;
		if (active.adopt(past)) this.#chat.past = null;
		this.#chat.notify({ type: 'extended', olderCount: 0 });
	}

	/** @param {GapItem} gap */
	async fillGap(gap) {
		const { active } = this.#chat;
		const before = active.seqAfter(gap);
		if (this.#isLoading || !active.isJoined || !before) return;
		const page = await this.#load({ room: active.key, before, limit: GAP_PAGE }).catch((error) => {
			// It would be requested again and again while the gap is in sight.
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
