// How somebody is told who is not looking.

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

/** In the page: keeps account of notifications and sounds instead of making them. */
function keepAccount() {
  window.notes = [];
  window.beeps = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) {
    window.beeps += 1;
    start.apply(this, when);
  };
  if (!window.Notification) return;
  window.Notification = class {
    static permission = 'default';
    static async requestPermission() {
      return (this.permission = 'granted');
    }
    constructor(title, { body }) {
      window.notes.push(`${title}: ${body}`);
    }
  };
}

const titled = (page, title) => page.waitForFunction((title) => document.title === title, title);
const icon = (page) => page.locator('link[rel=icon]').getAttribute('href');

test('the title counts what was not seen, and the icon has a dot, until somebody looks', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana' });
  const bo = await house.enter('bo');
  bo.say('seen');
  await ana.reads('seen');
  await titled(ana.page, '#lobby · chinwag');
  assert.equal(await icon(ana.page), '/icon.svg');

  await ana.look(true);
  bo.say('one');
  bo.say('two');
  await titled(ana.page, '(2) #lobby · chinwag');
  assert.equal(await icon(ana.page), '/icon-unread.svg');
  const dotted = await ana.page.evaluate(() => fetch('/icon-unread.svg').then((answer) => answer.status));
  assert.equal(dotted, 200);

  await ana.look(false);
  await titled(ana.page, '#lobby · chinwag');
  assert.equal(await icon(ana.page), '/icon.svg');
});

test('our nickname and what is for us alone call, and nothing else does', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana', script: keepAccount });
  const bo = await house.enter('bo');
  await ana.page.locator('#settings').click();
  await ana.page.getByLabel('Sound').check();
  await ana.page.keyboard.press('Escape');
  const beeps = () => ana.page.evaluate(() => window.beeps);

  bo.say('ana, while you look');
  await ana.page.locator('.mention', { hasText: 'ana' }).waitFor();
  await ana.look(true);
  await ana.say('ana says ana');
  bo.say('bananas and Anastasia');
  await titled(ana.page, '(1) #lobby · chinwag');
  assert.equal(await ana.page.locator('.mention').count(), 1);
  assert.equal(await beeps(), 0);

  bo.say('and you, Ana?');
  bo.tell('ana', 'hush');
  await titled(ana.page, '(3) #lobby · chinwag');
  assert.equal(await beeps(), 2);
  await ana.page.locator('#rooms .badge.called').nth(1).waitFor();
  assert.deepEqual(await ana.page.locator('.mention').allTextContents(), ['ana', 'Ana']);
});

test('there is no sound unless it was asked for', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana', script: keepAccount });
  const bo = await house.enter('bo');
  await ana.look(true);
  bo.say('ana!');
  await titled(ana.page, '(1) #lobby · chinwag');
  assert.equal(await ana.page.evaluate(() => window.beeps), 0);
  await ana.look(false);
  await ana.page.locator('#settings').click();
  assert.equal(await ana.page.getByLabel('Sound').isChecked(), false);
});

test('notifications are offered where the browser lets them be asked for, and shown when wanted', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana', script: keepAccount, host: 'localhost' });
  const bo = await house.enter('bo');
  const notes = () => ana.page.evaluate(() => window.notes);
  assert.equal(await ana.page.evaluate(() => isSecureContext), true);

  await ana.look(true);
  bo.say('ana, unwanted');
  await titled(ana.page, '(1) #lobby · chinwag');
  assert.deepEqual(await notes(), []);
  const choose = async (isWanted) => {
    await ana.look(false);
    await ana.page.locator('#settings').click();
    await ana.page.getByLabel('Notifications').setChecked(isWanted);
    await ana.page.keyboard.press('Escape');
    await ana.look(true);
  };
  await choose(true);
  bo.say('not for her');
  bo.say('ana, wanted');
  await titled(ana.page, '(2) #lobby · chinwag');
  assert.deepEqual(await notes(), ['bo · #lobby: ana, wanted']);

  // The browser still allows it.
  await choose(false);
  bo.say('ana, unwanted again');
  await titled(ana.page, '(1) #lobby · chinwag');
  assert.deepEqual(await notes(), ['bo · #lobby: ana, wanted']);
});

test('notifications are not offered where the browser forbids them', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana' });
  assert.equal(await ana.page.evaluate(() => isSecureContext), false);
  await ana.page.locator('#settings').click();
  await ana.page.getByLabel('Sound').waitFor();
  assert.equal(await ana.page.getByLabel('Notifications').isVisible(), false);
});
