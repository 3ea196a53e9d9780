// The session of this tab, over any number of connections. Messages are sent singly, and again with
// the same id after a broken connection: each arrives once and in order.

import { translate } from '../i18n/texts.js';
import { browser, isReload, offerSessionOnClose, tab, takeClosedSession } from '../storage/storage.js';
import { ABNORMAL, Connection, isCausedByMessage, REPLACED, RequestError, sizeError } from './connection.js';

/** Maximum number of connections that break with a message in flight. */
const BREAKS_MAX = 3;

const random = () => crypto.getRandomValues(new Uint32Array(2)).join('-');

/** Prefix of all message ids of this tab. @type {string} */
const ID_PREFIX = (isReload && tab.get('mark')) || random();
tab.set('mark', ID_PREFIX);

/** Nicknames of this tab. Others may use the prefix, but not under these. @type {Set<string>} */
const ownNicks = new Set(isReload ? tab.get('nicks', []) : []);

/** @param {string} nick */
export const addOwnNick = (nick) => tab.set('nicks', [...ownNicks.add(nick)]);

/** @param {{ id: string, nick: string }} message */
export const isOwn = ({ id, nick }) => id.startsWith(ID_PREFIX) && ownNicks.has(nick);

export const newId = () => `${ID_PREFIX}.${random()}`;
const closedError = () => new RequestError({ code: 'closed', message: translate('disconnected') });

class SendQueue {
	/** Unconfirmed messages, the oldest first. @type {UnsentMessage[]} */
	messages = isReload ? tab.get('unsent', []) : [];
	#handlers;
	/** Id of the message that waits for an answer. @type {string | null} */
	#inFlight = null;
	/** Keys of conversations whose messages the server accepts later. @type {Set<string>} */
	#paused = new Set();

	/** @param {SendQueueHandlers} handlers */
	constructor(handlers) {
		this.#handlers = handlers;
	}

	/** @param {string} key @param {string} text @param {'say' | 'me'} kind */
	add(key, text, kind) {
		this.messages.push({ key, text, kind, id: newId(), time: Date.now() });
		this.#changed();
	}

	/** @param {UnsentMessage} message */
	retry(message) {
		message.problem = message.breaks = message.hasRejoined = undefined;
		this.#changed();
	}

	/** @param {UnsentMessage} message */
	remove(message) {
		this.messages = this.messages.filter((other) => other !== message);
		this.#changed();
	}

	/** @param {string} id of a message that came back from the server */
	confirm(id) {
		const message = this.#find(id);
		if (message) this.remove(message);
	}

	/** @param {string} from @param {string} to */
	changeKey(from, to) {
		for (const message of this.messages) if (message.key === from) message.key = to;
		this.#changed();
	}

	flush() {
		if (this.#inFlight) return;
		const next = this.messages.find(({ key, problem }) => !problem && !this.#paused.has(key) && this.#handlers.canSend(key));
		if (!next) return;
		const { key, text, kind, id } = next;
		const target = key.startsWith('@') ? { type: 'tell', to: key.slice(1) } : { type: 'say', room: key, kind };
		const request = { ...target, text, id, ref: id };
		const error = sizeError(request);
		if (error) return this.#refuse(next, error.message);
		this.#inFlight = id;
		this.#handlers.send(request);
	}

	/** Returns whether the message was in flight. @param {string | undefined} id */
	land(id) {
		const hasLanded = id === this.#inFlight;
		if (hasLanded) this.#inFlight = null;
		return hasLanded;
	}

	/** @param {string | undefined} id @param {RequestError} error */
	failed(id, error) {
		const message = this.#find(id);
		if (!message) return;
		const { key, hasRejoined } = message;
		if (error.pause !== null) this.#pause(key, error.pause);
		else if (error.code === 'not_in_room' && !hasRejoined && this.#handlers.rejoin(key)) message.hasRejoined = true;
		else this.#refuse(message, error.message);
	}

	/** The message in flight may be the cause, unless the page gave up. @param {number} [code] @param {string} [reason] */
	disconnected(code, reason) {
		const message = this.#find(this.#inFlight);
		this.#inFlight = null;
		this.#paused.clear();
		if (message && code && isCausedByMessage(code)) {
			this.#refuse(message, translate('closed_by_server', { code: reason || String(code) }));
		} else if (message && code === ABNORMAL) {
			message.breaks = (message.breaks ?? 0) + 1;
			if (message.breaks >= BREAKS_MAX) this.#refuse(message, translate('connection_failed'));
		}
		this.#changed();
	}

	/** @param {string | null | undefined} id */
	#find(id) {
		return this.messages.find((message) => message.id === id);
	}

	/** @param {string} key @param {number} ms */
	#pause(key, ms) {
		this.#paused.add(key);
		setTimeout(() => {
			this.#paused.delete(key);
			this.flush();
		}, ms);
	}

	/** @param {UnsentMessage} message @param {string} reason */
	#refuse(message, reason) {
		message.problem = translate('refused', { reason });
		this.#changed();
	}

