// Several tabs of one browser: they share what the browser remembers, and each
// is somebody of its own.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { House } from './support/page.js';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

const session = (tab) => tab.page.evaluate(() => sessionStorage['chinwag.session']);

test('two tabs of one person have a session each, and one wish for a nickname', async (t) => {
  const house = await House.open(t);
  const network = await house.network();
  const first = await house.visit(browser, { nick: 'ana', network });
  const second = await house.tab(first.context, first.page.url());

  assert.notEqual(await session(first), await session(second));
  assert.equal(await first.nickname(), 'ana');
  const other = await second.nickname();
  assert.match(other, /^user-\d+$/u);
  await second.page.getByText(`ana is taken. You are ${other}.`).waitFor();

  // Both come back as who they were.
  network.break();
  await first.is('disconnected');
  await second.is('disconnected');
  network.mend();
  await first.say('from the first');
  await second.say('from the second');
  for (const tab of [first, second]) {
    await tab.reads('from the first');
    await tab.reads('from the second');
  }
  assert.deepEqual([await first.nickname(), await second.nickname()], ['ana', other]);
  const said = await second.page.locator('.message').evaluateAll((all) =>
    all.map((it) => [it.classList.contains('own'), it.querySelector('.text').textContent]),
  );
  assert.deepEqual(said.sort(), [[false, 'from the first'], [true, 'from the second']]);

  // The wish of one is the wish of all.
  await second.say('/nick ada');
  await second.page.getByText('ada', { exact: true }).first().waitFor();
  const third = await house.tab(first.context, first.page.url());
  await third.page.getByText(/^ada is taken/u).waitFor();
});

test('a duplicate of a tab is somebody else, and the first goes on', async (t) => {
  const house = await House.open(t);
  const first = await house.visit(browser, { nick: 'ana' });
  const before = await session(first);
  // As when a browser duplicates a tab, what it remembers comes along.
  const [page] = await Promise.all([
    first.context.waitForEvent('page'),
    first.page.evaluate(() => void open(location.href)),
  ]);
  await page.locator('#status[data-state=connected]').waitFor();
  const copy = await page.evaluate(() => sessionStorage['chinwag.session']);
  const nick = await page.locator('#nickname').textContent();

  assert.notEqual(copy, before);
  assert.match(nick, /^user-\d+$/u);
  await first.say('still here');
  await first.reads('still here');
  await page.locator('.other .text', { hasText: 'still here' }).waitFor();
  assert.equal(await session(first), before);
  assert.equal(await first.nickname(), 'ana');
});

test('a tab that is loaded again is the same person, with what she had typed', async (t) => {
  const house = await House.open(t);
  const network = await house.network();
  const ana = await house.visit(browser, { nick: 'ana', network });
  const bo = await house.enter('bo');
  await ana.say('before');
  await ana.reads('before');
  const before = await session(ana);
  network.silence();
  await ana.say('on its way');
  await ana.input.fill('half a sent');
  await ana.page.reload();

  await ana.reads('on its way');
  await bo.reads('on its way');
  assert.equal(await session(ana), before);
  assert.equal(await ana.nickname(), 'ana');
  assert.equal(await ana.input.inputValue(), 'half a sent');
  assert.equal(await ana.page.locator('.own .text').count(), 2);
  assert.deepEqual(bo.texts, ['before', 'on its way']);
  assert.deepEqual(bo.events.filter(({ type }) => type === 'left' || type === 'arrived'), []);
});
