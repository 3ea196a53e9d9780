// @ts-check
// Values that the browser stores: `browser` for all tabs, `tab` for this tab and
// its reloads. Where storage is not allowed, nothing is stored.

/** @param {() => Storage} storage throws where storage is not allowed */
const store = (storage) => ({
	/**
	 * Returns the stored value, or `fallback`.
	 * @param {string} key
	 * @param {any} [fallback]
	 * @returns {any}
	 */
	get(key, fallback) {
		try {
			return JSON.parse(storage()[`chinwag.${key}`]) ?? fallback;
		} catch {
			return fallback;
		}
	},
	/**
	 * Stores a value, which must be JSON.
	 * @param {string} key
	 * @param {unknown} [value]
	 */
	set(key, value) {
		try {
			storage()[`chinwag.${key}`] = JSON.stringify(value ?? null);
		} catch {} // The page works without.
	},
});

export const browser = store(() => localStorage);
export const tab = store(() => sessionStorage);

/**
 * Whether this tab was loaded before and has left the page. A duplicated tab has a
 * copy of the stored values of a tab that is still there, and must not use them.
 * @type {boolean}
 */
export const isReload = tab.get('away', false);

const recordVisibility = () => tab.set('away', document.hidden);
recordVisibility();
document.addEventListener('visibilitychange', recordVisibility);
addEventListener('pageshow', recordVisibility);
addEventListener('pagehide', () => tab.set('away', true));

// The server reserves the nickname of a closed tab for its session for a short
// time. The next new tab takes over that session, so that a user who closes the
// page and opens it again keeps the nickname.
const SESSION_RESERVED_MS = 10_000;

/**
 * Returns the session of a tab that was closed just now. No other tab gets it then.
 * @returns {string | null}
 */
export function takeClosedSession() {
	const closed = browser.get('left');
	browser.set('left');
	return closed && Date.now() - closed.at < SESSION_RESERVED_MS ? closed.session : null;
}

/**
 * Offers the session of this tab to the next new tab when this tab is closed.
 * @param {() => string | null} session returns the current session
 */
export function offerSessionOnClose(session) {
	addEventListener('pagehide', () => browser.set('left', { session: session(), at: Date.now() }));
	addEventListener('pageshow', () => {
		if (browser.get('left')?.session === session()) browser.set('left');
	});
}
