// @ts-check
// Values that the browser stores: `browser` for all tabs, `tab` for this tab and
// its reloads. If storage is not allowed, nothing is stored.

/** @param {() => Storage} storage throws if storage is not allowed */
const store = (storage) => ({
	/**
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
 * Whether the page was in this tab before. A duplicated tab has a copy of the values
 * of a tab that is still open, and must not use them.
 * @type {boolean}
 */
export const isReload = tab.get('away', false);

const recordVisibility = () => tab.set('away', document.hidden);
recordVisibility();
document.addEventListener('visibilitychange', recordVisibility);
addEventListener('pageshow', recordVisibility);
addEventListener('pagehide', () => tab.set('away', true));

// For a short time, the server reserves the nickname of a closed tab for its session.
// A new tab takes that session over, so that reopening the page keeps the nickname.
const SESSION_RESERVED_MS = 10_000;

/**
 * Takes the session of a tab that was closed just now.
 * @returns {string | null}
 */
export function takeClosedSession() {
	const closed = browser.get('left');
	browser.set('left');
	return closed && Date.now() - closed.at < SESSION_RESERVED_MS ? closed.session : null;
}

/**
 * Leaves the session to a new tab when this tab is closed.
 * @param {() => string | null} session
 */
export function offerSessionOnClose(session) {
	addEventListener('pagehide', () => browser.set('left', { session: session(), at: Date.now() }));
	addEventListener('pageshow', () => {
		if (browser.get('left')?.session === session()) browser.set('left');
	});
}
