// Elements of the page: those that are there, and new ones.

/** By their ids. */
export const page = Object.fromEntries([...document.querySelectorAll('[id]')].map((it) => [it.id, it]));

export function create(name, className, ...content) {
	const element = document.createElement(name);
	if (className) element.className = className;
	element.append(...content);
	return element;
}

export function button(className, act, ...content) {
	const element = create('button', className, ...content);
	element.type = 'button';
	element.onclick = act;
	return keepFocus(element);
}

/** On a phone, the keyboard would go with it. */
export function keepFocus(element) {
	element.onpointerdown = (event) => event.preventDefault();
	return element;
}

export function onSubmit(form, act) {
	form.onsubmit = (event) => {
		event.preventDefault();
		act();
	};
}
