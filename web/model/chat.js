// @ts-check
// The state of the chat, in step with the server. The view is told of changes, and not asked.

import { translate } from '../i18n/translate.js';
import { addOwnNick } from '../net/send-queue.js';
import { Session } from '../net/session.js';
import { browser, tab } from '../storage/storage.js';
import { Conversation } from './conversation.js';
import { History } from './history.js';
import { mentions } from './markup.js';
import { LOBBY, RoomJoiner } from './rooms.js';

/** @import { Limits, PrivateEvent, RenamedEvent, ServerEvent, UnsentMessage, WelcomeEvent } from '../net/types' */
/** @import { Attention, ChatEvent, Item, MemberChange, MessageItem, ReceivedMessage } from './types' */
/** @import { PastItems } from './conversation.js' */

export class Chat {
	/** By key. @type {Map<string, Conversation>} */
	conversations = new Map();
	active = new Conversation(LOBBY);
	/** Messages of its past, if they are shown instead of the newest. @type {PastItems | null} */
	past = null;
	nick = '';
	/** @type {Partial<Limits>} */
	limits = {};
	canSearch = false;
	history = new History(this);
	#rooms = new RoomJoiner(this);
	/** @type {Attention} */
	#attention = { isVisible: false, isAtEnd: false };

	/** @param {(event: ChatEvent) => void} notify */
	constructor(notify) {
		this.notify = notify;
		this.session = new Session({
			onWelcome: (event) => this.#welcome(event),
			onEvent: (event) => this.#receive(event),
			onClose: () => this.#disconnected(),
			onWait: () => notify({ type: 'status', status: 'waiting' }),
			onRefused: (reason) => notify({ type: 'status', status: 'refused', reason }),
			onQueueChange: () => notify({ type: 'queue' }),
			canSend: (key) => !this.conversations.get(key)?.joining,
			rejoin: (key) => this.#rooms.rejoin(key),
		});
		for (const key of tab.get('rooms', [LOBBY])) this.open(key);
	}

	/** The items to show. */
	get shown() {
		return this.past ?? this.active;
	}

	/**
	 * Sends a message to the active conversation.
	 * @param {string} text
	 * @param {'say' | 'me'} [kind]
	 */
	say(text, kind = 'say') {
		this.session.queue.add(this.active.key, text, kind);
	}

	/**
	 * Shows a conversation, and joins its room.
	 * @param {string} key
	 */
	async visit(key) {
		this.show(this.open(key));
		const { isRoom, isJoined } = this.active;
		if (isRoom && !isJoined && this.session.isReady) await this.join(this.active);
	}

	/** @param {Conversation} conversation */
	async leave(conversation) {
		await conversation.joining?.catch(() => {});
		if (conversation.isJoined) await this.session.requestWithRetry('part', { room: conversation.key });
		this.close(conversation.key);
	}

	/** @param {string} nick */
	async rename(nick) {
		if (this.session.isReady) await this.session.request('nick', { nick });
		// The server may normalise a nickname. As typed, it would seem taken the next time.
		browser.set('nickname', this.session.isReady ? this.nick : nick);
	}

	/** @param {Conversation} conversation */
	async loadMembers({ key, members }) {
		await members.loadPage(this.session, key);
		this.notify({ type: 'list' });
	}

	/** Sends a refused message again. @param {UnsentMessage} message */
	async retry(message) {
		const conversation = this.conversations.get(message.key);
		const mustJoin = conversation?.isRoom && !conversation.isJoined && this.session.isReady;
		const joining = mustJoin ? this.join(conversation) : null;
		this.session.queue.retry(message);
		await joining;
	}

