// @ts-check
// Elements of index.html by id, and new elements.

/** @import { Page } from './types' */

export const page = /** @type {Page} */ (
	/** @type {unknown} */ (Object.fromEntries([...document.querySelectorAll('[id]')].map((element) => [element.id, element])))
);

/**
 * Returns a control of a form.
 * @template {HTMLElement} T
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {new () => T} type
 * @returns {T}
 */
export function field(form, name, type) {
	const element = form.elements.namedItem(name);
	if (!(element instanceof type)) throw new Error(`${name} is missing`);
	return element;
}

/**
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {string} className
 * @param {(Node | string)[]} content
 */
export function create(name, className, ...content) {
	const element = document.createElement(name);
	if (className) element.className = className;
	element.append(...content);
	return element;
}

/**
 * @param {string} className
 * @param {() => void} act
 * @param {(Node | string)[]} content
 */
export function button(className, act, ...content) {
	const element = create('button', className, ...content);
	element.type = 'button';
	element.onclick = act;
	keepFocus(element);
	return element;
}

/**
 * Keeps the focus in the input when a button is pressed: on a phone, the keyboard stays.
 * @param {HTMLElement} element
 */
export function keepFocus(element) {
	element.onpointerdown = (event) => event.preventDefault();
}

/**
 * @param {HTMLFormElement} form
 * @param {() => void} act
 */
export function onSubmit(form, act) {
	form.onsubmit = (event) => {
		event.preventDefault();
		act();
	};
}
