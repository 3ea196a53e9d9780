// Who we are to the server, over any number of connections. What we say is sent
// one by one, and again with its id when one broke: it is said once, in order.
// A message that is refused stays here, and is sent again only by its author.

import { Connection } from './connection.js';
import { browser, isBack, leaveToOthers, tab, takeLeft } from './storage.js';
import { say } from './words.js';

const [REPLACED, KICKED] = [4001, 4009];
// Close codes that are no verdict on the message that was sent last. All other
// codes are one, those of a later version of the protocol among them.
const NO_VERDICT = [1000, 1001, 1005, 1006, 1012, 1013, 1014, 1015, 4001, 4002, 4003, 4008, 4009, 4029];
// A message that was on its way in so many breaks of a connection may be their cause.
const BREAKS_MAX = 3;
// The server reads no longer frame.
const FRAME_BYTES_MAX = 64 * 1024;
const PAUSE_MS = 1_000;
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 60_000;

const random = () => crypto.getRandomValues(new Uint32Array(2)).join('-');

/** How long to wait before the same request will do, or NaN if it never will. */
function pauseAfter({ code, retry_ms = code === 'rate_limited' ? PAUSE_MS : NaN }) {
	return Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, retry_ms));
}

// By this we know our own words again after a reload.
const MARK = (isBack && tab.get('mark')) || random();
tab.set('mark', MARK);
// Others could take it for their own, but not under our nicknames.
const nicks = new Set((isBack && tab.get('nicks')) || []);
export const isOwn = ({ id, nick }) => id.startsWith(MARK) && nicks.has(nick);

/** We have this nickname. */
export function answerTo(nick) {
	tab.set('nicks', [...nicks.add(nick)]);
}

/** The error that a request gets here already, if it is too long for the server. */
function objectionTo(request) {
	const bytes = new TextEncoder().encode(JSON.stringify(request)).length;
	if (bytes <= FRAME_BYTES_MAX) return null;
	return { code: 'too_long', message: say('too_long', { bytes, max: FRAME_BYTES_MAX }) };
}

export class Session {
	/** What was said and has not come back, the oldest first. */
	unsent = isBack ? tab.get('unsent', []) : [];
	isReady = false;
	#owner;
	#token = isBack ? tab.get('session') : takeLeft();
	// What waits for an answer of this connection, or for the time to ask again.
	#asked = new Map();
	#count = 0;
	// The id of the message that was sent over this connection and has not been answered.
	#sent = null;
	// The talks whose messages the server wants later.
	#held = new Set();