	#changed() {
		tab.set('unsent', this.messages);
		this.#handlers.onChange();
		this.flush();
	}
}

export class Session {
	/** Whether the rooms are joined in this connection. */
	isReady = false;
	#handlers;
	/** @type {string | null} */
	#token = isReload ? tab.get('session', null) : takeClosedSession();
	/** The token that another tab has taken over. @type {string | null} */
	#lost = null;
	/** Requests by `ref`, and pauses. @type {Map<string | symbol | undefined, Pending>} */
	#pending = new Map();
	#requestCount = 0;

	/** @param {SessionHandlers} handlers */
	constructor(handlers) {
		this.#handlers = handlers;
		offerSessionOnClose(() => this.#token);
		this.connection = new Connection({
			onOpen: () => this.#hello(),
			onEvent: (event) => this.#receive(event),
			onClose: (code, reason) => this.#closed(code, reason),
			onRefused: handlers.onRefused,
		});
		this.queue = new SendQueue({
			send: (request) => this.connection.send(request),
			canSend: (key) => this.isReady && handlers.canSend(key),
			rejoin: handlers.rejoin,
			onChange: handlers.onQueueChange,
		});
	}

	/** Fails with a `RequestError`. @template {keyof Answers} T @param {T} type @param {object} members @returns {Promise<Answers[T]>} */
	request(type, members) {
		const ref = String((this.#requestCount += 1));
		const request = { type, ref, ...members };
		const error = sizeError(request) ?? (this.connection.isOpen ? null : closedError());
		if (error) return Promise.reject(error);
		this.connection.send(request);
		return new Promise((resolve, reject) => this.#pending.set(ref, { resolve, reject }));
	}

	/** Sends it again when the server says so. @template {keyof Answers} T @param {T} type @param {object} members @param {() => void} [onWait] */
	async requestWithRetry(type, members, onWait) {
		for (;;) {
			try {
				return await this.request(type, members);
			} catch (error) {
				const pause = error instanceof RequestError ? error.pause : null;
				if (pause === null) throw error;
				onWait?.();
				// Jitter: clients that are refused together do not return at once.
				await this.#pause(pause * (1 + Math.random() / 2));
			}
		}
	}

	/** @param {number} ms @returns {Promise<void>} */
	#pause(ms) {
		return new Promise((resolve, reject) => {
			const key = Symbol('pause');
			this.#pending.set(key, { reject });
			setTimeout(() => {
				this.#pending.delete(key);
				resolve();
			}, ms);
		});
	}

	async #hello() {
		try {
			const welcome = await this.requestWithRetry('hello', { nick: browser.get('nickname'), session: this.#token }, this.#handlers.onWait);
			this.#token = welcome.session;
			tab.set('session', this.#token);
			await this.#handlers.onWelcome(welcome);
			this.isReady = this.connection.isOpen;
			this.queue.flush();
		} catch (error) {
			// If the connection has ended, another follows.
			if (!this.connection.isOpen || !(error instanceof RequestError)) return;
			this.connection.drop();
			this.#handlers.onRefused(`${error.message}.`);
		}
	}

	/** @param {ServerEvent} event */
	#receive(event) {
		const { ref, id = ref } = event;
		const pending = this.#pending.get(ref);
		this.#pending.delete(ref);
		const hasLanded = this.queue.land(id);
		this.#handlers.onEvent(event, Boolean(pending));
		if (event.type === 'error') {
			const error = new RequestError(event);
			this.queue.failed(id, error);
			pending?.reject(error);
		} else {
			if (event.id) this.queue.confirm(event.id);
			pending?.resolve?.(event);
		}
		// Its author may have removed the message from the queue.
		if (hasLanded) this.queue.flush();
	}

	/** @param {number} [code] @param {string} [reason] */
	#closed(code, reason) {
		this.isReady = false;
		this.queue.disconnected(code, reason);
		// Another tab goes on with the session, so this tab begins a new one, if the server gives it one.
		if (code === REPLACED) {
			this.connection.isEnded = this.#token !== null && this.#token === this.#lost;
			[this.#lost, this.#token] = [this.#token, null];
		}
		for (const { reject } of this.#pending.values()) reject(closedError());
		this.#pending.clear();
		this.#handlers.onClose(code, reason);
	}
}
