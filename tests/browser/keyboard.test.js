// The page without a mouse, and for those who hear it.

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

/** Where the focus is, and whether one sees it. */
const focus = (page) =>
  page.evaluate(() => {
    const { activeElement: element } = document;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const isSeen = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && element.checkVisibility({ visibilityProperty: true });
    const name = element.id || element.name || element.ariaLabel || element.textContent;
    return isSeen ? name : `${name} (not seen)`;
  });

test('Tab goes through everything in the order in which it stands, and one sees where', async (t) => {
  const house = await House.open(t);
  const { page } = await house.visit(browser, { nick: 'ana' });
  const order = [];
  await page.locator('#rooms .place').first().focus();
  await page.keyboard.press('Tab');
  for (let steps = 0; steps < 9; steps += 1) {
    order.push(await focus(page));
    await page.keyboard.press('Tab');
  }
  assert.deepEqual(order, ['Leave #lobby', 'room', 'Join a room', 'me', 'invite', 'settings', 'timeline', 'text', 'send']);
});

test('everything can be done with the keyboard', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana' });
  const { keyboard } = ana.page;
  assert.equal(await focus(ana.page), 'text');
  await keyboard.type('hello');
  await keyboard.press('Enter');
  await ana.reads('hello');

  await ana.page.locator('#me').focus();
  await keyboard.press('Enter');
  await keyboard.press('ControlOrMeta+a');
  await keyboard.type('ada lovelace');
  await keyboard.press('Enter');
  await ana.page.locator('#nickname', { hasText: 'ada lovelace' }).waitFor();
  assert.equal(await focus(ana.page), 'me');
  await keyboard.press('Enter');
  await keyboard.type('nobody');
  await keyboard.press('Escape');
  assert.equal(await ana.nickname(), 'ada lovelace');
  assert.equal(await focus(ana.page), 'me');

  for (const [button, dialog] of [['#invite', '#invitation'], ['#settings', '#choices']]) {
    await ana.page.locator(button).focus();
    await keyboard.press('Enter');
    await ana.page.locator(dialog).waitFor();
    await keyboard.press('Escape');
    await ana.page.locator(dialog).waitFor({ state: 'hidden' });
    assert.equal(`#${await focus(ana.page)}`, button);
    await keyboard.press('Enter');
    await ana.page.locator(dialog).getByRole('button', { name: 'Close' }).focus();
    await keyboard.press('Enter');
    await ana.page.locator(dialog).waitFor({ state: 'hidden' });
  }
});

test('Escape closes the side of a phone, and the focus goes back to its button', async (t) => {
  const house = await House.open(t);
  const { page } = await house.visit(browser, { nick: 'ana', context: { viewport: { width: 360, height: 640 } } });
  const isOpen = () => page.locator('#menu').getAttribute('aria-expanded');
  const side = page.locator('#side');
  assert.equal(await isOpen(), 'false');
  assert.equal(await side.isVisible(), false);
  await page.locator('#menu').focus();
  await page.keyboard.press('Enter');
  await side.waitFor();
  assert.equal(await isOpen(), 'true');
  await page.locator('#join input').focus();
  await page.keyboard.press('Escape');
  await side.waitFor({ state: 'hidden' });
  assert.equal(await isOpen(), 'false');
  assert.equal(await focus(page), 'menu');
});

test('new messages are read out, and old ones are not', async (t) => {
  const house = await House.open(t);
  const bo = await house.enter('bo');
  for (const number of Array(120).keys()) bo.say(`old ${number}`);
  await bo.reads('old 119');
  const script = () => {
    // What a screen reader would read out: what comes into a live region.
    window.heard = [];
    new MutationObserver((changes) => {
      const log = document.querySelector('[role=log]');
      if (log?.ariaLive !== 'polite') return;
      for (const { addedNodes, target } of changes) {
        if (!log.contains(target)) continue;
        for (const { textContent } of addedNodes) window.heard.push(...(textContent.match(/(?:old|new) \d+/u) ?? []));
      }
    }).observe(document, { childList: true, subtree: true });
  };
  const ana = await house.visit(browser, { nick: 'ana', script });
  const log = ana.page.getByRole('log', { name: 'Messages' });
  await log.and(ana.page.locator('[aria-live=polite]')).waitFor();
  bo.say('new 1');
  await ana.reads('new 1');
  const first = ana.page.getByText('old 0', { exact: true });
  for (let step = 0; step < 300 && !(await first.count()); step += 1) {
    await log.evaluate((log) => new Promise((resolve) => {
      log.scrollTop = 0;
      requestAnimationFrame(resolve);
    }));
  }
  await first.waitFor();
  await log.and(ana.page.locator('[aria-live=polite]')).waitFor();
  await log.evaluate((log) => (log.scrollTop = log.scrollHeight));
  bo.say('new 2');
  await ana.reads('new 2');
  assert.deepEqual(await ana.page.evaluate(() => window.heard), ['new 1', 'new 2']);
});

test('the state of the connection is a status, and every control has a name', async (t) => {
  const house = await House.open(t);
  const { page } = await house.visit(browser, { nick: 'ana' });
  assert.equal(await page.getByRole('status').getAttribute('id'), 'status');
  const nameless = await page.locator('button, input, textarea, select').evaluateAll((controls) =>
    controls
      .filter((it) => !(it.ariaLabel || it.labels?.[0]?.textContent.trim() || (it.textContent.trim() && it.tagName === 'BUTTON')))
      .map((it) => it.outerHTML),
  );
  // What the button says is put there when the invitation opens.
  assert.deepEqual(nameless, ['<button id="copy" type="button"></button>']);
});