	/**
	 * The owner has `onWelcome(event)`, which joins, `onEvent`, `onClose`, `onUnsent`,
	 * `onWait()` when the server lets us wait at the door, `onRefused(sentence)` when
	 * it does not let us in, `maySay(key)`, and `rejoin(key)`: false if that is no
	 * room of ours.
	 */
	constructor(owner) {
		this.#owner = owner;
		leaveToOthers(() => this.#token);
		this.connection = new Connection({
			onOpen: () => this.#hello(),
			onEvent: (event) => this.#hear(event),
			onClose: (code, reason) => this.#closed(code, reason),
			onRefused: (sentence) => owner.onRefused(sentence),
		});
	}

	/** A request: its answer, or the error that it gets. */
	ask(type, members) {
		const ref = String((this.#count += 1));
		const request = { type, ref, ...members };
		const objection = objectionTo(request);
		if (objection) return Promise.reject(objection);
		this.connection.send(request);
		return new Promise((resolve, reject) => {
			if (this.connection.isOpen) this.#asked.set(ref, { resolve, reject });
			else reject({ code: 'closed' });
		});
	}

	/** The same, but a request that comes too early is made again later. */
	async insist(type, members, onWait = () => {}) {
		for (;;) {
			try {
				return await this.ask(type, members);
			} catch (error) {
				const pause = pauseAfter(error);
				if (Number.isNaN(pause)) throw error;
				onWait();
				// Those who were refused together do not return together.
				await this.#pause(pause * (1 + Math.random() / 2));
			}
		}
	}

	/** Ends with the connection at the latest. */
	#pause(milliseconds) {
		return new Promise((resolve, reject) => {
			const key = Symbol('pause');
			this.#asked.set(key, { reject });
			setTimeout(() => {
				this.#asked.delete(key);
				resolve();
			}, milliseconds);
		});
	}

	/** Says `text` in the talk `key`, as soon as that is possible. */
	say(key, text, kind = 'say') {
		this.unsent.push({ key, text, kind, id: `${MARK}.${random()}`, time: Date.now() });
		this.#changed();
	}

	retry(entry) {
		delete entry.problem;
		delete entry.breaks;
		delete entry.isAgain;
		this.#changed();
	}

	withdraw(entry) {
		this.unsent = this.unsent.filter((it) => it !== entry);
		this.#changed();
	}

	/** A message came in, from wherever; it may be one of ours. */
	arrived({ id }) {
		if (this.#find(id)) this.withdraw(this.#find(id));
	}

	/** Sends the oldest message that may be sent, when the one before is answered. */
	flush() {
		if (!this.isReady || this.#sent) return;
		const isDue = ({ key, problem }) => !problem && !this.#held.has(key) && this.#owner.maySay(key);
		const next = this.unsent.find(isDue);
		if (!next) return;
		const { key, text, kind, id } = next;
		const where = key.startsWith('@') ? { type: 'tell', to: key.slice(1) } : { type: 'say', room: key, kind };
		const request = { ...where, text, id, ref: id };
		const objection = objectionTo(request);
		if (objection) return this.#refuse(next, objection.message);
		this.#sent = id;
		this.connection.send(request);
	}

	#find(id) {
		return this.unsent.find((it) => it.id === id);
	}

	async #hello() {
		try {
			const hello = { nick: browser.get('nickname'), session: this.#token };
			const welcome = await this.insist('hello', hello, () => this.#owner.onWait());
			this.#token = welcome.session;
			tab.set('session', this.#token);
			await this.#owner.onWelcome(welcome);
			this.isReady = this.connection.isOpen;
			this.#changed();
		} catch {} // Another connection will come.
	}

	#hear(event) {
		const { type, ref, id = ref } = event;
		const asked = this.#asked.get(ref);
		this.#asked.delete(ref);
		const isAnswered = id === this.#sent;
		if (isAnswered) this.#sent = null;
		this.#owner.onEvent(event);
		if (type !== 'error') {
			if (event.id) this.arrived(event);
			asked?.resolve(event);
		} else {
			if (this.#find(id)) this.#failed(this.#find(id), event);
			asked?.reject(event);
		}
		// Its author may have withdrawn it.
		if (isAnswered) this.flush();
	}

	#failed(entry, error) {
		const { key } = entry;
		const pause = pauseAfter(error);
		if (!Number.isNaN(pause)) {
			// Only the others in its talk wait with it.
			this.#held.add(key);
			setTimeout(() => {
				this.#held.delete(key);
				this.flush();
			}, pause);
		} else if (error.code === 'not_in_room' && !entry.isAgain && this.#owner.rejoin(key)) {
			entry.isAgain = true;
		} else {
			this.#refuse(entry, error.message ?? error.code);
		}
	}

	#refuse(entry, reason) {
		entry.problem = say('refused', { reason });
		this.#changed();
	}

	/** The connection ended while `entry` was on its way. */
	#suspect(entry, code, reason) {
		if (code && !NO_VERDICT.includes(code)) return this.#refuse(entry, say('verdict', { code: reason || String(code) }));
		// Not when we gave up, and not when the server said goodbye.
		if (code === 1006) entry.breaks = (entry.breaks ?? 0) + 1;
		if (entry.breaks >= BREAKS_MAX) this.#refuse(entry, say('breaks'));
	}

	#closed(code, reason) {
		const entry = this.#find(this.#sent);
		this.isReady = false;
		this.#sent = null;
		this.#held.clear();
		if (entry) this.#suspect(entry, code, reason);
		// Another tab goes on as who we were, so we begin as somebody else.
		if (code === REPLACED) this.#token = null;
		for (const { reject } of this.#asked.values()) reject({ code: 'closed' });
		this.#asked.clear();
		this.#owner.onClose();
		this.#changed();
		return code !== KICKED;
	}

	#changed() {
		tab.set('unsent', this.unsent);
		this.#owner.onUnsent();
		this.flush();
	}
}