	/** New messages count as seen while both are true. @param {Partial<Attention>} attention */
	setAttention(attention) {
		Object.assign(this.#attention, attention);
		const { active } = this;
		if (!active.unread || !this.#isSeen(active)) return;
		active.unread = 0;
		active.hasMention = false;
		this.notify({ type: 'list' });
	}

	/** @param {Conversation} conversation */
	#isSeen(conversation) {
		return conversation === this.active && !this.past && this.#attention.isVisible && this.#attention.isAtEnd;
	}

	/**
	 * Counts a message, unless the user sees it or has written it.
	 * @param {Conversation} conversation
	 * @param {MessageItem} item
	 */
	countUnread(conversation, item) {
		if (item.isOwn || this.#isSeen(conversation)) return;
		if (!conversation.unread) conversation.divider = item;
		conversation.unread += 1;
		if (conversation.isRoom && !mentions(item.text, this.nick)) return;
		conversation.hasMention = true;
		this.notify({ type: 'mentioned', conversation, item });
	}

	/** Adds a line for this user only. @param {string} text */
	note(text) {
		this.active.addNote(text);
		this.notify({ type: 'appended', conversation: this.active, isChange: false });
	}

	/**
	 * Shows the newest messages, or messages of the past, from `found` on.
	 * @param {Conversation} conversation
	 * @param {{ past?: PastItems, found?: Item }} [options]
	 */
	show(conversation, { past, found } = {}) {
		if (!this.past) this.active.divider = null;
		this.active = conversation;
		this.past = past ?? null;
		this.notify({ type: 'shown', found });
	}

	/** Returns a conversation, which may be new. @param {string} key */
	open(key) {
		const conversation = this.conversations.get(key) ?? new Conversation(key);
		this.conversations.set(key, conversation);
		this.#store();
		return conversation;
	}

	/** @param {Conversation} room */
	join(room) {
		return this.#rooms.join(room);
	}

	/** @param {string} key */
	close(key) {
		this.conversations.delete(key);
		this.#store();
		if (this.active.key === key) this.visit(this.conversations.keys().next().value ?? LOBBY);
	}

	#store() {
		tab.set('rooms', [...this.conversations.keys()].filter((key) => !key.startsWith('@')));
		this.notify({ type: 'list' });
	}

	/** @param {WelcomeEvent} event */
	async #welcome({ nick, limits, search }) {
		const wish = nick !== this.nick && browser.get('nickname');
		this.nick = nick;
		this.limits = limits;
		this.canSearch = search;
		addOwnNick(nick);
		await this.#rooms.joinAll();
		this.notify({ type: 'renamed' });
		if (wish && wish !== this.nick) this.note(translate('nick_taken', { wish, nick: this.nick }));
		this.notify({ type: 'status', status: 'connected' });
	}

	#disconnected() {
		for (const conversation of this.conversations.values()) {
			conversation.isJoined = false;
			conversation.joining = null;
		}
		this.notify({ type: 'status', status: 'disconnected' });
	}

	/** @param {ServerEvent} event */
	#receive(event) {
		switch (event.type) {
			case 'message': {
				// A message that comes before the room is joined is in the answer to `join`, too.
				const conversation = this.conversations.get(event.room);
				if (conversation?.isJoined) this.#append(conversation, event);
				break;
			}
			case 'private': return this.#receivePrivate(event);
			case 'notice': return this.note(event.text);
			case 'arrived': return this.#recordChange(event.room, { type: 'joined', nick: event.nick });
			case 'left': return this.#recordChange(event.room, { type: 'left', nick: event.nick });
			case 'renamed': return this.#renamed(event);
		}
	}

	/** @param {PrivateEvent} event */
	#receivePrivate({ from, to, time, text, id }) {
		const conversation = this.open(`@${from === this.nick ? to : from}`);
		this.#append(conversation, { time, nick: from, text, id });
	}

	/**
	 * @param {Conversation} conversation
	 * @param {ReceivedMessage} message
	 */
	#append(conversation, message) {
		const item = conversation.receive(message);
		if (!item) return;
		this.countUnread(conversation, item);
		this.notify({ type: 'appended', conversation, isChange: false });
	}

	/**
	 * @param {string} room
	 * @param {MemberChange} change
	 */
	#recordChange(room, change) {
		const conversation = this.conversations.get(room);
		if (!conversation?.isJoined) return;
		const isNew = conversation.recordChange(change);
		this.notify({ type: 'appended', conversation, isChange: !isNew });
	}

	/** @param {RenamedEvent} event */
	#renamed({ from, to, rooms }) {
		if (from === this.nick) {
			this.nick = to;
			addOwnNick(to);
		}
		for (const room of rooms) this.#recordChange(room, { type: 'renamed', nick: from, to });
		const conversation = this.conversations.get(`@${from}`);
		if (conversation) {
			this.conversations.delete(conversation.key);
			conversation.key = `@${to}`;
			this.conversations.set(conversation.key, conversation);
			this.session.queue.changeKey(`@${from}`, conversation.key);
		}
		if (conversation || to === this.nick) this.notify({ type: 'renamed' });
	}
}
