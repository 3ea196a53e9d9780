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
document.addEventListener('visibilitychange', note);
addEventListener('pageshow', note);
addEventListener('pagehide', () => tab.set('away', true));
