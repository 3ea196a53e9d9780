// @ts-check
// Texts, dates and times in the reader's language: the first language of the
// browser that the page has texts for, or English.

import { LANGUAGES, STRINGS } from './strings.js';

/** @import { LocalizedText } from './strings.js' */
/** @typedef {keyof typeof STRINGS} StringKey */

/** @param {string} tag a BCP 47 language tag, such as `de-CH` */
const languageOf = (tag) => tag.split('-')[0];

const locale = navigator.languages.find((tag) => LANGUAGES.includes(languageOf(tag))) ?? 'en';
const column = LANGUAGES.indexOf(languageOf(locale));
const pluralRules = new Intl.PluralRules(locale);

/**
 * Returns a text in the reader's language.
 * @param {StringKey} key
 * @param {Record<string, string | number>} [values] replace the names in braces; `n` selects the plural form
 * @returns {string}
 */
export function translate(key, values = {}) {
	/** @type {LocalizedText} */
	const entry = STRINGS[key][column];
	const form = pluralRules.select(Number(values.n ?? 0)) === 'one' ? 'one' : 'other';
	const text = typeof entry === 'string' ? entry : entry[form];
	return text.replace(/\{(\w+)\}/gu, (_, name) => {
		const value = values[name];
		return typeof value === 'number' ? value.toLocaleString(locale) : value;
	});
}

/** Sets the texts of elements with a `data-text`, `data-label`, `data-title` or `data-placeholder` attribute. */
export function translatePage() {
	document.documentElement.lang = locale;
	translateElements('text', (element, text) => (element.textContent = text));
	translateElements('label', (element, text) => (element.ariaLabel = text));
	translateElements('title', (element, text) => (element.title = text));
	translateElements('placeholder', (element, text) => element.setAttribute('placeholder', text));
}

/**
 * @param {string} name of the data attribute that holds the key of the text
 * @param {(element: HTMLElement, text: string) => void} setText
 */
function translateElements(name, setText) {
	for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`[data-${name}]`))) {
		setText(element, translate(/** @type {StringKey} */ (element.dataset[name])));
	}
}

/**
 * @param {Intl.DateTimeFormatOptions} options
 * @returns {(time: number) => string} formats a Unix time in milliseconds
 */
const formatter = (options) => new Intl.DateTimeFormat(locale, options).format;

export const formatDay = formatter({ dateStyle: 'full' });
export const formatTime = formatter({ timeStyle: 'short' });
export const formatDateTime = formatter({ dateStyle: 'medium', timeStyle: 'short' });
