// @ts-check
// The side of the page: conversations, and members of the room that is shown.

import { translate } from '../i18n/translate.js';
import { author } from './render.js';
import { button, create, field, onSubmit, page } from './elements.js';

/** @import { Chat } from '../model/chat.js' */
/** @import { Conversation } from '../model/conversation.js' */

const { menu, join: form, rooms, people } = page;
const roomInput = field(form, 'room', HTMLInputElement);

/**
 * @param {Chat} chat
 * @param {(room: string) => void} join
 */
export function setUpRoster(chat, join) {
	function draw() {
		rooms.replaceChildren(...[...chat.conversations.values()].map(conversationEntry));
		drawPeople(chat.active);
	}

	/** @param {Conversation} conversation */
	function drawPeople(conversation) {
		const { isRoom, members } = conversation;
		const nicks = isRoom ? [...members.nicks].sort((a, b) => a.localeCompare(b)) : [];
		const more = isRoom ? members.count - nicks.length : 0;
		page.count.textContent = isRoom && members.count ? String(members.count) : '';
		people.replaceChildren(...nicks.map(personEntry));
		if (more > 0) people.append(create('li', '', button('link', () => chat.loadMembers(conversation), translate('n_more', { n: more }))));
	}

	/** @param {Conversation} conversation */
	function conversationEntry(conversation) {
		const { key, title, unread, hasMention } = conversation;
		const link = conversationLink(key, create('bdi', '', title));
		if (conversation === chat.active) link.ariaCurrent = 'page';
		if (unread) link.append(create('span', hasMention ? 'badge called' : 'badge', String(unread)));
		const leave = button('quiet', () => chat.leave(conversation), '×');
		leave.ariaLabel = translate('leave', { room: title });
		return create('li', '', link, leave);
	}

	/** @param {string} nick */
	function personEntry(nick) {
		const link = conversationLink(`@${nick}`, author(nick));
		link.disabled = nick === chat.nick;
		if (link.disabled) link.append(create('span', 'soft', translate('you')));
		return create('li', '', link);
	}

	/**
	 * @param {string} key
	 * @param {Node} name
	 */
	function conversationLink(key, name) {
		const visit = () => {
			chat.visit(key);
			open(false);
		};
		return button('place', visit, name);
	}

	/** @param {boolean} isOpen */
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
		join(roomInput.value);
		form.reset();
	});
	return { draw, open };
}
