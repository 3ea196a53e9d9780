// The part of the page that makes nodes of texts.

import assert from 'node:assert/strict';

import { Chat } from './chat.js';

/** Renders in a page; `all` and `unchanged` compare what comes out. */
export async function renderer(t, browser) {
  const chat = await Chat.open(t);
  const { page } = await chat.visit(browser);
  const html = (text, nick) =>
    page.evaluate(
      async ([text, nick]) => {
        const { render } = await import('/view/render.js');
        const place = document.createElement('div');
        place.append(render(text, nick));
        return place.innerHTML;
      },
      [text, nick],
    );
  return {
    page,
    html,
    async all(expected, nick) {
      for (const [text, markup] of Object.entries(expected)) assert.equal(await html(text, nick), markup, text);
    },
    async unchanged(...texts) {
      for (const text of texts) assert.equal(await html(text), text);
    },
  };
}
