// The page without a mouse, and with a screen reader.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

/** Returns which element has the focus, and whether that is visible. */
const focus = (page) =>
  page.evaluate(() => {
    const { activeElement: element } = document;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const isVisible = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && element.checkVisibility({ visibilityProperty: true });
    const name = element.id || element.name || element.ariaLabel || element.textContent;
    return isVisible ? name : `${name} (not visible)`;
  });

test('Tab visits all controls in their visible order, with a visible focus', async (t) => {
  const server = await TestServer.start(t);
  const { page } = await server.openPage({ nick: 'ana' });
  const order = [];
  await page.locator('#rooms .place').first().focus();
  await page.keyboard.press('Tab');
  for (let steps = 0; steps < 9; steps += 1) {
    order.push(await focus(page));
    await page.keyboard.press('Tab');
  }
  assert.deepEqual(order, ['Leave #lobby', 'room', 'Join a room', 'me', 'invite', 'settings', 'timeline', 'text', 'send']);
});

test('messages, the nickname and the dialogs work with the keyboard alone', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const { keyboard } = ana.page;
  assert.equal(await focus(ana.page), 'text');
  await keyboard.type('hello');
  await keyboard.press('Enter');
  await ana.waitForMessage('hello');

  await ana.page.locator('#me').focus();
  await keyboard.press('Enter');
  await keyboard.press('ControlOrMeta+a');
  await keyboard.type('ada lovelace');
  await keyboard.press('Enter');
  await ana.page.locator('#nickname', { hasText: 'ada lovelace' }).waitFor();
  assert.equal(await focus(ana.page), 'me');
  await keyboard.press('Enter');
  await keyboard.type('another name');
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

test('Escape closes the sidebar on a phone, and the focus returns to its button', async (t) => {
  const server = await TestServer.start(t);
  const { page } = await server.openPage({ nick: 'ana', context: { viewport: { width: 360, height: 640 } } });
  const expanded = () => page.locator('#menu').getAttribute('aria-expanded');
  const side = page.locator('#side');
  assert.equal(await expanded(), 'false');
  assert.equal(await side.isVisible(), false);
  await page.locator('#menu').focus();
  await page.keyboard.press('Enter');
  await side.waitFor();
  assert.equal(await expanded(), 'true');
  await page.locator('#join input').focus();
  await page.keyboard.press('Escape');
  await side.waitFor({ state: 'hidden' });
  assert.equal(await expanded(), 'false');
  assert.equal(await focus(page), 'menu');
});

test('a screen reader announces new messages, and not older ones that are loaded', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  await bo.sayAll(Array.from({ length: 120 }, (_, index) => `old ${index}`));
  const script = () => {
    // A screen reader announces the text that is added to a live region.
    window.announced = [];
    new MutationObserver((changes) => {
      const log = document.querySelector('[role=log]');
      if (log?.ariaLive !== 'polite') return;
      for (const { addedNodes, target } of changes) {
        if (!log.contains(target)) continue;
        for (const { textContent } of addedNodes) window.announced.push(...(textContent.match(/(?:old|new) \d+/u) ?? []));
      }
    }).observe(document, { childList: true, subtree: true });
  };
  const ana = await server.openPage({ nick: 'ana', script });
  const log = ana.page.getByRole('log', { name: 'Messages' });
  await log.and(ana.page.locator('[aria-live=polite]')).waitFor();
  await bo.say('new 1');
  await ana.waitForMessage('new 1');
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
  await bo.say('new 2');
  await ana.waitForMessage('new 2');
  assert.deepEqual(await ana.page.evaluate(() => window.announced), ['new 1', 'new 2']);
});

test('the connection state is a status region, and every control has a name', async (t) => {
  const server = await TestServer.start(t);
  const { page } = await server.openPage({ nick: 'ana' });
  assert.equal(await page.getByRole('status').getAttribute('id'), 'status');
  const nameless = await page.locator('button, input, textarea, select').evaluateAll((controls) =>
    controls
      .filter((it) => !(it.ariaLabel || it.labels?.[0]?.textContent.trim() || (it.textContent.trim() && it.tagName === 'BUTTON')))
      .map((it) => it.outerHTML),
  );
  // The button gets its name when the invitation opens.
  assert.deepEqual(nameless, ['<button id="copy" type="button"></button>']);
});
