// Where we are and what we know of it: the talks, kept in step with what the
// server says. `view` is told what to show.

import { answerTo, Session } from './session.js';
import { browser, tab } from './storage.js';
import { Talk } from './talk.js';

export const LOBBY = 'lobby';
// As many messages as the server puts into one page.
const FILL_MAX = 100;

export class Chat {
	talks = new Map();
	active;
	nick = '';
	limits = {};
	canSearch = false;
	#view;
	#isReading = false;

	constructor(view) {
		this.#view = view;
		this.session = new Session({
			onWelcome: (event) => this.#welcome(event),
			onEvent: (event) => this.#on[event.type]?.(event),
			onClose: () => {
				for (const talk of this.talks.values()) Object.assign(talk, { isJoined: false, joining: null });
				view.disconnected();
			},
			onUnsent: () => view.unsent(),
			onWait: () => view.waiting(),
			onRefused: (sentence) => view.refused(sentence),
			// Behind a join that may be refused for now.
			maySay: (key) => !this.talks.get(key)?.joining,
			rejoin: (key) => {
				const talk = this.talks.get(key);
				if (!talk?.isRoom) return false;
				talk.isJoined = false;
				this.#join(talk).catch(() => {});
				return true;
			},
		});
		tab.get('rooms', [LOBBY]).forEach((key) => this.#open(key));
	}

	/** Shows a talk, and joins it if it is a room that we are not in. */
	async visit(key) {
		this.#show(this.#open(key));
		const { isRoom, isJoined } = this.active;
		if (isRoom && !isJoined && this.session.isReady) await this.#join(this.active);
	}

	/** Shows a message that was found, with what was said around it. */
	async jump({ room, seq, time }) {
		const talk = this.#open(room);
		if (!talk.isJoined) await this.#join(talk);
		if (!talk.isJoined) return;
		const find = (it) => it.items.find((item) => item.seq === seq && item.time === time);
		const place = find(talk) ? talk : talk.recall(await this.session.insist('history', { room, before: seq + 8 }));
		this.#show(place, find(place));
	}

	async leave(talk) {
		await talk.joining?.catch(() => {});
		if (talk.isJoined) await this.session.insist('part', { room: talk.key });
		this.#close(talk.key);
	}

	async rename(nick) {
		if (this.session.isReady) await this.session.ask('nick', { nick });
		// As the server writes it, or it would seem taken the next time.
		browser.set('nickname', this.session.isReady ? this.nick : nick);
	}

	/** Asks for what was said before what is shown, or after it. */
	async read(isBack) {
		const { active, session } = this;
		const { key, items, oldest, isJoined } = active;
		if (this.#isReading || !isJoined) return;
		this.#isReading = true;
		// So many come in one answer, however long they are.
		const part = isBack ? { before: oldest } : { before: items.at(-1).seq + 16, limit: 15 };
		const page = await session.insist('history', { room: key, ...part }).finally(() => (this.#isReading = false));
		const { length } = items;
		const shown = isBack ? active.remember(page) : active.goOn(page.messages);
		const count = items.length - length;
		if (active !== this.active || !count) return;
		this.active = shown;
		this.#view.grown(isBack ? count : 0);
	}

	/** Asks for what is missing at a gap of what is shown, the newest of it first. */
	async fill(gap) {
		const { active: talk, session } = this;
		const before = talk.end(gap);
		if (this.#isReading || !talk.isJoined || !before) return;
		this.#isReading = true;
		const part = { room: talk.key, before, limit: FILL_MAX };
		const page = await session
			.insist('history', part)
			.catch((error) => {
				// It would be asked for again as long as the gap is in sight.
				gap.hasMore = error.code === 'closed';
				throw error;
			})
			.finally(() => (this.#isReading = false));
		// The past may have taken its place meanwhile.
		if (!talk.items.includes(gap)) return;
		const { at, fresh, isGone } = talk.fill(gap, page);
		for (const item of fresh) this.session.arrived(item);
		if (talk === this.active) this.#view.filled(at, fresh.length, isGone);
	}

	/** Asks for more of those who are in a large room. */
	async list({ now: talk }) {
		if (talk.isListing) return;
		talk.isListing = true;
		const page = () => this.session.insist('members', talk.unlisted);
		const again = (error) => {
			if (error.code !== 'no_such_nick') throw error;
			talk.unlist();
			return page().catch(again);
		};
		try {
			talk.list(await page().catch(again));
		} finally {
			talk.isListing = false;
		}
		this.#view.listed();
	}

	/** Says a message that was refused once more. */
	async retry(entry) {
		const talk = this.talks.get(entry.key);
		const joining = talk?.isRoom && !talk.isJoined && this.session.isReady ? this.#join(talk) : null;
		this.session.retry(entry);
		await joining;
	}

	seen() {
		if (!this.active.unread) return;
		Object.assign(this.active, { unread: 0, isCalled: false });
		this.#view.listed();
	}

	/** A line for us alone. */
	note(text) {
		this.active.now.add({ kind: 'note', text });
		this.#view.appended(this.active.now);
	}

	#show(talk, found) {
		if (this.active) this.active.divider = null;
		this.active = talk;
		this.#view.visited(found);
	}

	#open(key) {
		if (!this.talks.has(key)) this.talks.set(key, new Talk(key));
		this.#remember();
		return this.talks.get(key);
	}

	#close(key) {
		this.talks.delete(key);
		this.#remember();
		if (this.active.key === key) this.visit(this.talks.keys().next().value ?? LOBBY);
	}

	#remember() {
		tab.set('rooms', [...this.talks.keys()].filter((key) => !key.startsWith('@')));
		this.#view.listed();
	}

	async #welcome({ nick, limits, search: canSearch }) {
		const wish = nick !== this.nick && browser.get('nickname');
		Object.assign(this, { nick, limits, canSearch });
		answerTo(nick);
		// One by one: the answers may be long.
		for (const talk of this.talks.values()) if (talk.isRoom && !talk.isJoined) await this.#join(talk);
		this.#view.named(wish);
		this.#view.connected();
	}

	/** Joins a room, once at a time. */
	#join(talk) {
		talk.joining ??= this.#joinInParts(talk);
		return talk.joining;
	}

	async #joinInParts(talk) {
		// What was said before we came was not missed.
		const { isNew } = talk;
		try {
			do this.#joined(talk, await this.session.insist('join', talk.since), isNew);
			while (!talk.isJoined);
		} catch (error) {
			if (!error.code || error.code === 'closed') throw error;
			this.#shutOut(talk, error);
		}
		// Another connection begins with another promise.
		talk.joining = null;
		this.session.flush();
	}

