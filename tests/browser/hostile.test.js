// What never becomes anything but text, however it is put, and what could take
// long and does not.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ATTACKS, HOSTILE } from './support/attacks.js';
import { startBrowser } from './support/browser.js';
import { renderer } from './support/renderer.js';

const RENDER_MAX_MS = 20;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

// Whatever is tried, there are no elements and attributes but these, no link
// leads anywhere but to the web, and what is read is what was written.
test('nothing that is written can do anything', async (t) => {
  const render = await renderer(t, browser);
  assert.ok(ATTACKS.length >= 30);
  for (const attack of [...ATTACKS, ATTACKS.join('\n'), ATTACKS.join('*_`:')]) {
    const found = await render.page.evaluate(async (attack) => {
      const { render } = await import('/view/render.js');
      const place = document.createElement('div');
      document.body.append(place);
      place.append(render(attack, 'alert'));
      const elements = [...place.querySelectorAll('*')];
      // Handlers of what loads, fails to load or is animated come later: with
      // those of an element that would have them.
      const marker = document.createElement('img');
      const failed = new Promise((resolve) => (marker.onerror = resolve));
      marker.src = '';
      place.append(marker);
      await failed;
      marker.remove();
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      place.remove();
      return {
        names: elements.map((element) => element.localName),
        attributes: elements.flatMap((element) => element.getAttributeNames()),
        schemes: elements.filter((element) => element.href).map((element) => element.protocol),
        foreign: elements.filter((element) => element.namespaceURI !== document.documentElement.namespaceURI).length,
        // Marks may go; what is left is a part of what was written, in order.
        added: [...attack].reduce(
          (rest, character) => (rest.startsWith(character) ? rest.slice(character.length) : rest),
          place.textContent,
        ),
        ran: window.ran ?? false,
      };
    }, attack);
    const allowed = (items, ...allowedItems) => items.filter((item) => !allowedItems.includes(item));
    assert.deepEqual(allowed(found.names, 'a', 'code', 'pre', 'strong', 'em', 'mark'), [], attack);
    assert.deepEqual(allowed(found.attributes, 'href', 'rel', 'target', 'class'), [], attack);
    assert.deepEqual(allowed(found.schemes, 'http:', 'https:'), [], attack);
    assert.deepEqual([found.foreign, found.added, found.ran], [0, '', false], attack);
  }
});

test('the longest message is shown at once, whatever stands in it', async (t) => {
  const { page } = await renderer(t, browser);
  for (const [name, unit] of Object.entries(HOSTILE)) {
    const text = unit.repeat(Math.ceil(8192 / unit.length)).slice(0, 8192);
    const milliseconds = await page.evaluate(async (text) => {
      const { mentions } = await import('/model/markup.js');
      const { render } = await import('/view/render.js');
      // A busy machine is not our fault: the best of several.
      const times = [];
      for (let round = 0; round < 10; round += 1) {
        const start = performance.now();
        render(text, 'aaaaaaaa');
        times.push(performance.now() - start);
        mentions(text, '***');
      }
      return Math.min(...times);
    }, text);
    t.diagnostic(`${name}: ${milliseconds.toFixed(1)} ms`);
    assert.ok(milliseconds < RENDER_MAX_MS, `${name}: ${milliseconds} ms`);
  }
});
