// Who we are to the server, over any number of connections. What we say is sent
// one by one, and again with its id when one broke: it is said once, in order.

import { Connection } from './connection.js';
import { browser, isBack, tab } from './storage.js';

const [REPLACED, KICKED] = [4001, 4009];
const random = () => crypto.getRandomValues(new Uint32Array(2)).join('-');

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

export class Session {
	/** What was said and has not come back, the oldest first. */
	unsent = isBack ? tab.get('unsent', []) : [];
	isReady = false;
	#owner;
	#token = isBack ? tab.get('session') : null;
	#asked = new Map();
	#count = 0;
	#timer;
	// What was sent over this connection and has not been answered.
	#sent;

	/** The owner has `onWelcome(event)`, which joins, `onEvent`, `onClose` and `onUnsent`. */
	constructor(owner) {
		this.#owner = owner;
		this.connection = new Connection({
			onOpen: () => this.#hello(),
			onEvent: (event) => this.#hear(event),
			onClose: (code) => this.#closed(code),
		});
	}

	/** A request: its answer, or the error that it gets. */
	ask(type, members) {
		const ref = String((this.#count += 1));
		this.connection.send({ type, ref, ...members });
		return new Promise((resolve, reject) => {
			if (this.connection.isOpen) this.#asked.set(ref, { resolve, reject });
			else reject({ code: 'closed' });
		});
	}

	/** Says `text` in the talk `key`, as soon as that is possible. */
	say(key, text, kind = 'say') {
		this.unsent.push({ key, text, kind, id: `${MARK}.${random()}`, time: Date.now() });
		this.#changed();
	}

	retry(entry) {
		delete entry.problem;
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

	#find(id) {
		return this.unsent.find((it) => it.id === id);
	}

	async #hello() {
		try {
			const hello = { nick: browser.get('nickname'), session: this.#token };
			const welcome = await this.ask('hello', hello);
			this.#token = welcome.session;
			tab.set('session', this.#token);
			await this.#owner.onWelcome(welcome);
			this.isReady = this.connection.isOpen;
			this.#changed();
		} catch {} // Another connection will come.
	}

	#hear(event) {
		const { type, ref, id } = event;
		const asked = this.#asked.get(ref);
		this.#asked.delete(ref);
		this.#owner.onEvent(event);
		if (type !== 'error') {
			if (id) this.arrived(event);
			asked?.resolve(event);
		} else {
			if (this.#find(id)) this.#failed(this.#find(id), event);
			asked?.reject(event);
		}
	}

	#failed(entry, { code, message, retry_ms }) {
		if (code === 'rate_limited') {
			this.#timer = setTimeout(() => this.#flush((this.#sent = null)), retry_ms);
		} else {
			entry.problem = message;
			this.#changed();
		}
	}

	#closed(code) {
		this.isReady = false;
		this.#sent = null;
		clearTimeout(this.#timer);
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
		this.#flush();
	}

	/** Sends the oldest that is to be sent. */
	#flush() {
		const next = this.unsent.find((entry) => !entry.problem);
		if (!this.isReady || !next || next.id === this.#sent) return;
		const { key, text, kind, id } = next;
		this.#sent = id;
		const where = key.startsWith('@') ? { type: 'tell', to: key.slice(1) } : { type: 'say', room: key, kind };
		this.connection.send({ ...where, text, id });
	}
}
