// Texts that try to become more than harmless markup, or to take long to render.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ATTACKS, SLOW_UNITS } from './support/attacks.js';
import { openRenderer } from './support/renderer.js';

const RENDER_MAX_MS = 20;

// Only known elements and attributes are created, links lead only to the web, and
// the visible text is the text as it was written.
test('no text becomes more than harmless markup', async (t) => {
  const render = await openRenderer(t);
  assert.ok(ATTACKS.length >= 30);
  for (const attack of [...ATTACKS, ATTACKS.join('\n'), ATTACKS.join('*_`:')]) {
    const found = await render.page.evaluate(async (attack) => {
      const { render } = await import('/view/elements.js');
      const place = document.createElement('div');
      document.body.append(place);
      place.append(render(attack, 'alert'));
      const elements = [...place.querySelectorAll('*')];
      // Handlers of loading, errors and animations run later. The handler of this
      // element runs after them.
      const marker = document.createElement('img');
      const failed = new Promise((resolve) => (marker.onerror = resolve));
      marker.src = '';
      place.append(marker);
      await failed;
      marker.remove();
      await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
      place.remove();
      return {
        names: elements.map((element) => element.localName),
        attributes: elements.flatMap((element) => element.getAttributeNames()),
        schemes: elements.filter((element) => element.href).map((element) => element.protocol),
        foreign: elements.filter((element) => element.namespaceURI !== document.documentElement.namespaceURI).length,
        // The visible characters that are not in the source, in order.
        added: [...attack].reduce(
          (rest, character) => (rest.startsWith(character) ? rest.slice(character.length) : rest),
          place.textContent,
        ),
        ran: window.ran ?? false,
      };
    }, attack);
    const except = (items, ...allowed) => items.filter((item) => !allowed.includes(item));
    assert.deepEqual(except(found.names, 'a', 'code', 'pre', 'strong', 'em', 'mark'), [], attack);
    assert.deepEqual(except(found.attributes, 'href', 'rel', 'target', 'class'), [], attack);
    assert.deepEqual(except(found.schemes, 'http:', 'https:'), [], attack);
    assert.deepEqual([found.foreign, found.added, found.ran], [0, '', false], attack);
  }
});

test('the longest message is rendered fast, with any content', async (t) => {
  const { page } = await openRenderer(t);
  for (const [name, unit] of Object.entries(SLOW_UNITS)) {
    const text = unit.repeat(Math.ceil(8192 / unit.length)).slice(0, 8192);
    const milliseconds = await page.evaluate(async (text) => {
      const { mentions } = await import('/model/markup.js');
      const { render } = await import('/view/elements.js');
      // The best of several rounds, since other processes slow some of them down.
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
