// Connections break, servers die, and the conversation goes on: nothing is
// lost, nothing is there twice, and everything is in order.

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

test('what was said while the network was down is there when it is back', async (t) => {
  const house = await House.open(t);
  const network = await house.network();
  const ana = await house.visit(browser, { nick: 'ana', network });
  const bo = await house.enter('bo');

  const all = [];
  for (const round of [1, 2]) {
    bo.say(`seen ${round}`);
    await ana.reads(`seen ${round}`);
    network.break();
    await ana.is('disconnected');
    bo.say(`missed ${round}a`);
    bo.say(`missed ${round}b`);
    await bo.reads(`missed ${round}b`);
    await ana.say(`typed ${round}a`);
    await ana.say(`typed ${round}b`);
    network.mend();
    await bo.reads(`typed ${round}b`);
    await ana.reads(`typed ${round}b`);
    all.push(`seen ${round}`, `missed ${round}a`, `missed ${round}b`, `typed ${round}a`, `typed ${round}b`);
  }

  assert.deepEqual(await ana.texts(), all);
  assert.deepEqual(bo.texts, all);
  assert.equal(await ana.page.locator('#unsent li').count(), 0);
  assert.equal(await ana.page.locator('.gap').count(), 0);
  // Within the grace nobody saw her go or come.
  assert.deepEqual(bo.events.filter(({ type }) => type === 'left' || type === 'arrived'), []);
});

test('what was on its way when the connection broke is said once', async (t) => {
  const house = await House.open(t);
  const network = await house.network();
  const ana = await house.visit(browser, { nick: 'ana', network });
  const bo = await house.enter('bo');

  await ana.page.evaluate(() => {
    // The server hears this, and its answer does not arrive.
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (frame) {
      send.call(this, frame);
      if (JSON.parse(frame).type === 'say') this.onmessage = null;
    };
  });
  await ana.say('said once');
  await bo.reads('said once');
  await ana.page.locator('#unsent .pending').waitFor();
  network.break();
  await ana.is('disconnected');
  network.mend();
  await ana.reads('said once');
  bo.say('marker');
  await ana.reads('marker');

  assert.deepEqual(bo.texts, ['said once', 'marker']);
  assert.deepEqual(await ana.texts(), ['said once', 'marker']);
  assert.equal(await ana.page.locator('#unsent li').count(), 0);
});

test('what is no longer held is shown as a gap', async (t) => {
  const house = await House.open(t, { args: ['--history-lines', '5'] });
  const network = await house.network();
  const ana = await house.visit(browser, { nick: 'ana', network });
  const bo = await house.enter('bo');
  bo.say('before');
  await ana.reads('before');

  network.break();
  await ana.is('disconnected');
  for (const number of [1, 2, 3, 4, 5, 6, 7, 8]) bo.say(`missed ${number}`);
  await bo.reads('missed 8');
  network.mend();
  await ana.reads('missed 8');

  const lines = await ana.page.locator('#messages').locator('.text, .gap .notice').allTextContents();
  const newest = [4, 5, 6, 7, 8].map((number) => `missed ${number}`);
  assert.deepEqual(lines, ['before', 'Some messages are missing here.', ...newest]);
});

test('a server that is killed in the middle of a conversation loses nothing that was typed', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana' });
  const bo = await house.visit(browser, { nick: 'bo' });
  await Promise.all([ana, bo].map((it) => it.page.evaluate(() => (window.isSame = true))));

  await ana.say('before 1');
  await bo.reads('before 1');
  await bo.say('before 2');
  await ana.reads('before 2');
  house.server.freeze();
  await ana.say('into the void');
  await bo.say('me too');
  const restarted = house.restart();
  await ana.say('while it is gone');
  await restarted;
  await ana.input.fill('half a sent');
  for (const reader of [ana, bo]) {
    for (const text of ['into the void', 'me too', 'while it is gone']) await reader.reads(text);
  }
  await bo.say('after');
  await ana.reads('after');
  await bo.reads('after');

  const typed = ['before 1', 'before 2', 'into the void', 'me too', 'while it is gone', 'after'];
  const texts = await ana.texts();
  assert.deepEqual(texts.toSorted(), typed.toSorted());
  assert.deepEqual(await bo.texts(), texts);
  assert.ok(texts.indexOf('into the void') < texts.indexOf('while it is gone'), String(texts));
  assert.equal(await ana.input.inputValue(), 'half a sent');
  assert.deepEqual(await Promise.all([ana.nickname(), bo.nickname()]), ['ana', 'bo']);
  for (const { page } of [ana, bo]) {
    assert.equal(await page.locator('#unsent li').count(), 0);
    assert.equal(await page.evaluate(() => window.isSame), true);
  }
});
