// Stacked combining marks do not cover other texts, and are drawn fast. Text of
// invisible characters is shown as empty.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { differences } from './support/pictures.js';
import { waitUntilIndexed } from './support/search.js';
import { TestServer } from './support/server.js';

const DRAW_MAX_MS = 300;
const STACKS = {
  'above': `Z${'\u0301\u0302\u0303'.repeat(12)}`,
  'below': `Z${'\u0316\u0323\u0331'.repeat(12)}`,
  'above and below': 'Z\u0310\u0316\u0301\u0323\u0302\u0331\u0346\u0347'.repeat(8),
  'with joiners between': `Z${'\u0301\u200d\u0302\u200c'.repeat(12)}`,
  'with tags between': `Z${'\u0301\u{e0061}'.repeat(12)}`,
  'enclosing': `Z${'\u20dd\u20de\u20e0\u0489'.repeat(12)}`,
  'Thai': `ก${'็'.repeat(30)}`,
  'Thai and others': `ก${'็\u0301'.repeat(30)}`,
  'Arabic': `ب${'\u0651\u064e\u0670'.repeat(12)}`,
  'Hebrew': `ש${'\u05c1\u05b8\u0591'.repeat(12)}`,
  'in code': `\`Z${'\u0301'.repeat(30)}\``,
  'in a block': `\`\`\`\nZ${'\u0301'.repeat(30)}\n\`\`\``,
  'in a link': `http://a.example/Z${'\u0301'.repeat(30)}`,
  'emphasized': `*Z${'\u0301'.repeat(30)}*`,
};

/** Returns the number of pixels above and below an element that are drawn by it. */
async function countOutside(user, element) {
  const { page } = user;
  await user.waitForDrawing();
  const { y, height } = await element.boundingBox();
  const { width, height: screen } = page.viewportSize();
  const bottom = Math.ceil(y + height);
  const clips = [{ x: 0, y: 0, width, height: Math.floor(y) }, { x: 0, y: bottom, width, height: screen - bottom }];
  const pictures = async () => {
    const taken = [];
    for (const clip of clips) taken.push(await page.screenshot({ clip, caret: 'hide' }));
    return taken;
  };
  const seen = await pictures();
  await element.evaluate((it) => (it.style.visibility = 'hidden'));
  const without = await pictures();
  await element.evaluate((it) => (it.style.visibility = ''));
  return (await differences(seen[0], without[0])) + (await differences(seen[1], without[1]));
}

