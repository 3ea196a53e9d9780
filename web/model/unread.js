// @ts-check
// Counts the messages that the user has not seen.

import { mentions } from './markup.js';

/** @import { Chat } from './chat.js' */
/** @import { Conversation } from './conversation.js' */
/** @import { MessageItem } from './items.js' */

/** @typedef {{ isVisible: boolean, isAtEnd: boolean }} Attention whether the page is visible, and the end of the timeline in sight */

export class UnreadCounter {
	#chat;
	/** @type {Attention} */
	#attention = { isVisible: false, isAtEnd: false };

	/** @param {Chat} chat */
	constructor(chat) {
		this.#chat = chat;
	}

	/** @param {Partial<Attention>} attention */
	setAttention(attention) {
		Object.assign(this.#attention, attention);
		const { active } = this.#chat;
		if (!active.unread || !this.#isSeen(active)) return;
		active.unread = 0;
		active.hasMention = false;
		this.#chat.notify({ type: 'list' });
	}

	/**
	 * Counts a message, unless the user sees it or has written it.
	 * @param {Conversation} conversation
	 * @param {MessageItem} item
	 */
	add(conversation, item) {
		if (item.isOwn || this.#isSeen(conversation)) return;
		if (!conversation.unread) conversation.divider = item;
		conversation.unread += 1;
		if (conversation.isRoom && !mentions(item.text, this.#chat.nick)) return;
		conversation.hasMention = true;
		this.#chat.notify({ type: 'mentioned', conversation, item });
	}

	/** @param {Conversation} conversation */
	#isSeen(conversation) {
		const { active, past } = this.#chat;
		return conversation === active && !past && this.#attention.isVisible && this.#attention.isAtEnd;
	}
}
