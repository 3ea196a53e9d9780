// Our nickname: the one we wish for, which the browser remembers, and the one
// we have, which stands at the top of the page and can be changed there.

import { isGiven } from './plain.js';
import { recall, remember } from './storage.js';

const KEY = 'chinwag.nickname';
const GRAPHEMES_MAX = 24;
const BYTES_MAX = 64;

export class Nickname {
  #button = document.querySelector('#me');
  #shown = document.querySelector('#nickname');
  #form = document.querySelector('#rename');
  #input = document.querySelector('#wish');
  #onChange;
  #wish;

  constructor({ onChange }) {
    this.#onChange = onChange;
    this.#wish = tidy(recall(KEY));
    if (objectionTo(this.#wish)) {
      this.#wish = inventNickname();
      remember(KEY, this.#wish);
    }
    this.show(this.#wish);
    this.#button.addEventListener('click', () => this.#edit(true));
    document.querySelector('#keep').addEventListener('click', () => this.#edit(false));
    this.#form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.isComposing) this.#edit(false);
    });
    this.#input.addEventListener('input', () => this.#input.setCustomValidity(''));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** What we ask the server for. */
  get wish() {
    return this.#wish;
  }

  /** What we are called, as far as we know. */
  get current() {
    return this.#shown.textContent;
  }

  /** Shows the nickname that we turn out to have. */
  show(nick) {
    this.#shown.textContent = nick;
  }

  #edit(editing) {
    this.#form.hidden = !editing;
    this.#button.hidden = editing;
    this.#form.closest('header').classList.toggle('editing', editing);
    if (editing) {
      this.#input.value = this.#wish;
      this.#input.setCustomValidity('');
      this.#input.select();
      this.#input.focus();
    } else {
      this.#button.focus();
    }
  }

  #submit() {
    const wish = tidy(this.#input.value);
    const objection = objectionTo(wish);
    this.#input.setCustomValidity(objection);
    if (!this.#form.reportValidity()) return;
    this.#edit(false);
    if (wish === this.current) return;
    this.#wish = wish;
    remember(KEY, wish);
    this.show(wish);
    this.#onChange();
  }
}

// A wish as the server will write it, so that we know it again. A variation
// selector only chooses between two drawings of one emoji.
function tidy(wish) {
  return wish.replace(/[\ufe0e\ufe0f]/gu, '').normalize('NFKC').replace(/\s+/gu, ' ').trim();
}

// The rules that a person runs into; the server knows them all.
function objectionTo(wish) {
  if (!wish) return 'A nickname needs at least one letter.';
  if (isGiven(wish)) return 'Names like this one are given by the server.';
  if (/:( |$)/u.test(wish)) return 'A nickname has no colon at its end or before a space.';
  const tooLong = graphemesIn(wish) > GRAPHEMES_MAX || new TextEncoder().encode(wish).length > BYTES_MAX;
  return tooLong ? `A nickname has at most ${GRAPHEMES_MAX} characters.` : '';
}

function graphemesIn(text) {
  if (!Intl.Segmenter) return [...text].length;
  return [...new Intl.Segmenter().segment(text)].length;
}

function inventNickname() {
  return `guest-${1000 + Math.floor(Math.random() * 9000)}`;
}