test('stacked combining marks do not cover other messages', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  for (const [name, stack] of Object.entries(STACKS)) {
    await bo.sayAll(['before it gpqy', `${stack} ${stack}`, 'AFTER IT']);
    await ana.waitForMessage('AFTER IT', 'bo');
    const bubble = ana.page.locator('#messages .bubble').nth(-2);
    assert.equal(await countOutside(ana, bubble), 0, name);
    // The text itself is complete.
    const text = await bubble.textContent();
    assert.ok(text.includes(stack.replace(/[*`\n]/gu, '')), name);
  }
});

test('stacked combining marks in a nickname do not cover its neighbours', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  await bo.say('hello');
  await ana.waitForMessage('hello', 'bo');
  for (const [name, nick] of Object.entries(STACKS)) {
    await ana.page.evaluate(async (nick) => {
      const { draw } = await import('/view/entries.js');
      const text = 'hello';
      const item = { kind: 'say', time: Date.now(), nick, text };
      const changes = [{ type: 'joined', nick }];
      document.querySelector('#messages').append(draw(item, item), draw({ kind: 'changes', time: Date.now(), changes }, item));
    }, nick);
    for (const part of ['.byline', '.notice']) {
      const place = ana.page.locator(`#messages ${part}`).last();
      await place.scrollIntoViewIfNeeded();
      assert.equal(await countOutside(ana, place), 0, `${name}, ${part}`);
    }
  }
});

test('ordinary text in any script is not clipped', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  const texts = [
    'Tiếng Việt: ệ ữ ở Ẫ, e\u0323\u0302\u0301',
    'ภาษาไทย: ที่นี่ น้ำ ปู่ ก็',
    'हिन्दी: क्षेत्र र्ट्र्य',
    'မြန်မာ: မြွှေး ကြွေ့',
    'བོད་ཡིག: ཧཱུྃ རྐྱེ',
    'العَرَبِيَّة ٱللَّٰه',
    'שָׁלוֹם בְּרֵאשִׁית',
    '👨‍👩‍👧‍👦 👩🏽‍❤️‍💋‍👨🏿 ❤️ 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿',
    'ÄÖÜ ÅÇ gjpqy',
  ];
  await bo.sayAll(texts);
  await ana.waitForMessage(texts.at(-1), 'bo');
  assert.equal(await ana.page.locator('.excess').count(), 0);
  await ana.waitForDrawing();
  const timeline = ana.page.locator('#timeline');
  const seen = await timeline.screenshot({ caret: 'hide' });
  await ana.page.locator('#messages').evaluate((messages) => {
    for (const it of messages.querySelectorAll('.bubble, .byline')) it.style.overflow = 'visible';
  });
  assert.equal(await differences(seen, await timeline.screenshot({ caret: 'hide' })), 0);
});

test('thousands of combining marks on one letter are drawn fast', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const ana = await server.openPage({ nick: 'ana' });
  for (const [name, unit] of Object.entries({ 'one mark': '\u0301', 'many marks': '\u0301\u0323\u0489', 'joiners': '\u0301\u200d', 'Thai': '็' })) {
    const text = `needle Z${unit.repeat(4000)}`.slice(0, 4000);
    const milliseconds = await ana.page.evaluate(async (text) => {
      const { draw } = await import('/view/entries.js');
      const messages = document.querySelector('#messages');
      const times = [];
      for (let round = 0; round < 3; round += 1) {
        const start = performance.now();
        // A different text each time, since a browser caches the shapes of words.
        const item = { kind: 'say', time: 0, nick: 'bo' };
        messages.replaceChildren(...Array.from({ length: 16 }, (_, index) => draw({ ...item, text: `${round}${index}${text}` }, item)));
        messages.getBoundingClientRect();
        times.push(performance.now() - start);
      }
      return Math.min(...times);
    }, text);
    t.diagnostic(`${name}: ${milliseconds.toFixed(1)} ms`);
    assert.ok(milliseconds < DRAW_MAX_MS, `${name}: ${milliseconds} ms`);
  }

  const bo = await server.connect('bo');
  await bo.sayAll([...Array.from({ length: 16 }, (_, index) => `needle ${index} Z${'\u0301'.repeat(4000)}`), 'newest']);
  await waitUntilIndexed(bo, 'newest');
  const cy = await server.openPage({ nick: 'cy' });
  await cy.page.getByRole('searchbox', { name: 'Search' }).fill('needle');
  await cy.page.locator('#results .excerpt').first().waitFor();
  // An excerpt limits the marks on a letter, too.
  const drawn = await cy.page.locator('#results .excerpt').first().evaluate((excerpt) => excerpt.innerText.normalize('NFD').match(/\p{M}+/gu));
  assert.ok(drawn.every((marks) => marks.length <= 6), `${drawn}`);
});

test('a text of invisible characters is shown as empty', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  // Drawn without the server, which refuses some of these texts.
  const drawn = (text, kind) =>
    ana.page.evaluate(
      async ([text, kind]) => {
        const { draw } = await import('/view/entries.js');
        const item = { kind, time: 0, nick: 'bo', text };
        return draw(item, item).querySelector('.text').textContent;
      },
      [text, kind],
    );
  for (const text of [' ', '\n\n', '\u200b', '\u2800', '\u3164', '\ufe0f', '\u00ad\u2060\ufeff', '\u3000\u00a0', '\u{e0020}', '\u{1d159}', '\u{13441}']) {
    assert.equal(await drawn(text, 'say'), '(empty)', JSON.stringify(text));
    assert.equal(await drawn(text, 'me'), 'bo (empty)', JSON.stringify(text));
  }
  for (const text of ['.', '\u200b.', '❤️', '\u0301', '\ufffd', '\ue000', '\ud83d']) assert.equal(await drawn(text, 'say'), text, JSON.stringify(text));
  await bo.say('marker');
  await ana.waitForMessage('marker', 'bo');
});
