// The side of the page: our talks, and who is in the one that is shown. On a
// phone it is behind one tap.

import { author } from './colour.js';
import { button, create, onSubmit, page } from './elements.js';
import { say } from './words.js';

const { menu, join: form, rooms, people } = page;

export function setUpRoster(chat, join) {
	function draw() {
		const { active, talks } = chat;
		const nicks = active.isRoom ? [...active.members].sort((a, b) => a.localeCompare(b)) : [];
		const rest = active.count - nicks.length;
		page.count.textContent = active.isRoom ? active.count || '' : '';
		rooms.replaceChildren(...[...talks.values()].map(entryOf));
		people.replaceChildren(...nicks.map(person));
		if (active.isRoom && rest > 0) people.append(create('li', '', button('link', () => chat.list(active), say('others', { n: rest }))));
	}

	function entryOf(talk) {
		const { key, title, unread, isCalled } = talk;
		const place = placeOf(key, create('bdi', '', title));
		if (talk === chat.active.now) place.ariaCurrent = 'page';
		if (unread) place.append(create('span', isCalled ? 'badge called' : 'badge', unread));
		const leave = button('quiet', () => chat.leave(talk), '×');
		leave.ariaLabel = say('leave', { room: title });
		return create('li', '', place, leave);
	}

	function person(nick) {
		const place = placeOf(`@${nick}`, author(nick));
		place.disabled = nick === chat.nick;
		if (place.disabled) place.append(create('span', 'soft', say('you')));
		return create('li', '', place);
	}

	function placeOf(key, name) {
		const visit = () => {
			chat.visit(key);
			open(false);
		};
		return button('place', visit, name);
	}

	function open(isOpen) {
		document.body.classList.toggle('open', isOpen);
		menu.ariaExpanded = String(isOpen);
	}

	menu.onclick = () => open(menu.ariaExpanded === 'false');
	page.shade.onclick = () => open(false);
	addEventListener('keydown', ({ key }) => {
		if (key !== 'Escape' || menu.ariaExpanded === 'false') return;
		open(false);
		menu.focus();
	});
	onSubmit(form, () => {
		open(false);
		join(form.elements.room.value);
		form.reset();
	});
	return { draw, open };
}
