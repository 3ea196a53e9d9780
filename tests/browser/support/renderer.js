// The part of the page that makes nodes of texts.

import assert from 'node:assert/strict';

import { TestServer } from './server.js';

/** Opens a page in which a test can call the module. */
export async function openRenderer(t) {
  const server = await TestServer.start(t);
  const { page } = await server.openPage();
  const html = (text, nick) =>
    page.evaluate(
      async ([text, nick]) => {
        const { render } = await import('/view/elements.js');
        const place = document.createElement('div');
        place.append(render(text, nick));
        return place.innerHTML;
      },
      [text, nick],
    );
  return {
    page,
    html,
    /** Compares the HTML of each text with the expected one. */
    async all(expected, nick) {
      for (const [text, markup] of Object.entries(expected)) assert.equal(await html(text, nick), markup, text);
    },
    /** Checks that nothing in these texts is rendered. */
    async unchanged(...texts) {
      for (const text of texts) assert.equal(await html(text), text);
    },
  };
}
