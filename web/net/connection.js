// @ts-check
// A WebSocket to the server that reconnects by itself. JSON objects go in and out.

/** @import { ConnectionHandlers } from './types' */

/** Maximum pause before the first retry. It doubles with each failure. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 10_000;
const OPENING_MAX_MS = 10_000;
/** How long the server may be silent before it gets a ping. */
const SILENCE_MAX_MS = 20_000;
const PONG_MAX_MS = 5_000;
/** How long a connection must last to reset the backoff. */
const STABLE_MS = 5_000;
const REASON_CHARACTERS_MAX = 300;

export class Connection {
	#handlers;
	/** @type {WebSocket | null} */
	#socket = null;
	/** @type {number | undefined} */
	#timer;
	#failures = 0;
	/** @type {number | null} */
	#openedAt = null;

	/** @param {ConnectionHandlers} handlers */
	constructor(handlers) {
		this.#handlers = handlers;
		for (const type of ['online', 'pageshow', 'focus', 'visibilitychange']) addEventListener(type, () => this.#wake());
		addEventListener('pagehide', () => {
			this.#closed();
			clearTimeout(this.#timer);
		});
	}

	get isOpen() {
		return this.#socket?.readyState === WebSocket.OPEN;
	}

	/** Sends a request if the connection is open. @param {object} request */
	send(request) {
		if (this.isOpen) this.#socket?.send(JSON.stringify(request));
	}

	open() {
		// The host and port of the page, in case a proxy serves it.
		const socket = new WebSocket(location.origin.replace(/^http/u, 'ws'), 'chinwag.v1');
		this.#socket = socket;
		this.#schedule(OPENING_MAX_MS, () => this.#closed());
		socket.onopen = () => {
			this.#openedAt = performance.now();
			this.#handlers.onOpen();
		};
		socket.onmessage = ({ data }) => {
			this.#schedule(SILENCE_MAX_MS, () => this.#ping());
			this.#handlers.onEvent(JSON.parse(data));
		};
		socket.onclose = ({ code, reason }) => this.#closed(code, reason);
	}

	/** The connection may have broken unnoticed while the network or the reader was away. */
	#wake() {
		if (document.hidden) return;
		if (this.isOpen) this.#ping();
		else if (!this.#socket) this.open();
	}

	/**
	 * @param {number} ms
	 * @param {() => void} act
	 */
	#schedule(ms, act) {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(act, ms);
	}

	#ping() {
		this.#schedule(PONG_MAX_MS, () => this.#closed());
		this.send({ type: 'ping' });
	}

	/**
	 * @param {number} [code]
	 * @param {string} [reason]
	 */
	#closed(code, reason) {
		if (!this.#socket) return;
		discard(this.#socket);
		this.#socket = null;
		const openedAt = this.#openedAt;
		this.#openedAt = null;
		if (openedAt !== null && performance.now() - openedAt > STABLE_MS) this.#failures = 0;
		this.#reopenLater();
		this.#handlers.onClose(code, reason);
		if (code && openedAt === null) this.#reportRefusal();
	}

	#reopenLater() {
		const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#failures);
		this.#failures += 1;
		// Full jitter: many pages that lost a server do not return at once.
		this.#schedule(Math.random() * backoff, () => this.open());
	}

	/** Browsers do not tell why a handshake failed, but the server does. */
	async #reportRefusal() {
		const reason = await refusalReason().catch(() => '');
		if (!this.isOpen) this.#handlers.onRefused(reason);
	}
}

/** @param {WebSocket} socket */
function discard(socket) {
	socket.onopen = null;
	socket.onmessage = null;
	socket.onclose = null;
	socket.close();
}

async function refusalReason() {
	const address = `/healthz?why=${encodeURIComponent(location.origin)}`;
	const response = await fetch(address, { cache: 'no-store', signal: AbortSignal.timeout(OPENING_MAX_MS) });
	const isRefused = response.status === 403 || response.status === 503;
	// A proxy may answer with a page of its own.
	if (!isRefused || !response.headers.get('content-type')?.startsWith('text/plain')) return '';
	return (await response.text()).trim().slice(0, REASON_CHARACTERS_MAX);
}
