// @ts-check
// Types and constants of the JSON protocol between page and server.

/**
 * @typedef {object} Message a message of a room
 * @property {string} room
 * @property {number} seq number in its room
 * @property {number} time Unix time in milliseconds
 * @property {string} nick
 * @property {string} text
 * @property {string} id chosen by its author
 * @property {'say' | 'me'} kind
 */

/** @typedef {{ text_bytes: number, nick_graphemes: number, rooms: number, burst: number, per_second: number }} Limits */
/** @typedef {{ type: 'welcome', session: string, nick: string, resumed: boolean, search: boolean, limits: Limits }} WelcomeEvent */
/**
 * @typedef {object} JoinedEvent
 * @property {'joined'} type
 * @property {string} room
 * @property {string} epoch
 * @property {number} seq number of the newest message
 * @property {boolean} recovered whether `messages` are all that was missed
 * @property {Message[]} messages
 * @property {boolean} [more] whether another part follows, for which the client joins again
 * @property {string[]} members
 * @property {number} [members_count]
 */
/** @typedef {{ type: 'parted', room: string }} PartedEvent */
/** @typedef {{ type: 'message' } & Message} MessageEvent */
/** @typedef {{ type: 'private', from: string, to: string, time: number, text: string, id: string }} PrivateEvent */
/** @typedef {{ type: 'arrived', room: string, nick: string }} ArrivedEvent */
/** @typedef {{ type: 'left', room: string, nick: string }} LeftEvent */
/** @typedef {{ type: 'renamed', from: string, to: string, rooms: string[] }} RenamedEvent */
/** @typedef {{ type: 'history', room: string, messages: Message[], more: boolean }} HistoryEvent */
/** @typedef {{ type: 'results', messages: Message[], more: boolean, before?: number }} ResultsEvent */
/** @typedef {{ type: 'notice', text: string }} NoticeEvent */
/** @typedef {{ type: 'rooms', rooms: { room: string, members: number }[], more: boolean }} RoomsEvent */
/** @typedef {{ type: 'members', room: string, members: string[], members_count: number }} MembersEvent */
/** @typedef {{ type: 'error', code: string, message?: string, retry_ms?: number }} ErrorEvent */

/**
 * An event of the server. `ref` is repeated from the request that it answers.
 * @typedef {{ ref?: string, id?: string } & (WelcomeEvent | JoinedEvent | PartedEvent | MessageEvent | PrivateEvent
 *   | ArrivedEvent | LeftEvent | RenamedEvent | HistoryEvent | ResultsEvent | NoticeEvent | RoomsEvent | MembersEvent
 *   | ErrorEvent)} ServerEvent
 */

/**
 * The answer to each type of request.
 * @typedef {object} Answers
 * @property {WelcomeEvent} hello
 * @property {JoinedEvent} join
 * @property {PartedEvent} part
 * @property {RenamedEvent} nick
 * @property {HistoryEvent} history
 * @property {ResultsEvent} search
 * @property {RoomsEvent} rooms
 * @property {MembersEvent} members
 */

/** Close code: a newer connection has taken over the session. */
export const REPLACED = 4001;
/** Close code of a connection that broke without a close frame. */
export const ABNORMAL = 1006;

// Close codes that do not depend on the message that was sent last. All others,
// and those of later versions of the protocol, may be caused by it.
const UNRELATED_CLOSE_CODES = [1000, 1001, 1005, ABNORMAL, 1012, 1013, 1014, 1015, REPLACED, 4002, 4008, 4029];

/**
 * Returns whether the server may have closed the connection because of the last message.
 * @param {number} code
 */
export const isCausedByMessage = (code) => !UNRELATED_CLOSE_CODES.includes(code);

/** Maximum size of a request in bytes. */
const REQUEST_BYTES_MAX = 64 * 1024;
/** How long to wait after `rate_limited` without `retry_ms`, in milliseconds. */
const RETRY_MS = 1_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 60_000;

/** The error answer to a request, or an error of the page in its place. */
export class RequestError extends Error {
	/** @param {{ code: string, message?: string, retry_ms?: number }} error */
	constructor({ code, message = code, retry_ms }) {
		super(message);
		/** A code of the protocol, or `closed` if the connection ended before the answer. */
		this.code = code;
		/** @type {number | undefined} */
		this.retryMs = retry_ms ?? (code === 'rate_limited' ? RETRY_MS : undefined);
	}

	/** How long to wait before the request is sent again, in milliseconds. Null if it would fail again. */
	get pause() {
		return this.retryMs === undefined ? null : Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, this.retryMs));
	}
}

/**
 * Returns how many bytes a request has, and how many are allowed, if it is too long.
 * @param {object} request
 */
export function excessOf(request) {
	const bytes = new TextEncoder().encode(JSON.stringify(request)).length;
	return bytes > REQUEST_BYTES_MAX ? { bytes, max: REQUEST_BYTES_MAX } : null;
}
