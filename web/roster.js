// The side of the page: our talks, and who is in the one that is shown. On a
// phone it is behind one tap.

import { author } from './colour.js';
import { button, create, find, onSubmit } from './elements.js';
import { say } from './words.js';

const [menu, form, rooms, people] = ['#menu', '#join', '#rooms', '#people'].map(find);

export class Roster {
	#chat;

	constructor(chat, join) {
		this.#chat = chat;
		menu.onclick = () => this.#open(menu.ariaExpanded === 'false');
		find('#shade').onclick = () => this.#open(false);
		addEventListener('keydown', ({ key }) => {
			if (key !== 'Escape' || menu.ariaExpanded === 'false') return;
			this.#open(false);
			menu.focus();
		});
		onSubmit(form, () => {
			this.#open(false);
			join(form.elements.room.value);
			form.reset();
		});
	}

	draw() {
		const { active, talks } = this.#chat;
		const nicks = active.isRoom ? [...active.members].sort((a, b) => a.localeCompare(b)) : [];
		find('#count').textContent = nicks.length || '';
		rooms.replaceChildren(...[...talks.values()].map((talk) => this.#talk(talk)));
		people.replaceChildren(...nicks.map((nick) => this.#person(nick)));
	}

	#talk(talk) {
		const { key, title, unread, isCalled } = talk;
		const place = this.#place(key, create('bdi', '', title));
		if (talk === this.#chat.active) place.ariaCurrent = 'page';
		if (unread) place.append(create('span', isCalled ? 'badge called' : 'badge', unread));
		const leave = button('quiet', () => this.#chat.leave(talk), '×');
		leave.ariaLabel = say('leave', { room: title });
		return create('li', '', place, leave);
	}

	#person(nick) {
		const place = this.#place(`@${nick}`, author(nick));
		place.disabled = nick === this.#chat.nick;
		if (place.disabled) place.append(create('span', 'soft', say('you')));
		return create('li', '', place);
	}

	#place(key, name) {
		const visit = () => {
			this.#chat.visit(key);
			this.#open(false);
		};
		return button('place', visit, name);
	}

	#open(isOpen) {
		document.body.classList.toggle('open', isOpen);
		menu.ariaExpanded = String(isOpen);
	}
}
