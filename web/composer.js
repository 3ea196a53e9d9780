// The input at the foot of the page, with a draft for each talk.

import { complete } from './completion.js';
import { keepFocus, onSubmit, page } from './elements.js';
import { tab } from './storage.js';
import { isBlank } from './visible.js';
import { say } from './words.js';

const SAID_MAX = 50;
// Without a keyboard, Enter is how one makes a line.
const isTouchOnly = matchMedia('(hover: none) and (pointer: coarse)').matches;
const { composer: form, text: input, objection } = page;

/** `perform(text)` does what a text asks for, or throws why it cannot. */
export function setUpComposer(chat, perform) {
	const drafts = tab.get('drafts', {});
	let said = [];
	let recalled = 0;

	/** On a phone it would raise the keyboard. */
	function focus() {
		if (!isTouchOnly) input.focus();
	}

	function visit() {
		put(drafts[chat.active.title] ?? '');
	}

	function giveBack(text) {
		if (!input.value) put(text);
	}

	function object({ message }) {
		objection.textContent = message;
	}

	function put(text) {
		input.value = text;
		edited();
	}

	function edited() {
		recalled = 0;
		object('');
		drafts[chat.active.title] = input.value;
		tab.set('drafts', drafts);
		// While it is measured, the timeline shall not move.
		form.style.minHeight = `${form.offsetHeight}px`;
		input.style.height = 0;
		input.style.height = `${input.scrollHeight + 2}px`;
		form.style.minHeight = '';
	}

	function pressed(event) {
		const { key, isComposing, keyCode, shiftKey, ctrlKey, altKey, metaKey } = event;
		// An Enter that picks a word in an input method; Safari tells by the code.
		if (isComposing || keyCode === 229 || shiftKey || ctrlKey || altKey || metaKey) return;
		if (key === 'Enter' && !isTouchOnly) submit();
		else if (key === 'Tab' && complete(input, chat)) edited();
		else if (key === 'ArrowUp' && (!input.value || recalled)) recall(recalled + 1);
		else if (key === 'ArrowDown' && recalled) recall(recalled - 1);
		else return;
		event.preventDefault();
	}

	function recall(count) {
		const back = Math.min(count, said.length);
		put(back ? said.at(-back) : '');
		recalled = back;
	}

	async function submit() {
		const text = input.value.trim();
		const bytes = new TextEncoder().encode(text).length;
		const max = chat.limits.text_bytes;
		if (bytes > max) object({ message: say('too_long', { bytes, max }) });
		if (isBlank(text) || bytes > max) return;
		said = [...said, text].slice(-SAID_MAX);
		put('');
		try {
			await perform(text);
		} catch ({ message = say('disconnected') }) {
			giveBack(text);
			object({ message });
		}
	}

	input.enterKeyHint = isTouchOnly ? 'enter' : 'send';
	input.onkeydown = pressed;
	input.oninput = edited;
	onSubmit(form, submit);
	keepFocus(form.elements.send);
	return { focus, visit, giveBack, object };
}
