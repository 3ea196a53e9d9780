// The page's words, in the language of its reader.

import phrases from './phrases.js';

const LANGUAGES = ['en', 'de', 'fr', 'es', 'zh'];
const locale = navigator.languages.find((tag) => LANGUAGES.includes(tag.split('-')[0])) ?? 'en';
const column = LANGUAGES.indexOf(locale.split('-')[0]) + 1;
const rows = phrases.trim().split('\n').map((row) => row.split('|'));
const words = Object.fromEntries(rows.map((row) => [row[0], row[column]]));
const plural = new Intl.PluralRules(locale);

/** With `values` in it, of which `n` chooses between one and many. */
export function say(key, values = {}) {
	const [one, many = one] = words[key].split('~');
	const text = plural.select(values.n ?? 0) === 'one' ? one : many;
	return text.replace(/\{(\w+)\}/gu, (_, name) => values[name].toLocaleString(locale));
}

const PLACES = { say: 'textContent', label: 'ariaLabel', title: 'title', hint: 'placeholder' };

export function fillIn() {
	document.documentElement.lang = locale;
	for (const [wish, place] of Object.entries(PLACES)) {
		for (const element of document.querySelectorAll(`[data-${wish}]`)) element[place] = say(element.dataset[wish]);
	}
}

const format = (dateStyle, timeStyle) => new Intl.DateTimeFormat(locale, { dateStyle, timeStyle }).format;
export const day = format('full');
export const time = format(undefined, 'short');
export const moment = format('medium', 'short');
