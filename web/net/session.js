// @ts-check
// The session of this tab, over any number of connections: requests and answers.

import { translate } from '../i18n/translate.js';
import { browser, isReload, offerSessionOnClose, tab, takeClosedSession } from '../storage/storage.js';
import { Connection } from './connection.js';
import { excessOf, REPLACED, RequestError } from './protocol.js';
import { SendQueue } from './send-queue.js';

/** @import { Answers, Pending, ServerEvent, SessionHandlers } from './types' */

const closedError = () => new RequestError({ code: 'closed', message: translate('disconnected') });

export class Session {
	/** Whether the rooms are joined in this connection. */
	isReady = false;
	#handlers;
	/** @type {string | null} */
	#token = isReload ? tab.get('session', null) : takeClosedSession();
	/** Requests by `ref`, and pauses. All end with the connection. @type {Map<string | symbol, Pending>} */
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

	/**
	 * Returns the answer to a request. Fails with a `RequestError`.
	 * @template {keyof Answers} T
	 * @param {T} type
	 * @param {object} members
	 * @returns {Promise<Answers[T]>}
	 */
	request(type, members) {
		this.#requestCount += 1;
		const ref = String(this.#requestCount);
		const request = { type, ref, ...members };
		const excess = excessOf(request);
		if (excess) return Promise.reject(new RequestError({ code: 'too_long', message: translate('too_long', excess) }));
		if (!this.connection.isOpen) return Promise.reject(closedError());
		this.connection.send(request);
		return new Promise((resolve, reject) => this.#pending.set(ref, { resolve, reject }));
	}

	/**
	 * Sends a request again each time the server asks the client to wait.
	 * @template {keyof Answers} T
	 * @param {T} type
	 * @param {object} members
	 * @param {() => void} [onWait]
	 * @returns {Promise<Answers[T]>}
	 */
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

	/** @param {number} ms */
	#pause(ms) {
		return /** @type {Promise<void>} */ (new Promise((resolve, reject) => {
			const key = Symbol('pause');
			this.#pending.set(key, { reject });
			setTimeout(() => {
				this.#pending.delete(key);
				resolve();
			}, ms);
		}));
	}

	async #hello() {
		try {
			const hello = { nick: browser.get('nickname'), session: this.#token };
			const welcome = await this.requestWithRetry('hello', hello, this.#handlers.onWait);
			this.#token = welcome.session;
			tab.set('session', this.#token);
			await this.#handlers.onWelcome(welcome);
			this.isReady = this.connection.isOpen;
			this.queue.flush();
		} catch {} // The connection has ended, and another follows.
	}

	/** @param {ServerEvent} event */
	#receive(event) {
		const { ref, id = ref } = event;
		const pending = ref === undefined ? undefined : this.#take(ref);
		const hasLanded = this.queue.land(id);
		this.#handlers.onEvent(event);
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

	/** @param {string} ref */
	#take(ref) {
		const pending = this.#pending.get(ref);
		this.#pending.delete(ref);
		return pending;
	}

	/**
	 * @param {number} [code]
	 * @param {string} [reason]
	 */
	#closed(code, reason) {
		this.isReady = false;
		this.queue.disconnected(code, reason);
		// Another tab goes on with the session, so this tab begins a new one.
		if (code === REPLACED) this.#token = null;
		for (const { reject } of this.#pending.values()) reject(closedError());
		this.#pending.clear();
		this.#handlers.onClose();
	}
}
