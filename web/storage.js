// What the browser remembers: `browser` for all its tabs, `tab` for this one
// and its reloads. Where it refuses, by throwing, nothing is remembered.

const memory = (storage) => ({
	get(key, otherwise) {
		try {
			return JSON.parse(storage()[`chinwag.${key}`]) ?? otherwise;
		} catch {
			return otherwise;
		}
	},
	set(key, value) {
		try {
			storage()[`chinwag.${key}`] = JSON.stringify(value ?? null);
		} catch {}
	},
});

export const browser = memory(() => localStorage);
export const tab = memory(() => sessionStorage);

// A duplicate of a tab copies its memory, and must not pass for the same person:
// only who went away may come back.
export const isBack = tab.get('away');
const note = () => tab.set('away', document.hidden);
note();

// The server holds the nickname of a tab that was closed for a moment, for its
// session alone. The next new tab takes that up, as the same person does who
// closes the page and opens it again.
const HELD_MS = 10_000;

/** The session of a tab that has just been closed, which no other tab gets then. */
export function takeLeft() {
	const left = browser.get('left');
	browser.set('left');
	return left && Date.now() - left.at < HELD_MS ? left.session : null;
}

/** Has the session of this tab taken up by another, once this one is closed. */
export function leaveToOthers(session) {
	addEventListener('pagehide', () => browser.set('left', { session: session(), at: Date.now() }));
	addEventListener('pageshow', () => {
		if (browser.get('left')?.session === session()) browser.set('left');
	});
}
document.addEventListener('visibilitychange', note);
addEventListener('pageshow', note);
addEventListener('pagehide', () => tab.set('away', true));
