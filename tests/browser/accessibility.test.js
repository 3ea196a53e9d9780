// Violations that axe-core finds in each state of the page.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { TestServer } from './support/server.js';
import { jumpTo, search } from './support/search.js';

const SCREENS = { desktop: { width: 1280, height: 800 }, phone: { width: 360, height: 640 } };

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Returns each rule that is violated, with the elements. */
async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    // An animation changes colours until it ends.
    await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
    return (await window.axe.run(document, { resultTypes: ['violations'] })).violations;
  });
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ''}`).join(', ')}`);
}

for (const colorScheme of ['light', 'dark']) {
  for (const [screen, viewport] of Object.entries(SCREENS)) {
    test(`axe-core finds no violation in any state of the page: ${colorScheme}, ${screen}`, async (t) => {
      const server = await TestServer.start(t, { args: ['--history-lines', '5'] });
      const network = await server.network();
      const ana = await server.openPage({ nick: 'ana', network, context: { viewport, colorScheme } });
      const { page } = ana;
      const check = async (state) => assert.deepEqual(await violations(page), [], state);
      await check('an empty room');

      const bo = await server.connect('bo');
      await bo.say('*Hello* ana, see `code` and https://example.org/ :smile:');
      await bo.say('```\nblock\n```');
      await bo.say('a long text\n'.repeat(60));
      await bo.tell('ana', 'hush');
      await ana.say('/me waves');
      await ana.say('/help');
      await ana.say('hello');
      await ana.waitForMessage('hello');
      await ana.setHidden(true);
      await bo.say('unread');
      await ana.waitForMessage('unread');
      await ana.input.fill('/');
      await check('a conversation');
      await ana.input.fill('');
      await ana.setHidden(false);

      if (screen === 'phone') {
        await page.locator('#menu').click();
        await page.locator('#side').waitFor();
        await check('the sidebar is open');
        await page.keyboard.press('Escape');
      }
      await page.locator('#me').click();
      await check('the field for the nickname');
      await page.locator('#keep').click();
      for (const [button, dialog] of [['#invite', '#invitation'], ['#settings', '#choices']]) {
        await page.locator(button).click();
        await page.locator(dialog).waitFor();
        await check(dialog);
        await page.keyboard.press('Escape');
      }

      await ana.say('/msg nobody is there');
      await page.locator('#unsent .failed').waitFor();
      await check('a failed message');
      await ana.say('/join lobby');
      network.break();
      await ana.waitForState('disconnected');
      await ana.say('pending');
      await page.locator('#unsent .pending').waitFor();
      await check('disconnected, with a pending message');
      await bo.sayLines(9);
      network.repair();
      await page.locator('.gap').waitFor();
      await check('a gap');
    });

    test(`axe-core finds no violation in the search and its results: ${colorScheme}, ${screen}`, async (t) => {
      const server = await TestServer.start(t, { history: true });
      const bo = await server.connect('bo');
      await bo.sayLines(300);
      const ana = await server.openPage({ nick: 'ana', context: { viewport, colorScheme } });
      const { page } = ana;
      const check = async (state) => assert.deepEqual(await violations(page), [], state);
      if (screen === 'phone') await page.locator('#menu').click();
      await check('an empty search');
      await search(ana, 'line', '50+');
      await check('results');
      await search(ana, 'lime', '0');
      await check('no results');
      await search(ana, '"line 7"', '1');
      await jumpTo(ana, 'line 7');
      await check('a result in the timeline');
    });
  }
}
