// A long text is folded: it cannot push all others out of sight, and all of it
// can be read.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';
import { PHONE } from './support/phone.js';
import { distanceToEnd, scrollTo } from './support/scrolling.js';
import { isFound, jumpTo, search, withHistory } from './support/searching.js';

const LINES_MAX = 40;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

const lines = (count, text = 'number') => Array.from({ length: count }, (_, index) => `${text} ${index + 1}`).join('\n');
const unfold = ({ page }) => page.getByRole('button', { name: 'Show all' });
const refold = ({ page }) => page.getByRole('button', { name: 'Show less' });
const topOf = async (locator) => (await locator.boundingBox()).y;

/** How many lines of the last text are shown. */
const linesShown = ({ page }) =>
  page.locator('#messages .text').last().evaluate((text) => text.clientHeight / parseFloat(getComputedStyle(text).lineHeight));

/** Waits until everything that a change leads to is drawn. */
const drawn = ({ page }) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

for (const [screen, context] of Object.entries({ desktop: {}, phone: PHONE })) {
  test(`forty lines of a text are shown, on a ${screen}`, async (t) => {
    const chat = await Chat.open(t);
    const bo = await chat.join('bo');
    const ana = await chat.visit(browser, { nick: 'ana', context });
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
      await ana.reads('bo', `after ${name}`);
      await unfold(ana).last().waitFor();
      const heights = await ana.page.locator('#messages .bubble').evaluateAll((all) => all.map((bubble) => bubble.offsetHeight));
      assert.ok(heights.at(-2) < LINES_MAX * 24 + 20, `${name}: ${heights.at(-2)} px`);
      assert.ok(heights.at(-2) > LINES_MAX * 20, `${name}: ${heights.at(-2)} px`);
      assert.equal(await distanceToEnd(ana), 0);
    }
    assert.equal(await unfold(ana).count(), Object.keys(long).length);

    await ana.say(lines(LINES_MAX));
    await ana.readsOwn(lines(LINES_MAX));
    await drawn(ana);
    assert.equal(await linesShown(ana), LINES_MAX);
    assert.equal(await unfold(ana).count(), Object.keys(long).length);
  });
}

test('a text is unfolded where it stands, and folded again', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await bo.say(lines(100));
  await bo.say('after it');
  await ana.reads('bo', 'after it');
  await unfold(ana).waitFor();
  assert.equal(await unfold(ana).getAttribute('aria-expanded'), 'false');

  const message = ana.page.locator('#messages .text').first();
  const before = await topOf(message);
  await unfold(ana).focus();
  await ana.page.keyboard.press('Enter');
  await refold(ana).waitFor();
  assert.equal(await refold(ana).getAttribute('aria-expanded'), 'true');
  await drawn(ana);
  assert.equal(await topOf(message), before);

  // It is being read: nothing that comes may move it.
  await bo.say('meanwhile');
  await ana.page.getByRole('button', { name: '1 new message', exact: true }).waitFor();
  assert.equal(await topOf(message), before);

  await scrollTo(ana, 0.6);
  await refold(ana).scrollIntoViewIfNeeded();
  const place = await topOf(refold(ana));
  await refold(ana).press('Enter');
  await unfold(ana).waitFor();
  await drawn(ana);
  const { y, height } = await unfold(ana).boundingBox();
  const { height: screen } = ana.page.viewportSize();
  assert.ok(y + height > 60 && y < screen, `it was at ${place}, and is at ${y}`);
});

test('a text stays unfolded, however often it is drawn', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await bo.say(lines(100));
  await ana.reads('bo', lines(100));
  await unfold(ana).click();
  await refold(ana).waitFor();
  for (const room of ['kitchen', 'lobby']) {
    await ana.say(`/join ${room}`);
    await ana.isIn(`#${room}`);
  }
  await refold(ana).waitFor();
  assert.equal(await unfold(ana).count(), 0);
});

test('a text is folded and unfolded as the width of the screen asks for it', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { nick: 'ana' });
  const text = 'Four words in each. '.repeat(80).trim();
  await bo.say(text);
  await ana.reads('bo', text);
  await drawn(ana);
  assert.equal(await unfold(ana).count(), 0);
  await ana.page.setViewportSize({ width: 360, height: 640 });
  await unfold(ana).waitFor();
  await ana.page.setViewportSize({ width: 1280, height: 800 });
  await unfold(ana).waitFor({ state: 'detached' });
});

test('a link in what is folded is seen when it gets the focus', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await bo.say(`${lines(90)}\nhttp://a.example/\n${lines(90)}`);
  await ana.page.getByRole('link').waitFor();
  await ana.page.locator('#timeline').focus();
  await ana.page.keyboard.press('Tab');
  await refold(ana).waitFor();
  await drawn(ana);
  const { y } = await ana.page.locator('a:focus').boundingBox();
  assert.ok(y > 60 && y < 740, `the link is at ${y}`);
});

test('what is found in a folded text is seen', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.say(`${lines(150)}\na needle é\n${lines(150)}`);
  await bo.say(`${'many words in one line '.repeat(250)}a pin ${'and many more '.repeat(100)}`);
  await bo.sayMany(20);
  await isFound(bo, 'needle');
  await isFound(bo, 'pin');
  const ana = await chat.visit(browser, { nick: 'ana' });
  for (const word of ['needle', 'pin']) {
    await search(ana, word, '1');
    await jumpTo(ana, word);
    await drawn(ana);
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

test('the button speaks the language of the reader', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  await bo.say(lines(100));
  const ana = await chat.visit(browser, { nick: 'ana', context: { locale: 'de-DE' } });
  await ana.page.getByRole('button', { name: 'Alles zeigen' }).click();
  await ana.page.getByRole('button', { name: 'Weniger zeigen' }).waitFor();
});