	#joined(talk, answer, isNew) {
		for (const item of talk.joined(answer)) {
			this.session.arrived(item);
			if (!isNew) this.#count(talk, item);
		}
		// The past may be numbered anew.
		if (!answer.recovered && talk.isPrototypeOf(this.active)) this.#show(talk);
		this.#view.joined(talk);
	}

	/** A room that we have been in stays, with what was said there. */
	#shutOut(talk, error) {
		const text = error.message ?? error.code;
		if (talk.isNew && talk.key !== LOBBY) this.#close(talk.key);
		else if (talk.items.at(-1)?.text !== text) {
			talk.add({ kind: 'note', text });
			this.#view.appended(talk);
		}
		this.#view.failed(error);
	}

	#heard(talk, message) {
		const item = talk.heard(message);
		if (!item) return;
		this.#count(talk, item);
		this.#view.appended(talk);
	}

	#count(talk, item) {
		if (item.isOwn || this.#view.isLookingAt(talk)) return;
		if (!talk.unread) talk.divider = item;
		talk.unread += 1;
		if (talk.isRoom && !this.#view.isMentioned(item.text)) return;
		talk.isCalled = true;
		this.#view.called(talk, item);
	}

	#change(room, ...change) {
		const talk = this.talks.get(room);
		if (talk?.isJoined) this.#view.appended(talk, !talk.fold(...change));
	}

	#on = {
		message: (event) => {
			// What comes before we are in comes again with the answer to our join.
			const talk = this.talks.get(event.room);
			if (talk?.isJoined) this.#heard(talk, event);
		},
		private: ({ from, to, ...rest }) => {
			const talk = this.#open(`@${from === this.nick ? to : from}`);
			this.#heard(talk, { ...rest, nick: from });
		},
		notice: ({ text }) => this.note(text),
		arrived: ({ room, nick }) => this.#change(room, 'joined', nick),
		left: ({ room, nick }) => this.#change(room, 'left', nick),
		renamed: ({ from, to, rooms }) => {
			if (from === this.nick) answerTo((this.nick = to));
			this.#view.named();
			for (const room of rooms) this.#change(room, 'renamed', from, to);
			const talk = this.talks.get(`@${from}`);
			if (!talk) return;
			this.talks.delete(talk.key);
			talk.key = `@${to}`;
			this.talks.set(talk.key, talk);
			for (const entry of this.session.unsent) if (entry.key === `@${from}`) entry.key = talk.key;
			if (this.active === talk) this.#view.titled();
		},
	};
}
