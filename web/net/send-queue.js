// @ts-check
// Messages of the user until the server has confirmed them. They are sent one by
// one, and again with the same id after a broken connection, so that each is said
// once and in order. A message that is refused waits for its author.

import { translate } from '../i18n/translate.js';
import { isReload, tab } from '../storage/storage.js';
import { newMessageId } from './identity.js';
import { ABNORMAL, excessOf, isCausedByMessage } from './protocol.js';

/** @import { RequestError } from './protocol.js' */

/**
 * @typedef {object} UnsentMessage
 * @property {string} key of the conversation: a room name, or a nickname after an @
 * @property {string} text
 * @property {'say' | 'me'} kind
 * @property {string} id
 * @property {number} time
 * @property {string} [problem] why it is not sent; only its author sends it again
 * @property {number} [breaks] how many connections broke while it was in flight
 * @property {boolean} [hasRejoined] whether the room was joined again for it
 */

/**
 * @typedef {object} SendQueueHandlers
 * @property {(request: object) => void} send
 * @property {(key: string) => boolean} canSend returns whether messages of the conversation can be sent now
 * @property {(key: string) => boolean} rejoin joins a room again; returns false if it is not one of the user's rooms
 * @property {() => void} onChange
 */

/** Maximum number of connections that break while a message is in flight. It may be the cause. */
const BREAKS_MAX = 3;

export class SendQueue {
	/** Unconfirmed messages, the oldest first. @type {UnsentMessage[]} */
	messages = isReload ? tab.get('unsent', []) : [];
	#handlers;
	/** Id of the message that was sent and has no answer. @type {string | null} */
	#inFlight = null;
	/** Conversations whose messages the server accepts later. @type {Set<string>} */
	#paused = new Set();

	/** @param {SendQueueHandlers} handlers */
	constructor(handlers) {
		this.#handlers = handlers;
	}

	/**
	 * Adds a message, and sends it as soon as possible.
	 * @param {string} key
	 * @param {string} text
	 * @param {'say' | 'me'} kind
	 */
	add(key, text, kind) {
		this.messages.push({ key, text, kind, id: newMessageId(), time: Date.now() });
		this.#changed();
	}

	/**
	 * Sends a refused message again.
	 * @param {UnsentMessage} message
	 */
	retry(message) {
		delete message.problem;
		delete message.breaks;
		delete message.hasRejoined;
		this.#changed();
	}

	/** @param {UnsentMessage} message */
	remove(message) {
		this.messages = this.messages.filter((other) => other !== message);
		this.#changed();
	}

	/**
	 * Removes a message that came back from the server, if it is in the queue.
	 * @param {string} id
	 */
	confirm(id) {
		const message = this.#find(id);
		if (message) this.remove(message);
	}

	/**
	 * Moves messages to a conversation partner's new nickname.
	 * @param {string} from
	 * @param {string} to
	 */
	changeKey(from, to) {
		for (const message of this.messages) if (message.key === from) message.key = to;
		this.#changed();
	}

	/** Sends the oldest message that can be sent, unless another is in flight. */
	flush() {
		if (this.#inFlight) return;
		const next = this.messages.find(({ key, problem }) => !problem && !this.#paused.has(key) && this.#handlers.canSend(key));
		if (!next) return;
		const request = requestFor(next);
		const excess = excessOf(request);
		if (excess) {
			this.#refuse(next, translate('too_long', excess));
			return;
		}
		this.#inFlight = next.id;
		this.#handlers.send(request);
	}

	/**
	 * Ends the flight of a message. Returns false if another message, or none, is in flight.
	 * @param {string | undefined} id
	 */
	land(id) {
		if (!this.#inFlight || id !== this.#inFlight) return false;
		this.#inFlight = null;
		return true;
	}

	/**
	 * Handles the error answer to a message.
	 * @param {string | undefined} id
	 * @param {RequestError} error
	 */
	failed(id, error) {
		const message = this.#find(id);
		if (!message) return;
		if (error.pause !== null) this.#pause(message.key, error.pause);
		else if (this.#canRejoin(message, error)) message.hasRejoined = true;
		else this.#refuse(message, error.message);
	}

	/**
	 * Handles the end of the connection.
	 * @param {number} [code]
	 * @param {string} [reason]
	 */
	disconnected(code, reason) {
		const message = this.#find(this.#inFlight);
		this.#inFlight = null;
		this.#paused.clear();
		if (message) this.#countBreak(message, code, reason);
		this.#changed();
	}

	/** @param {string | null | undefined} id */
	#find(id) {
		return this.messages.find((message) => message.id === id);
	}

	/**
	 * Only messages of the same conversation wait.
	 * @param {string} key
	 * @param {number} ms
	 */
	#pause(key, ms) {
		this.#paused.add(key);
		setTimeout(() => {
			this.#paused.delete(key);
			this.flush();
		}, ms);
	}

	/**
	 * @param {UnsentMessage} message
	 * @param {RequestError} error
	 */
	#canRejoin({ key, hasRejoined }, error) {
		return error.code === 'not_in_room' && !hasRejoined && this.#handlers.rejoin(key);
	}

	/**
	 * The message may be the cause, but not if the page gave up or the server closed for another reason.
	 * @param {UnsentMessage} message
	 * @param {number} [code]
	 * @param {string} [reason]
	 */
	#countBreak(message, code, reason) {
		if (code && isCausedByMessage(code)) {
			this.#refuse(message, translate('closed_by_server', { code: reason || String(code) }));
		} else if (code === ABNORMAL) {
			message.breaks = (message.breaks ?? 0) + 1;
			if (message.breaks >= BREAKS_MAX) this.#refuse(message, translate('connection_failed'));
		}
	}

	/**
	 * @param {UnsentMessage} message
	 * @param {string} reason
	 */
	#refuse(message, reason) {
		message.problem = translate('refused', { reason });
		this.#changed();
	}

	/** Stores the messages for a reload of the tab, and sends the next. */
	#changed() {
		tab.set('unsent', this.messages);
		this.#handlers.onChange();
		this.flush();
	}
}

/** @param {UnsentMessage} message */
function requestFor({ key, text, kind, id }) {
	const common = { text, id, ref: id };
	return key.startsWith('@') ? { type: 'tell', to: key.slice(1), ...common } : { type: 'say', room: key, kind, ...common };
}
