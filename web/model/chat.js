// The state of the chat, in step with the server. The view is told of changes, and not asked.

import { translate } from '../i18n/texts.js';
import { isOfEmbedder, KICKED } from '../net/connection.js';
import { addOwnNick, newId, Session } from '../net/session.js';
import { browser, tab } from '../storage/storage.js';
import { Conversation } from './conversation.js';
import { mentions } from './markup.js';
import { LOBBY, Rooms } from './rooms.js';

class Chat {
	/** By key. @type {Map<string, Conversation>} */
	conversations = new Map();
	active = new Conversation(LOBBY);
	/** Its older messages, if they are shown instead of the newest. @type {PastItems | null} */
	past = null;
	nick = '';
	/** @type {Partial<Limits>} */
	limits = {};
	canSearch = false;
	/** Those of the server. @type {ServerCommand[]} */
	commands = [];
	rooms = new Rooms(this);
	#attention = { isVisible: false, isAtEnd: false };
	/** Notices before the rooms are joined, such as the message of the day. @type {Set<string>} */
	#greetings = new Set();
	/** Those of the connection before. @type {Set<string>} */
	#oldGreetings = new Set();

	/** Set by the view. @type {(event: ChatEvent) => void} */
	notify = () => {};
	session = new Session({
		onWelcome: (event) => this.#welcome(event),
		onEvent: (event, isAnswer) => this.#receive(event, isAnswer),
		onClose: (code, reason) => this.#disconnected(code, reason),
		onWait: () => this.notify({ type: 'status', status: 'waiting' }),
		onRefused: (reason) => this.notify({ type: 'status', status: 'refused', reason }),
		onQueueChange: () => this.notify({ type: 'queue' }),
		canSend: (key) => !this.conversations.get(key)?.joining,
		rejoin: (key) => this.rooms.rejoin(key),
	});

	constructor() {
		for (const key of tab.get('rooms', [LOBBY])) this.open(key);
	}

	get shown() {
		return this.past ?? this.active;
	}

	/** @param {string} text @param {'say' | 'me'} [kind] */
	say(text, kind = 'say') {
		this.session.queue.add(this.active.key, text, kind);
	}

	/** Has the server carry out one of its commands. @param {string} name @param {string} rest */
	async command(name, rest) {
		const { active } = this;
		const { text } = await this.session.request('command', { room: active.key, text: `${name} ${rest}`.trim(), id: newId() });
		if (text) this.note(text, active);
	}

	/** @param {string} key */
	async visit(key) {
		this.show(this.open(key));
		await this.#joinIfReady(this.active);
	}

	/** @param {Conversation} [conversation] */
	async #joinIfReady(conversation) {
		if (conversation?.isRoom && !conversation.isJoined && this.session.isReady) await this.rooms.join(conversation);
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

	/** @param {UnsentMessage} message */
	async retry(message) {
		const joining = this.#joinIfReady(this.conversations.get(message.key));
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

	/** @param {Conversation} conversation @param {MessageItem} item */
	countUnread(conversation, item) {
		if (item.isOwn || this.#isSeen(conversation)) return;
		if (!conversation.unread) conversation.divider = item;
		conversation.unread += 1;
		if (conversation.isRoom && !mentions(item.text, this.nick)) return;
		conversation.hasMention = true;
		this.notify({ type: 'mentioned', conversation, item });
	}

	/** @param {string} text */
	note(text, conversation = this.active) {
		conversation.addNote(text);
		this.notify({ type: 'appended', conversation, isChange: false });
	}

	/** @param {Conversation} conversation @param {PastItems | null} [past] @param {Item} [found] to scroll to */
	show(conversation, past = null, found) {
		if (!this.past) this.active.divider = null;
		this.active = conversation;
		this.past = past;
		this.notify({ type: 'shown', found });
	}

	/** @param {string} key */
	open(key) {
		const conversation = this.conversations.get(key) ?? new Conversation(key);
		this.conversations.set(key, conversation);
		this.#store();
		return conversation;
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
	async #welcome({ nick, limits, search, commands = [] }) {
		const wish = nick !== this.nick && browser.get('nickname');
		this.nick = nick;
		this.limits = limits;
		this.canSearch = search;
		this.commands = commands;
		addOwnNick(nick);
		await this.rooms.joinAll();
		this.notify({ type: 'renamed' });
		if (wish && wish !== this.nick) this.note(translate('nick_taken', { wish, nick: this.nick }));
		for (const text of this.#greetings) if (!this.#oldGreetings.has(text)) this.note(text);
		this.#oldGreetings = this.#greetings;
		this.#greetings = new Set();
		this.notify({ type: 'status', status: 'connected' });
	}

	/** @param {number} [code] @param {string} [reason] */
	#disconnected(code, reason) {
		for (const conversation of this.conversations.values()) {
			conversation.isJoined = false;
			conversation.joining = null;
		}
		// A server that closes the connection again and again gives the same reason.
		if (code && reason && isOfEmbedder(code) && this.active.items.at(-1)?.text !== reason) this.note(reason);
		const end = code === KICKED ? 'kicked' : 'elsewhere';
		this.notify({ type: 'status', status: this.session.connection.isEnded ? end : 'disconnected', reason });
	}

	/** @param {ServerEvent} event @param {boolean} isAnswer */
	#receive(event, isAnswer) {
		switch (event.type) {
			case 'message': {
				// A message that comes before the room is joined is in the answer to `join`, too.
				const conversation = this.conversations.get(event.room);
				if (conversation?.isJoined) this.#append(conversation, event);
				return;
			}
			case 'private': {
				const { from, to, time, text, id } = event;
				return this.#append(this.open(`@${from === this.nick ? to : from}`), { time, nick: from, text, id });
			}
			case 'notice': return this.session.isReady ? this.note(event.text) : void this.#greetings.add(event.text);
			case 'handled': return isAnswer || !event.text ? undefined : this.note(event.text);
			case 'joined': return isAnswer ? undefined : this.rooms.added(event);
			case 'parted': return isAnswer ? undefined : this.rooms.removed(event.room);
			case 'arrived': return this.#recordChange(event.room, { type: 'joined', nick: event.nick });
			case 'left': return this.#recordChange(event.room, { type: 'left', nick: event.nick });
			case 'renamed':
				for (const room of event.rooms) this.#recordChange(room, { type: 'renamed', nick: event.from, to: event.to });
				return this.#renamed(event.from, event.to);
		}
	}

	/** @param {Conversation} conversation @param {ReceivedMessage} message */
	#append(conversation, message) {
		const item = conversation.receive(message);
		if (!item) return;
		this.countUnread(conversation, item);
		this.notify({ type: 'appended', conversation, isChange: false });
	}

	/** @param {string} room @param {MemberChange} change */
	#recordChange(room, change) {
		const conversation = this.conversations.get(room);
		if (!conversation?.isJoined) return;
		const isNew = conversation.recordChange(change);
		this.notify({ type: 'appended', conversation, isChange: !isNew });
	}

	/** @param {string} from @param {string} to */
	#renamed(from, to) {
		const isOwn = from === this.nick;
		if (isOwn) addOwnNick((this.nick = to));
		const conversation = this.conversations.get(`@${from}`);
		if (conversation) {
			this.conversations.delete(conversation.key);
			conversation.key = `@${to}`;
			this.conversations.set(conversation.key, conversation);
			this.session.queue.changeKey(`@${from}`, conversation.key);
		}
		if (isOwn || conversation) this.notify({ type: 'renamed' });
	}
}

export const chat = new Chat();
