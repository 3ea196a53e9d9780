// How the page draws the attention of a user who looks elsewhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

/** In the page: records notifications and sounds instead of showing and playing them. */
function recordSignals() {
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

const waitForTitle = (page, title) => page.waitForFunction((title) => document.title === title, title);
const icon = (page) => page.locator('link[rel=icon]').getAttribute('href');

test('while the page is hidden, the title counts new messages and the icon has a dot', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const bo = await server.connect('bo');
  await bo.say('seen');
  await ana.waitForMessage('seen');
  await waitForTitle(ana.page, '#lobby · chinwag');
  assert.equal(await icon(ana.page), 'icon.svg');

  await ana.setHidden(true);
  await bo.sayAll(['one', 'two']);
  await waitForTitle(ana.page, '(2) #lobby · chinwag');
  assert.equal(await icon(ana.page), 'icon-unread.svg');
  assert.equal(await ana.page.evaluate(async () => (await fetch('/icon-unread.svg')).status), 200);

  await ana.setHidden(false);
  await waitForTitle(ana.page, '#lobby · chinwag');
  assert.equal(await icon(ana.page), 'icon.svg');
});

test('a sound is played for mentions and private messages only', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', script: recordSignals });
  const bo = await server.connect('bo');
  await ana.page.locator('#settings').click();
  await ana.page.getByLabel('Sound').check();
  await ana.page.keyboard.press('Escape');
  const beeps = () => ana.page.evaluate(() => window.beeps);

  await bo.say('ana, while the page is visible');
  await ana.page.locator('.mention', { hasText: 'ana' }).waitFor();
  await ana.setHidden(true);
  await ana.say('ana says ana');
  await bo.say('bananas and Anastasia');
  await waitForTitle(ana.page, '(1) #lobby · chinwag');
  assert.equal(await ana.page.locator('.mention').count(), 1);
  assert.equal(await beeps(), 0);

  await bo.say('and you, Ana?');
  await bo.tell('ana', 'hush');
  await waitForTitle(ana.page, '(3) #lobby · chinwag');
  assert.equal(await beeps(), 2);
  await ana.page.locator('#rooms .badge.called').nth(1).waitFor();
  assert.deepEqual(await ana.page.locator('.mention').allTextContents(), ['ana', 'Ana']);
});

test('no sound is played unless it is enabled', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', script: recordSignals });
  const bo = await server.connect('bo');
  await ana.setHidden(true);
  await bo.say('ana!');
  await waitForTitle(ana.page, '(1) #lobby · chinwag');
  assert.equal(await ana.page.evaluate(() => window.beeps), 0);
  await ana.setHidden(false);
  await ana.page.locator('#settings').click();
  assert.equal(await ana.page.getByLabel('Sound').isChecked(), false);
});

test('in a secure context, notifications are offered, and shown while enabled', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', script: recordSignals, host: 'localhost' });
  const bo = await server.connect('bo');
  const notes = () => ana.page.evaluate(() => window.notes);
  assert.equal(await ana.page.evaluate(() => isSecureContext), true);

  await ana.setHidden(true);
  await bo.say('ana, unwanted');
  await waitForTitle(ana.page, '(1) #lobby · chinwag');
  assert.deepEqual(await notes(), []);
  const enable = async (isEnabled) => {
    await ana.setHidden(false);
    await ana.page.locator('#settings').click();
    await ana.page.getByLabel('Notifications').setChecked(isEnabled);
    await ana.page.keyboard.press('Escape');
    await ana.setHidden(true);
  };
  await enable(true);
  await bo.sayAll(['without a mention', 'ana, wanted']);
  await waitForTitle(ana.page, '(2) #lobby · chinwag');
  assert.deepEqual(await notes(), ['bo · #lobby: ana, wanted']);

  // The browser still permits notifications.
  await enable(false);
  await bo.say('ana, unwanted again');
  await waitForTitle(ana.page, '(1) #lobby · chinwag');
  assert.deepEqual(await notes(), ['bo · #lobby: ana, wanted']);
});

test('without a secure context, notifications are not offered', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  assert.equal(await ana.page.evaluate(() => isSecureContext), false);
  await ana.page.locator('#settings').click();
  await ana.page.getByLabel('Sound').waitFor();
  assert.equal(await ana.page.getByLabel('Notifications').isVisible(), false);
});
