// @ts-check
// The members of a room. The server lists those of a large room in pages.

import { RequestError } from '../net/protocol.js';

/** @import { MembersEvent } from '../net/types' */
/** @import { MemberChange } from './types' */
/** @import { Session } from '../net/session.js' */

export class MemberList {
	/** Known members, in the order of their arrival. @type {string[]} */
	nicks = [];
	/** Number of all members. */
	count = 0;
	/** How many came in pages. The others arrived later. */
	#paged = 0;
	#isLoading = false;

	/**
	 * @param {string[]} nicks
	 * @param {number} count
	 */
	reset(nicks, count) {
		this.nicks = nicks;
		this.count = count;
		this.#paged = nicks.length;
	}

	/**
	 * @param {Session} session
	 * @param {string} room
	 */
	async loadPage(session, room) {
		if (this.#isLoading) return;
		this.#isLoading = true;
		try {
			this.#addPage(await this.#request(session, room));
		} finally {
			this.#isLoading = false;
		}
	}

	/**
	 * @param {Session} session
	 * @param {string} room
	 * @returns {Promise<MembersEvent>}
	 */
	async #request(session, room) {
		try {
			return await session.requestWithRetry('members', { room, after: this.nicks[this.#paged - 1] });
		} catch (error) {
			if (!(error instanceof RequestError) || error.code !== 'no_such_nick') throw error;
			// The last member of the page before has left: the next page begins one earlier.
			this.#paged = Math.max(0, this.#paged - 1);
			return this.#request(session, room);
		}
	}

	/** @param {MembersEvent} page */
	#addPage({ members, members_count }) {
		const paged = new Set([...this.nicks.slice(0, this.#paged), ...members]);
		this.nicks = [...new Set([...paged, ...this.nicks])];
		this.#paged = paged.size;
		this.count = Math.max(members_count, this.nicks.length);
	}

	/** @param {MemberChange} change */
	apply({ type, nick, to = nick }) {
		if (type === 'joined') this.#add(nick);
		else if (type === 'left') this.#remove(nick);
		else this.nicks = this.nicks.map((other) => (other === nick ? to : other));
	}

	/** @param {string} nick */
	#add(nick) {
		if (this.nicks.includes(nick)) return;
		this.nicks = [...this.nicks, nick];
		this.count += 1;
	}

	/** @param {string} nick */
	#remove(nick) {
		const index = this.nicks.indexOf(nick);
		this.nicks = this.nicks.filter((other) => other !== nick);
		if (index >= 0 && index < this.#paged) this.#paged -= 1;
		this.count = Math.max(this.nicks.length, this.count - 1);
	}
}
