// Texts, dates and times in the first language of the browser that has texts, or English.

import { LANGUAGES, STRINGS } from './strings.js';

/** @typedef {keyof typeof STRINGS} StringKey */

/** @param {string} tag such as `de-CH` */
const languageOf = (tag) => tag.split('-')[0];

const locale = navigator.languages.find((tag) => LANGUAGES.includes(languageOf(tag))) ?? 'en';
const column = LANGUAGES.indexOf(languageOf(locale));
const pluralRules = new Intl.PluralRules(locale);

/**
 * Returns a text with `values` for the names in braces. The value `n` selects the plural form.
 * @param {StringKey} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function translate(key, values = {}) {
	const [one, other = one] = STRINGS[key].split('|')[column].split('~');
	const text = pluralRules.select(Number(values.n ?? 0)) === 'one' ? one : other;
	return text.replace(/\{(\w+)\}/gu, (_, name) => {
		const value = values[name];
		return typeof value === 'number' ? value.toLocaleString(locale) : value;
	});
}

export function translatePage() {
	document.documentElement.lang = locale;
	translateElements('text', (element, text) => (element.textContent = text));
	translateElements('label', (element, text) => (element.ariaLabel = text));
	translateElements('title', (element, text) => (element.title = text));
	translateElements('placeholder', (element, text) => element.setAttribute('placeholder', text));
}

/** @param {string} name @param {(element: HTMLElement, text: string) => void} setText */
function translateElements(name, setText) {
	for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`[data-${name}]`))) {
		setText(element, translate(/** @type {StringKey} */ (element.dataset[name])));
	}
}

/** @param {Intl.DateTimeFormatOptions} options */
const formatter = (options) => new Intl.DateTimeFormat(locale, options).format;

export const formatDay = formatter({ dateStyle: 'full' });
export const formatTime = formatter({ timeStyle: 'short' });
export const formatDateTime = formatter({ dateStyle: 'medium', timeStyle: 'short' });
