// @ts-check
// Constants and errors of the JSON protocol.

/** @import { ErrorEvent } from './types' */

/** Close code: a newer connection has taken over the session. */
export const REPLACED = 4001;
/** Close code of a connection that broke without a close frame. */
export const ABNORMAL = 1006;

// Close codes that the last message did not cause. Others may come with later versions.
const UNRELATED_CLOSE_CODES = [1000, 1001, 1005, ABNORMAL, 1012, 1013, 1014, 1015, REPLACED, 4002, 4008, 4029];

/**
 * Returns whether the last message may be the cause.
 * @param {number} code
 */
export const isCausedByMessage = (code) => !UNRELATED_CLOSE_CODES.includes(code);

/** Maximum size of a request in bytes. */
const REQUEST_BYTES_MAX = 64 * 1024;
/** Pause after `rate_limited` without `retry_ms`. */
const RETRY_MS = 1_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 60_000;

/** The error answer to a request, or an error of the page instead. */
export class RequestError extends Error {
	/** @param {Omit<ErrorEvent, 'type'>} error */
	constructor({ code, message = code, retry_ms }) {
		super(message);
		this.code = code;
		/** @type {number | undefined} */
		this.retryMs = retry_ms ?? (code === 'rate_limited' ? RETRY_MS : undefined);
	}

	/** Milliseconds before the request is sent again. Null if it would fail again. */
	get pause() {
		return this.retryMs === undefined ? null : Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, this.retryMs));
	}
}

/**
 * Returns the size and the maximum if a request is too long.
 * @param {object} request
 */
export function excessOf(request) {
	const bytes = new TextEncoder().encode(JSON.stringify(request)).length;
	return bytes > REQUEST_BYTES_MAX ? { bytes, max: REQUEST_BYTES_MAX } : null;
}
