// One WebSocket, always there or on its way back. Objects go in and out.

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;
const OPENING_MAX_MS = 10_000;
// After so much silence we ask whether anybody is there.
const SILENCE_MAX_MS = 20_000;
const ANSWER_MAX_MS = 5_000;
// What fell sooner was no success: a server that drops us is spared.
const SETTLED_MS = 5_000;
const SENTENCE_MAX = 300;

export class Connection {
	#owner;
	#socket;
	#timer;
	#failures = 0;
	#openedAt = Infinity;

	/**
	 * The owner has `onOpen()`, `onEvent(object)`, `onClose(code, reason)`: false to
	 * stay away, and `onRefused(sentence)`: why we are not let in, if that is known.
	 */
	constructor(owner) {
		this.#owner = owner;
		// The network or the reader is back; a socket may have died in its sleep.
		const wake = () => document.hidden || (this.isOpen ? this.#check() : this.#socket ?? this.open());
		for (const sign of ['online', 'pageshow', 'focus', 'visibilitychange']) addEventListener(sign, wake);
		addEventListener('pagehide', () => {
			this.#closed();
			clearTimeout(this.#timer);
		});
	}

	get isOpen() {
		return this.#socket?.readyState === WebSocket.OPEN;
	}

	send(object) {
		if (this.isOpen) this.#socket.send(JSON.stringify(object));
	}

	open() {
		// Always the host and port that the page came from, whoever serves it.
		const socket = new WebSocket(location.origin.replace(/^http/u, 'ws'), 'chinwag.v1');
		this.#socket = socket;
		this.#after(OPENING_MAX_MS, () => this.#closed());
		socket.onopen = () => {
			this.#openedAt = performance.now();
			this.#owner.onOpen();
		};
		socket.onmessage = ({ data }) => {
			this.#after(SILENCE_MAX_MS, () => this.#check());
			this.#owner.onEvent(JSON.parse(data));
		};
		socket.onclose = ({ code, reason }) => this.#closed(code, reason);
	}

	#after(ms, act) {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(act, ms);
	}

	#check() {
		this.#after(ANSWER_MAX_MS, () => this.#closed());
		this.send({ type: 'ping' });
	}

	#closed(code, reason) {
		const socket = this.#socket;
		if (!socket) return;
		const wasOpen = this.#openedAt !== Infinity;
		this.#socket = socket.onopen = socket.onmessage = socket.onclose = null;
		socket.close();
		if (performance.now() - this.#openedAt > SETTLED_MS) this.#failures = 0;
		this.#openedAt = Infinity;
		// Full jitter: a hundred pages that lost a server do not return as one.
		const pause = Math.random() * Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#failures++);
		this.#after(pause, () => this.open());
		if (this.#owner.onClose(code, reason) === false) clearTimeout(this.#timer);
		else if (code && !wasOpen) this.#askWhy();
	}

	/** A browser does not tell how the server answered, so we ask once more. */
	async #askWhy() {
		let sentence = '';
		try {
			const address = `/healthz?why=${encodeURIComponent(location.origin)}`;
			const answer = await fetch(address, { cache: 'no-store', signal: AbortSignal.timeout(OPENING_MAX_MS) });
			const isSentence = [403, 503].includes(answer.status) && answer.headers.get('content-type')?.startsWith('text/plain');
			if (isSentence) sentence = (await answer.text()).trim().slice(0, SENTENCE_MAX);
		} catch {} // It is away.
		if (!this.isOpen) this.#owner.onRefused(sentence);
	}
}
