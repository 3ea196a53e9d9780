// A WebSocket to the server that reconnects by itself, and the errors of its protocol.

import { formatDateTime, translate } from '../i18n/texts.js';

/** Maximum pause before the first retry. It doubles with each failure. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 10_000;
const OPENING_MAX_MS = 10_000;
const SILENCE_MAX_MS = 20_000;
const PONG_MAX_MS = 5_000;
/** How long a connection must last to reset the backoff. */
const STABLE_MS = 5_000;
const REASON_CHARACTERS_MAX = 300;
const REQUEST_BYTES_MAX = 64 * 1024;
/** Pause after `rate_limited` without `retry_ms`. */
const RETRY_MS = 1_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 60_000;
const MINUTE_MS = 60_000;

/** A newer connection has the session. */
export const REPLACED = 4001;
export const KICKED = 4009;
/** The connection broke without a close frame. */
export const ABNORMAL = 1006;

// Close codes that the last message did not cause. Later versions may add others.
const UNRELATED_CLOSE_CODES = [1000, 1001, 1005, ABNORMAL, 1012, 1013, 1014, 1015, REPLACED, 4002, 4008, KICKED, 4029];

/** @param {number} code */
export const isCausedByMessage = (code) => !UNRELATED_CLOSE_CODES.includes(code);

/** Whether the program around the server chose the code, and its reason is for the user. @param {number} code */
export const isOfEmbedder = (code) => code === 1000 || (code >= 3000 && isCausedByMessage(code));

/** The error answer to a request, or an error of the page instead. */
export class RequestError extends Error {
	/** @param {Omit<ErrorAnswer, 'type'>} error */
	constructor({ code, message = code, retry_ms = code === 'rate_limited' ? RETRY_MS : undefined }) {
		const isMuted = code === 'muted';
		super(isMuted && retry_ms ? mutedUntil(Date.now() + retry_ms) : message);
		this.code = code;
		/** Milliseconds before the request is sent again. Null if it would fail again, or only the user may send it again. */
		this.pause = retry_ms === undefined || isMuted ? null : Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, retry_ms));
	}
}

/** In whole minutes, so that the user is not told too early. @param {number} time */
const mutedUntil = (time) => translate('muted', { time: formatDateTime(Math.ceil(time / MINUTE_MS) * MINUTE_MS) });

/** @param {object} request */
export function sizeError(request) {
	const bytes = new TextEncoder().encode(JSON.stringify(request)).length;
	if (bytes <= REQUEST_BYTES_MAX) return null;
	return new RequestError({ code: 'too_long', message: translate('too_long', { bytes, max: REQUEST_BYTES_MAX }) });
}

export class Connection {
	#handlers;
	/** @type {WebSocket | null} */
	#socket = null;
	#timer = 0;
	#failures = 0;
	/** @type {number | null} */
	#openedAt = null;
	/** Whether only the user connects again, by reloading the page. */
	isEnded = false;

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

	/** @param {object} request */
	send(request) {
		if (this.isOpen) this.#socket?.send(JSON.stringify(request));
	}

	open() {
		if (this.isEnded) return;
		// The host, port and path of the page, in case a proxy serves it.
		const socket = new WebSocket(new URL('.', location.href).href.replace(/^http/u, 'ws'), 'chinwag.v1');
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

	/** Connects again after a pause. */
	drop() {
		this.#closed();
	}

	/** The connection may have broken unnoticed while the network or the reader was away. */
	#wake() {
		if (document.hidden) return;
		if (this.isOpen) this.#ping();
		else if (!this.#socket) this.open();
	}

	/** @param {number} ms @param {() => void} act */
	#schedule(ms, act) {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(act, ms);
	}

	#ping() {
		this.#schedule(PONG_MAX_MS, () => this.#closed());
		this.send({ type: 'ping' });
	}

	/** @param {number} [code] @param {string} [reason] */
	#closed(code, reason) {
		const socket = this.#socket;
		if (!socket) return;
		socket.onopen = socket.onmessage = socket.onclose = this.#socket = null;
		socket.close();
		const openedAt = this.#openedAt;
		this.#openedAt = null;
		if (openedAt !== null && performance.now() - openedAt > STABLE_MS) this.#failures = 0;
		this.isEnded = code === KICKED;
		const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#failures);
		this.#failures += 1;
		// Full jitter: many pages that lost a server do not return at once.
		this.#schedule(Math.random() * backoff, () => this.open());
		this.#handlers.onClose(code, reason);
		if (code && openedAt === null) this.#reportRefusal();
	}

	/** Browsers do not tell why a handshake failed, but the server does. */
	async #reportRefusal() {
		const reason = await refusalReason().catch(() => '');
		if (!this.isOpen) this.#handlers.onRefused(reason);
	}
}

async function refusalReason() {
	const address = `healthz?why=${encodeURIComponent(location.origin)}`;
	const response = await fetch(address, { cache: 'no-store', signal: AbortSignal.timeout(OPENING_MAX_MS) });
	// A proxy may answer with a page of its own.
	const isPlain = response.headers.get('content-type')?.startsWith('text/plain');
	if (!isPlain || response.ok) return '';
	return (await response.text()).trim().slice(0, REASON_CHARACTERS_MAX);
}
