// @ts-check
// Elements of the page: those of index.html, and new ones.

/**
 * Returns the element with an id.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function byId(id, type) {
	const element = document.getElementById(id);
	if (!(element instanceof type)) throw new Error(`#${id} is missing`);
	return element;
}

/** The elements that the page changes, by id. */
export const page = {
	side: byId('side', HTMLElement),
	query: byId('query', HTMLInputElement),
	everywhere: byId('everywhere', HTMLInputElement),
	matches: byId('matches', HTMLElement),
	results: byId('results', HTMLElement),
	rooms: byId('rooms', HTMLElement),
	join: byId('join', HTMLFormElement),
	count: byId('count', HTMLElement),
	people: byId('people', HTMLElement),
	shade: byId('shade', HTMLElement),
	menu: byId('menu', HTMLButtonElement),
	title: byId('title', HTMLElement),
	topic: byId('topic', HTMLElement),
	status: byId('status', HTMLElement),
	me: byId('me', HTMLButtonElement),
	nickname: byId('nickname', HTMLElement),
	rename: byId('rename', HTMLFormElement),
	wish: byId('wish', HTMLInputElement),
	keep: byId('keep', HTMLButtonElement),
	invite: byId('invite', HTMLButtonElement),
	settings: byId('settings', HTMLButtonElement),
	timeline: byId('timeline', HTMLElement),
	silence: byId('silence', HTMLElement),
	messages: byId('messages', HTMLElement),
	unsent: byId('unsent', HTMLElement),
	composer: byId('composer', HTMLFormElement),
	newer: byId('newer', HTMLButtonElement),
	objection: byId('objection', HTMLElement),
	text: byId('text', HTMLTextAreaElement),
	invitation: byId('invitation', HTMLDialogElement),
	code: byId('code', HTMLImageElement),
	address: byId('address', HTMLElement),
	copy: byId('copy', HTMLButtonElement),
	choices: byId('choices', HTMLDialogElement),
	icon: byId('icon', HTMLLinkElement),
};

/**
 * Returns the input, select or button of a form with a name.
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
 * Creates an element.
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {string} className may be empty
 * @param {(Node | string)[]} content
 */
export function create(name, className, ...content) {
	const element = document.createElement(name);
	if (className) element.className = className;
	element.append(...content);
	return element;
}

/**
 * Creates a button.
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
 * Keeps the focus where it is when a button is pressed. On a phone, the keyboard would disappear.
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
