// What axe-core finds against the page, in every state that it can be in.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { House } from './support/page.js';
import { jumpTo, search, withHistory } from './support/searching.js';

const SCREENS = { desktop: { width: 1280, height: 800 }, phone: { width: 360, height: 640 } };

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

/** In a few words each: the rule, and where it is broken. */
async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    // Colours are judged where they have arrived.
    await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
    return (await window.axe.run(document, { resultTypes: ['violations'] })).violations;
  });
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ''}`).join(', ')}`);
}

for (const colorScheme of ['light', 'dark']) {
  for (const [screen, viewport] of Object.entries(SCREENS)) {
    test(`nothing bars anybody from the page, ${colorScheme}, on a ${screen}`, async (t) => {
      const house = await House.open(t, { args: ['--history-lines', '5'] });
      const network = await house.network();
      const ana = await house.visit(browser, { nick: 'ana', network, context: { viewport, colorScheme } });
      const { page } = ana;
      const isFine = async (when) => assert.deepEqual(await violations(page), [], when);
      await isFine('empty');

      const bo = await house.enter('bo');
      bo.say('*Hello* ana, see `code` and https://example.org/ :smile:');
      bo.say('```\nblock\n```');
      bo.say('a long text\n'.repeat(60));
      bo.say('\u2800');
      bo.tell('ana', 'hush');
      await ana.say('/me waves');
      await ana.say('/help');
      await ana.say('hello');
      await ana.reads('hello');
      await ana.look(true);
      bo.say('not seen by ana');
      await ana.reads('not seen by ana');
      await ana.input.fill('/');
      await isFine('a conversation');
      await ana.input.fill('');
      await ana.look(false);

      if (screen === 'phone') {
        await page.locator('#menu').click();
        await page.locator('#side').waitFor();
        await isFine('the side is open');
        await page.keyboard.press('Escape');
      }
      await page.locator('#me').click();
      await isFine('the nickname is changed');
      await page.locator('#keep').click();
      for (const [button, dialog] of [['#invite', '#invitation'], ['#settings', '#choices']]) {
        await page.locator(button).click();
        await page.locator(dialog).waitFor();
        await isFine(dialog);
        await page.keyboard.press('Escape');
      }

      await ana.say('/msg nobody is there');
      await page.locator('#unsent .failed').waitFor();
      await isFine('a failed message');
      await ana.say('/join lobby');
      network.break();
      await ana.is('disconnected');
      await ana.say('pending');
      await page.locator('#unsent .pending').waitFor();
      // It is faint for a moment only after a while.
      await isFine('disconnected, with a pending message');
      for (const number of Array(9).keys()) bo.say(`missed ${number}`);
      await bo.reads('missed 8');
      network.mend();
      await page.locator('.gap').waitFor();
      await isFine('a gap');
    });

    test(`nothing bars anybody from what was said, ${colorScheme}, on a ${screen}`, async (t) => {
      const house = await House.open(t, { args: await withHistory(t) });
      const bo = await house.enter('bo');
      for (const number of Array(300).keys()) bo.say(`line ${number}`);
      await bo.reads('line 299');
      const ana = await house.visit(browser, { nick: 'ana', context: { viewport, colorScheme } });
      const { page } = ana;
      const isFine = async (when) => assert.deepEqual(await violations(page), [], when);
      if (screen === 'phone') await page.locator('#menu').click();
      await isFine('nothing is looked for');
      await search(ana, 'line', '50+');
      await isFine('results');
      await search(ana, 'lime', '0');
      await isFine('no results');
      await search(ana, '"line 7"', '1');
      await jumpTo(ana, 'line 7');
      await isFine('what was found');
    });
  }
}
