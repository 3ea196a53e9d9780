// @ts-check
// Messages of the user until the server confirms them. They are sent singly, and again
// with the same id after a broken connection, so that each arrives once and in order.

import { translate } from '../i18n/translate.js';
import { isReload, tab } from '../storage/storage.js';
import { ABNORMAL, excessOf, isCausedByMessage } from './protocol.js';

/** @import { SendQueueHandlers, UnsentMessage } from './types' */
/** @import { RequestError } from './protocol.js' */

const random = () => crypto.getRandomValues(new Uint32Array(2)).join('-');

/** Prefix of all message ids of this tab. @type {string} */
const ID_PREFIX = (isReload && tab.get('mark')) || random();
tab.set('mark', ID_PREFIX);

/** Nicknames of this tab. Others may use the prefix, but not under these. @type {Set<string>} */
const ownNicks = new Set(isReload ? tab.get('nicks', []) : []);

const newMessageId = () => `${ID_PREFIX}.${random()}`;

/** @param {string} nick */
export function addOwnNick(nick) {
	tab.set('nicks', [...ownNicks.add(nick)]);
}

/** Returns whether this tab has sent a message. @param {{ id: string, nick: string }} message */
export const isOwn = ({ id, nick }) => id.startsWith(ID_PREFIX) && ownNicks.has(nick);

/** Maximum number of connections that break with the same message in flight. */
const BREAKS_MAX = 3;

export class SendQueue {
	/** Unconfirmed messages, the oldest first. @type {UnsentMessage[]} */
	messages = isReload ? tab.get('unsent', []) : [];
	#handlers;
	/** Id of the message that waits for an answer. @type {string | null} */
	#inFlight = null;
	/** Conversations whose messages the server accepts later. @type {Set<string>} */
	#paused = new Set();

	/** @param {SendQueueHandlers} handlers */
	constructor(handlers) {
		this.#handlers = handlers;
	}

	/**
	 * @param {string} key
	 * @param {string} text
	 * @param {'say' | 'me'} kind
	 */
	add(key, text, kind) {
		this.messages.push({ key, text, kind, id: newMessageId(), time: Date.now() });
		this.#changed();
	}

	/**
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

	/** Removes a message that came back from the server. @param {string} id */
	confirm(id) {
		const message = this.#find(id);
		if (message) this.remove(message);
	}

	/**
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

	/** Returns whether the message was in flight. @param {string | undefined} id */
	land(id) {
		if (!this.#inFlight || id !== this.#inFlight) return false;
		this.#inFlight = null;
		return true;
	}

	/**
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
	 * The message may be the cause, unless the page gave up.
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
