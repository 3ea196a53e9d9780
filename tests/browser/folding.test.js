// A long text is folded, so that the messages around it stay in view. A button
// shows all of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { distanceToEnd, scrollTo } from './support/scrolling.js';
import { jumpTo, search, waitUntilIndexed } from './support/search.js';
import { TestServer } from './support/server.js';
import { PHONE } from './support/user.js';

const LINES_MAX = 40;

const lines = (count, text = 'number') => Array.from({ length: count }, (_, index) => `${text} ${index + 1}`).join('\n');
const unfold = ({ page }) => page.getByRole('button', { name: 'Show all' });
const refold = ({ page }) => page.getByRole('button', { name: 'Show less' });
const topOf = async (locator) => (await locator.boundingBox()).y;

/** The number of lines of the last text that are shown. */
const linesShown = ({ page }) =>
  page.locator('#messages .text').last().evaluate((text) => text.clientHeight / parseFloat(getComputedStyle(text).lineHeight));

for (const [screen, context] of Object.entries({ desktop: {}, phone: PHONE })) {
  test(`forty lines of a long text are shown, on a ${screen}`, async (t) => {
    const server = await TestServer.start(t);
    const bo = await server.connect('bo');
    const ana = await server.openPage({ nick: 'ana', context });
    const long = {
      'line feeds': `a${'\n'.repeat(8000)}b`,
      'words': 'word '.repeat(1600).trim(),
      'one word': 'm'.repeat(8192),
      'code': `\`\`\`\n${lines(300)}\n\`\`\``,
      'one line more': lines(LINES_MAX + 1),
    };
    for (const [name, text] of Object.entries(long)) {
      await bo.say(text);
      await bo.say(`after ${name}`);
      await ana.waitForMessage(`after ${name}`, 'bo');
      await unfold(ana).last().waitFor();
      const heights = await ana.page.locator('#messages .bubble').evaluateAll((all) => all.map((bubble) => bubble.offsetHeight));
      assert.ok(heights.at(-2) < LINES_MAX * 24 + 20, `${name}: ${heights.at(-2)} px`);
      assert.ok(heights.at(-2) > LINES_MAX * 20, `${name}: ${heights.at(-2)} px`);
      assert.equal(await distanceToEnd(ana), 0);
    }
    assert.equal(await unfold(ana).count(), Object.keys(long).length);

    await ana.say(lines(LINES_MAX));
    await ana.waitForOwnMessage(lines(LINES_MAX));
    await ana.waitForDrawing();
    assert.equal(await linesShown(ana), LINES_MAX);
    assert.equal(await unfold(ana).count(), Object.keys(long).length);
  });
}

test('a text is unfolded and folded without moving out of view', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  await bo.say(lines(100));
  await bo.say('after it');
  await ana.waitForMessage('after it', 'bo');
  await unfold(ana).waitFor();
  assert.equal(await unfold(ana).getAttribute('aria-expanded'), 'false');

  const message = ana.page.locator('#messages .text').first();
  const before = await topOf(message);
  await unfold(ana).focus();
  await ana.page.keyboard.press('Enter');
  await refold(ana).waitFor();
  assert.equal(await refold(ana).getAttribute('aria-expanded'), 'true');
  await ana.waitForDrawing();
  assert.equal(await topOf(message), before);

  await bo.say('meanwhile');
  await ana.waitForNewMessages(1);
  assert.equal(await topOf(message), before);

  await scrollTo(ana, 0.6);
  await refold(ana).scrollIntoViewIfNeeded();
  const place = await topOf(refold(ana));
  await refold(ana).press('Enter');
  await unfold(ana).waitFor();
  await ana.waitForDrawing();
  const { y, height } = await unfold(ana).boundingBox();
  const { height: screen } = ana.page.viewportSize();
  assert.ok(y + height > 60 && y < screen, `it was at ${place}, and is at ${y}`);
});

test('a text stays unfolded when its room is shown again', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  await bo.say(lines(100));
  await ana.waitForMessage(lines(100), 'bo');
  await unfold(ana).click();
  await refold(ana).waitFor();
  for (const room of ['kitchen', 'lobby']) {
    await ana.say(`/join ${room}`);
    await ana.waitForConversation(`#${room}`);
  }
  await refold(ana).waitFor();
  assert.equal(await unfold(ana).count(), 0);
});

test('a text is folded if it has too many lines for the width of the screen', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  const text = 'Four words in each. '.repeat(80).trim();
  await bo.say(text);
  await ana.waitForMessage(text, 'bo');
  await ana.waitForDrawing();
  assert.equal(await unfold(ana).count(), 0);
  await ana.page.setViewportSize({ width: 360, height: 640 });
  await unfold(ana).waitFor();
  await ana.page.setViewportSize({ width: 1280, height: 800 });
  await unfold(ana).waitFor({ state: 'detached' });
});

test('a text is unfolded when a link in its hidden part gets the focus', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  await bo.say(`${lines(90)}\nhttp://a.example/\n${lines(90)}`);
  await ana.page.getByRole('link').waitFor();
  await ana.page.locator('#timeline').focus();
  await ana.page.keyboard.press('Tab');
  await refold(ana).waitFor();
  await ana.waitForDrawing();
  const { y } = await ana.page.locator('a:focus').boundingBox();
  assert.ok(y > 60 && y < 740, `the link is at ${y}`);
});

test('a search result in the hidden part of a text is scrolled into view', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.say(`${lines(150)}\na needle é\n${lines(150)}`);
  await bo.say(`${'many words in one line '.repeat(250)}a pin ${'and many more '.repeat(100)}`);
  await bo.sayLines(20);
  await waitUntilIndexed(bo, 'needle');
  await waitUntilIndexed(bo, 'pin');
  const ana = await server.openPage({ nick: 'ana' });
  for (const word of ['needle', 'pin']) {
    await search(ana, word, '1');
    await jumpTo(ana, word);
    await ana.waitForDrawing();
    const { top, bottom } = await ana.page.locator('li:focus .text').evaluate((text, word) => {
      const range = document.createRange();
      const node = text.firstChild;
      range.setStart(node, node.data.indexOf(word));
      range.setEnd(node, node.data.indexOf(word) + word.length);
      const { top, bottom } = range.getBoundingClientRect();
      return { top, bottom };
    }, word);
    assert.ok(top > 60 && bottom < 740, `${word} stands from ${top} to ${bottom}`);
  }
  assert.equal(await refold(ana).count(), 2);
});

test('the button to unfold is in the language of the browser', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  await bo.say(lines(100));
  const ana = await server.openPage({ nick: 'ana', context: { locale: 'de-DE' } });
  await ana.page.getByRole('button', { name: 'Alles zeigen' }).click();
  await ana.page.getByRole('button', { name: 'Weniger zeigen' }).waitFor();
});
