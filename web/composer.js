// The input at the foot of the page, with a draft for each talk.

import { complete } from './completion.js';
import { find, keepFocus, onSubmit } from './elements.js';
import { tab } from './storage.js';
import { say } from './words.js';

const SAID_MAX = 50;
// Without a keyboard, Enter is how one makes a line.
const isTouchOnly = matchMedia('(hover: none) and (pointer: coarse)').matches;
const [form, input, objection] = ['#composer', '#text', '#objection'].map(find);

export class Composer {
	#chat;
	#perform;
	#drafts = tab.get('drafts', {});
	#said = [];
	#recalled = 0;

	/** `perform(text)` does what a text asks for, or throws why it cannot. */
	constructor(chat, perform) {
		this.#chat = chat;
		this.#perform = perform;
		input.enterKeyHint = isTouchOnly ? 'enter' : 'send';
		input.onkeydown = (event) => this.#pressed(event);
		input.oninput = () => this.#edited();
		onSubmit(form, () => this.#submit());
		keepFocus(form.elements.send);
	}

	/** On a phone it would raise the keyboard. */
	focus() {
		if (!isTouchOnly) input.focus();
	}

	/** Another talk is shown. */
	visit() {
		this.#put(this.#drafts[this.#chat.active.title] ?? '');
	}

	/** What was not sent after all. */
	giveBack(text) {
		if (!input.value) this.#put(text);
	}

	object(problem) {
		objection.textContent = problem;
	}

	#put(text) {
		input.value = text;
		this.#edited();
	}

	#edited() {
		this.#recalled = 0;
		this.object('');
		this.#drafts[this.#chat.active.title] = input.value;
		tab.set('drafts', this.#drafts);
		// While it is measured, the timeline shall not move.
		form.style.minHeight = `${form.offsetHeight}px`;
		input.style.height = 0;
		input.style.height = `${input.scrollHeight + 2}px`;
		form.style.minHeight = '';
	}

	#pressed(event) {
		const { key, isComposing, keyCode, shiftKey, ctrlKey, altKey, metaKey } = event;
		// An Enter that picks a word in an input method; Safari tells by the code.
		if (isComposing || keyCode === 229 || shiftKey || ctrlKey || altKey || metaKey) return;
		if (key === 'Enter' && !isTouchOnly) this.#submit();
		else if (key === 'Tab' && complete(input, this.#chat)) this.#edited();
		else if (key === 'ArrowUp' && (!input.value || this.#recalled)) this.#recall(this.#recalled + 1);
		else if (key === 'ArrowDown' && this.#recalled) this.#recall(this.#recalled - 1);
		else return;
		event.preventDefault();
	}

	#recall(count) {
		const back = Math.min(count, this.#said.length);
		this.#put(back ? this.#said.at(-back) : '');
		this.#recalled = back;
	}

	async #submit() {
		const text = input.value.trim();
		const bytes = new TextEncoder().encode(text).length;
		const max = this.#chat.limits.text_bytes;
		if (bytes > max) this.object(say('too_long', { bytes, max }));
		if (!text || bytes > max) return;
		this.#said = [...this.#said, text].slice(-SAID_MAX);
		this.#put('');
		try {
			await this.#perform(text);
		} catch ({ message }) {
			this.giveBack(text);
			this.object(message ?? say('disconnected'));
		}
	}
}
