// Joins rooms, and requests older and missing messages.

import { translate } from '../i18n/texts.js';
import { RequestError } from '../net/connection.js';
import { PastItems } from './conversation.js';

export const LOBBY = 'lobby';
/** Even the longest messages fit into one answer. */
const NEWER_PAGE = 15;
const GAP_PAGE = 100;
/** Number of messages after a search result. */
const RESULT_CONTEXT = 7;

export class Rooms {
	#chat;
	#isLoading = false;

	/** @param {Chat} chat */
	constructor(chat) {
		this.#chat = chat;
	}

	/** @param {Conversation} room */
	join(room) {
		room.joining ??= this.#joinInParts(room);
		return room.joining;
	}

	/** @param {string} key */
	rejoin(key) {
		const room = this.#chat.conversations.get(key);
		if (!room?.isRoom) return false;
		room.isJoined = false;
		this.join(room).catch(() => {});
		return true;
	}

	/** Joins one room after the other: the answers may be long. */
	async joinAll() {
		for (const room of this.#chat.conversations.values()) {
			if (room.isRoom && !room.isJoined && !room.isRemoved) await this.join(room);
		}
	}

	/** The server has put the user into a room. It is shown if no other is. @param {JoinedEvent} event */
	added(event) {
		const chat = this.#chat;
		const { active } = chat;
		const room = chat.open(event.room);
		this.#joined(room, event, !room.isNew);
		if (!room.isJoined) this.join(room).catch(() => {});
		if (room === active) return;
		if (active.isJoined || active.joining || !active.isRoom) {
			if (chat.session.isReady) chat.note(translate('added', { room: room.title }));
			return;
		}
		chat.show(room);
		if (active.isRemoved) chat.close(active.key);
	}

	/** The server has taken the user out of a room. The last one stays, for the user to join it again. @param {string} key */
	removed(key) {
		const chat = this.#chat;
		const room = chat.conversations.get(key);
		if (!room) return;
		room.isJoined = false;
		room.isRemoved = true;
		room.members.reset([], 0);
		if (chat.conversations.size > 1) chat.close(key);
		chat.note(translate('removed', { room: room.title }));
	}

	/** The answer comes in parts if many messages were missed. @param {Conversation} room */
	async #joinInParts(room) {
		// Messages from before the first visit are not unread.
		const countsUnread = !room.isNew;
		const { session } = this.#chat;
		try {
			do this.#joined(room, await session.requestWithRetry('join', room.joinRequest), countsUnread);
			while (!room.isJoined);
		} catch (error) {
			if (!(error instanceof RequestError) || error.code === 'closed') throw error;
			this.#failed(room, error);
		}
		// After a broken connection, this belongs to the next join.
		room.joining = null;
		session.queue.flush();
	}

	/** @param {Conversation} room @param {JoinedEvent} answer @param {boolean} countsUnread */
	#joined(room, answer, countsUnread) {
		const chat = this.#chat;
		for (const item of room.joined(answer)) {
			chat.session.queue.confirm(item.id);
			if (countsUnread) chat.countUnread(room, item);
		}
		// The numbers of messages from its past may be invalid now.
		if (!answer.recovered && chat.past && room === chat.active) chat.show(room);
		chat.notify({ type: 'joined', conversation: room });
	}

	/** Closes a room without messages, unless the page would have none. @param {Conversation} room @param {RequestError} error */
	#failed(room, error) {
		const chat = this.#chat;
		if (room.isNew && (room.key !== LOBBY || chat.conversations.size > 1)) chat.close(room.key);
		else if (room.items.at(-1)?.text !== error.message) chat.note(error.message, room);
		chat.notify({ type: 'failed', error });
	}

	async loadOlder() {
		const { active, shown } = this.#chat;
		if (this.#isLoading || !active.isJoined) return;
		const page = await this.#load({ room: active.key, before: shown.firstSeq });
		shown.prepend(page);
		const olderCount = page.messages.length;
		if (olderCount && shown === this.#chat.shown) this.#chat.notify({ type: 'extended', olderCount });
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
			gap.hasMore = error.code === 'closed';
			throw error;
		});
		// Messages from the past may have replaced the gap.
		if (!active.items.includes(gap)) return;
		const change = active.fillGap(gap, page);
		for (const { id } of change.added) this.#chat.session.queue.confirm(id);
		if (active === this.#chat.shown) this.#chat.notify({ type: 'filled', change });
	}

	/** @param {{ room: string, seq: number, time: number }} result */
	async showResult({ room, seq, time }) {
		const conversation = this.#chat.open(room);
		if (!conversation.isJoined) await this.join(conversation);
		if (!conversation.isJoined) return;
		/** @param {PastItems | Conversation} list */
		const find = (list) => list.items.find((item) => item.seq === seq && item.time === time);
		/** @type {PastItems | undefined} */
		let past;
		if (!find(conversation)) {
			past = new PastItems(await this.#chat.session.requestWithRetry('history', { room, before: seq + RESULT_CONTEXT + 1 }));
			if (conversation.adopt(past)) past = undefined;
		}
		this.#chat.show(conversation, past, find(past ?? conversation));
	}

	/** @param {object} members of the request @returns {Promise<HistoryEvent>} */
	#load(members) {
		this.#isLoading = true;
		return this.#chat.session.requestWithRetry('history', members).finally(() => (this.#isLoading = false));
	}
}
