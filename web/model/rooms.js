// @ts-check
// Joins rooms. The answer comes in parts if many messages were missed.

import { RequestError } from '../net/protocol.js';

/** @import { JoinedEvent } from '../net/types' */
/** @import { Chat } from './chat.js' */
/** @import { Conversation } from './conversation.js' */

export const LOBBY = 'lobby';

export class RoomJoiner {
	#chat;

	/** @param {Chat} chat */
	constructor(chat) {
		this.#chat = chat;
	}

	/** A second call waits for the first. @param {Conversation} room */
	join(room) {
		room.joining ??= this.#joinInParts(room);
		return room.joining;
	}

	/** Returns false if it is not one of the user's rooms. @param {string} key */
	rejoin(key) {
		const room = this.#chat.conversations.get(key);
		if (!room?.isRoom) return false;
		room.isJoined = false;
		this.join(room).catch(() => {});
		return true;
	}

	/** Joins the rooms one after the other: the answers may be long. */
	async joinAll() {
		for (const conversation of this.#chat.conversations.values()) {
			if (conversation.isRoom && !conversation.isJoined) await this.join(conversation);
		}
	}

	/** @param {Conversation} room */
	async #joinInParts(room) {
		// Messages from before the first visit are not unread.
		const countsUnread = !room.isNew;
		const { session } = this.#chat;
		try {
			do {
				this.#joined(room, await session.requestWithRetry('join', room.joinRequest), countsUnread);
			} while (!room.isJoined);
		} catch (error) {
			if (!(error instanceof RequestError) || error.code === 'closed') throw error;
			this.#failed(room, error);
		}
		// After a broken connection, this belongs to the next join.
		room.joining = null;
		session.queue.flush();
	}

	/**
	 * @param {Conversation} room
	 * @param {JoinedEvent} answer
	 * @param {boolean} countsUnread
	 */
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

	/**
	 * Closes a room without messages.
	 * @param {Conversation} room
	 * @param {RequestError} error
	 */
	#failed(room, error) {
		if (room.isNew && room.key !== LOBBY) {
			this.#chat.close(room.key);
		} else if (room.items.at(-1)?.text !== error.message) {
			room.addNote(error.message);
			this.#chat.notify({ type: 'appended', conversation: room, isChange: false });
		}
		this.#chat.notify({ type: 'failed', error });
	}
}
