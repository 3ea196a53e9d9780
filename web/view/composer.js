// @ts-check
// The input at the bottom of the page, with a draft for each conversation.

import { translate } from '../i18n/translate.js';
import { isBlank } from '../model/invisible.js';
import { tab } from '../storage/storage.js';
import { complete } from './completion.js';
import { field, keepFocus, onSubmit, page } from './elements.js';

/** @import { Chat } from '../model/chat.js' */

/** Maximum number of sent texts that the arrow keys recall. */
const SENT_MAX = 50;
/** Without a keyboard, Enter begins a new line, and the focus shows a keyboard on the screen. */
const isTouchOnly = matchMedia('(hover: none) and (pointer: coarse)').matches;
const { composer: form, text: input, objection } = page;

/**
 * @param {Chat} chat
 * @param {(text: string) => Promise<void>} perform sends a text, or performs the command in it
 */
export function setUpComposer(chat, perform) {
	/** Texts by title of their conversation. @type {Record<string, string>} */
	const drafts = tab.get('drafts', {});
	/** @type {string[]} */
	let sent = [];
	/** How many texts back the recalled text was sent. 0 if the text is not recalled. */
	let recalled = 0;

	function focus() {
		if (!isTouchOnly) input.focus();
	}

	/** Shows the draft of the active conversation. */
	function showDraft() {
		setText(drafts[chat.active.title] ?? '');
	}

	/**
	 * Puts a text that was not sent into the empty input.
	 * @param {string} text
	 */
	function giveBack(text) {
		if (!input.value) setText(text);
	}

	/** @param {string} message */
	function showError(message) {
		objection.textContent = message;
	}

	/** @param {string} text */
	function setText(text) {
		input.value = text;
		edited();
	}

	function edited() {
		recalled = 0;
		showError('');
		drafts[chat.active.title] = input.value;
		tab.set('drafts', drafts);
		fitHeight();
	}

	/** @param {KeyboardEvent} event */
	function pressed(event) {
		const { key, isComposing, keyCode, shiftKey, ctrlKey, altKey, metaKey } = event;
		// An Enter that selects a word in an input method. Safari only has the key code.
		if (isComposing || keyCode === 229 || shiftKey || ctrlKey || altKey || metaKey) return;
		if (key === 'Enter' && !isTouchOnly) submit();
		else if (key === 'Tab' && complete(input, chat)) edited();
		else if (key === 'ArrowUp' && (!input.value || recalled)) recall(recalled + 1);
		else if (key === 'ArrowDown' && recalled) recall(recalled - 1);
		else return;
		event.preventDefault();
	}

	/** @param {number} count */
	function recall(count) {
		const back = Math.min(count, sent.length);
		setText(back ? (sent.at(-back) ?? '') : '');
		recalled = back;
	}

	async function submit() {
		const text = input.value.trim();
		const bytes = new TextEncoder().encode(text).length;
		const max = chat.limits.text_bytes ?? Infinity;
		if (bytes > max) showError(translate('too_long', { bytes, max }));
		if (isBlank(text) || bytes > max) return;
		sent = [...sent, text].slice(-SENT_MAX);
		setText('');
		try {
			await perform(text);
		} catch (error) {
			giveBack(text);
			showError(error instanceof Error ? error.message : String(error));
		}
	}

	input.enterKeyHint = isTouchOnly ? 'enter' : 'send';
	input.onkeydown = pressed;
	input.oninput = edited;
	onSubmit(form, submit);
	keepFocus(field(form, 'send', HTMLButtonElement));
	return { focus, showDraft, giveBack, showError };
}

/** Makes the input as high as its text. The form keeps its height meanwhile, so that the timeline does not move. */
function fitHeight() {
	form.style.minHeight = `${form.offsetHeight}px`;
	input.style.height = '0';
	input.style.height = `${input.scrollHeight + 2}px`;
	form.style.minHeight = '';
}
