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
	objection: HTMLElement;
	people: HTMLElement;
	query: HTMLInputElement;
	rename: HTMLFormElement;
	results: HTMLElement;
	rooms: HTMLElement;
	settings: HTMLButtonElement;
	shade: HTMLElement;
	side: HTMLElement;
	silence: HTMLElement;
	status: HTMLElement;
	text: HTMLTextAreaElement;
	timeline: HTMLElement;
	title: HTMLElement;
	topic: HTMLElement;
	unsent: HTMLElement;
	wish: HTMLInputElement;
}
