// Types of the view.

/** The elements of index.html that have an id. */
interface Page {
	address: HTMLElement;
	choices: HTMLDialogElement;
	code: HTMLImageElement;
	composer: HTMLFormElement;
	copy: HTMLButtonElement;
	count: HTMLElement;
	everywhere: HTMLInputElement;
	icon: HTMLLinkElement;
	invitation: HTMLDialogElement;
	invite: HTMLButtonElement;
	join: HTMLFormElement;
	keep: HTMLButtonElement;
	matches: HTMLElement;
	me: HTMLButtonElement;
	menu: HTMLButtonElement;
	messages: HTMLElement;
	newer: HTMLButtonElement;
	nickname: HTMLElement;
	notify: HTMLInputElement;
	objection: HTMLElement;
	offers: HTMLElement;
	people: HTMLElement;
	query: HTMLInputElement;
	rename: HTMLFormElement;
	results: HTMLElement;
	room: HTMLInputElement;
	rooms: HTMLElement;
	send: HTMLButtonElement;
	settings: HTMLButtonElement;
	shade: HTMLElement;
	side: HTMLElement;
	silence: HTMLElement;
	sound: HTMLInputElement;
	status: HTMLElement;
	text: HTMLTextAreaElement;
	theme: HTMLSelectElement;
	timeline: HTMLElement;
	title: HTMLElement;
	topic: HTMLElement;
	unsent: HTMLElement;
	wish: HTMLInputElement;
}
