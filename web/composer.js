// The input at the foot of the page. Enter sends, Shift+Enter makes a line.

import { TEXT_BYTES_MAX, sizeInBytes } from './plain.js';

export class Composer {
  #form = document.querySelector('#composer');
  #input = document.querySelector('#text');
  #objection = document.querySelector('#objection');
  #onSend;

  constructor({ onSend }) {
    this.#onSend = onSend;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('keydown', (event) => {
      // An Enter that picks a word in an input method is not ours; Safari
      // tells so only by the old key code.
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key !== 'Enter' || event.shiftKey) return;
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('input', () => this.#edited());
  }

  focus() {
    this.#input.focus();
  }

  #submit() {
    const text = this.#input.value.trim();
    const bytes = sizeInBytes(text);
    if (bytes > TEXT_BYTES_MAX) {
      this.#objection.textContent = `That is too long: ${bytes} bytes, and ${TEXT_BYTES_MAX} is the most.`;
      return;
    }
    this.#input.value = '';
    this.#edited();
    if (text) this.#onSend(text);
    this.focus();
  }

  #edited() {
    this.#objection.textContent = '';
    const { style } = this.#input;
    style.height = 'auto';
    const borders = this.#input.offsetHeight - this.#input.clientHeight;
    style.height = `${this.#input.scrollHeight + borders}px`;
  }
}
