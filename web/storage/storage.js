// Values that the browser stores for all tabs, or for this tab and its reloads, if storage is allowed.

/** Pages of other servers on this host have other paths. */
const SITE = `chinwag${new URL('.', location.href).pathname.slice(0, -1)}`;

/** @param {() => Storage} storage throws if storage is not allowed */
const store = (storage) => ({
	/** @param {string} key @param {any} [fallback] @returns {any} */
	get(key, fallback) {
		try {
			return JSON.parse(storage()[`${SITE}.${key}`]) ?? fallback;
		} catch {
			return fallback;
		}
	},
	/** @param {string} key @param {unknown} [value] */
	set(key, value) {
		try {
			storage()[`${SITE}.${key}`] = JSON.stringify(value ?? null);
		} catch {} // The page works without.
	},
});

export const browser = store(() => localStorage);
export const tab = store(() => sessionStorage);

/** False in a duplicated tab, which must not use its copy of the values of another tab. @type {boolean} */
export const isReload = tab.get('away', false);

const recordVisibility = () => tab.set('away', document.hidden);
recordVisibility();
document.addEventListener('visibilitychange', recordVisibility);
addEventListener('pageshow', recordVisibility);
addEventListener('pagehide', () => tab.set('away', true));

// A new tab takes over the session of a tab that was closed just now, and so keeps its nickname.
const SESSION_RESERVED_MS = 10_000;

/** @returns {string | null} */
export function takeClosedSession() {
	const closed = browser.get('left');
	browser.set('left');
	return closed && Date.now() - closed.at < SESSION_RESERVED_MS ? closed.session : null;
}

/** @param {() => string | null} session */
export function offerSessionOnClose(session) {
	addEventListener('pagehide', () => browser.set('left', { session: session(), at: Date.now() }));
	addEventListener('pageshow', () => {
		if (browser.get('left')?.session === session()) browser.set('left');
	});
}
