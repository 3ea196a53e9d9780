// @ts-check
// The input at the bottom of the page, with a draft for each conversation.

import { translate } from '../i18n/translate.js';
import { emojiMatching, isBlank } from '../model/characters.js';
import { commandNames } from '../model/commands.js';
import { tab } from '../storage/storage.js';
import { field, keepFocus, onSubmit, page } from './elements.js';

/** @import { Chat } from '../model/chat.js' */

/** Maximum number of texts to recall. */
const SENT_MAX = 50;
/** Without a keyboard, Enter begins a new line. The focus would show a keyboard. */
const isTouchOnly = matchMedia('(hover: none) and (pointer: coarse)').matches;
const { composer: form, text: input, objection } = page;

/**
 * @param {Chat} chat
 * @param {(text: string) => Promise<void>} perform
 */
export function setUpComposer(chat, perform) {
	/** Texts by title of their conversation. @type {Record<string, string>} */
	const drafts = tab.get('drafts', {});
	/** @type {string[]} */
	let sent = [];
	/** How many texts back the recalled text is, or 0. */
	let recalled = 0;

	function focus() {
		if (!isTouchOnly) input.focus();
	}

	function showDraft() {
		setText(drafts[chat.active.title] ?? '');
	}

	/** Returns a text that was not sent. @param {string} text */
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
		// Enter may select a word in an input method. Safari only has the key code.
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

/** The form keeps its height meanwhile, so that the timeline does not move. */
function fitHeight() {
	form.style.minHeight = `${form.offsetHeight}px`;
	input.style.height = '0';
	input.style.height = `${input.scrollHeight + 2}px`;
	form.style.minHeight = '';
}

/** The last press of Tab. */
let completion = {
	/** The text then. Another text begins a new completion. */
	value: '',
	/** Text before and after the completed word. */
	before: '',
	after: '',
	/** @type {string[]} */
	options: [],
	/** How many options were taken. */
	taken: 0,
};

/**
 * Completes the word before the caret. Returns false if Tab should move the focus.
 * @param {HTMLTextAreaElement} input
 * @param {Chat} chat
 */
function complete(input, chat) {
	if (!completion.taken || completion.value !== input.value) startCompletion(input, chat);
	const { before, after, options, taken } = completion;
	const isOnlyOption = options.length === 1 && taken > 0;
	if (!options.length || isOnlyOption) return false;
	const head = `${before}${options[taken % options.length]} `;
	completion.value = input.value = head + after;
	completion.taken += 1;
	input.setSelectionRange(head.length, head.length);
	return true;
}

/**
 * @param {HTMLTextAreaElement} input
 * @param {Chat} chat
 */
function startCompletion({ value, selectionStart: caret }, chat) {
	const word = /\S*$/u.exec(value.slice(0, caret))?.[0] ?? '';
	const before = value.slice(0, caret - word.length);
	completion = { value, before, after: value.slice(caret), options: optionsFor(word, before === '', chat), taken: 0 };
}

/**
 * @param {string} word
 * @param {boolean} isFirst
 * @param {Chat} chat
 */
function optionsFor(word, isFirst, chat) {
	if (!word) return [];
	if (isFirst && word.startsWith('/')) return commandNames(chat).map((name) => `/${name}`).filter((name) => name.startsWith(word));
	if (/^:[\w+-]+$/u.test(word)) return emojiMatching(word.slice(1));
	const at = word.startsWith('@') ? '@' : '';
	const prefix = word.slice(at.length).toLowerCase();
	const others = chat.active.members.nicks.filter((nick) => nick !== chat.nick);
	const matching = others.filter((nick) => nick.toLowerCase().startsWith(prefix));
	// At the beginning, a nickname addresses its user.
	const colon = isFirst && !at ? ':' : '';
	return matching.map((nick) => `${at}${nick}${colon}`);
}
