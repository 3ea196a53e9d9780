// Connections break and servers are killed. Messages stay complete, single and in
// order.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

test('messages of both sides during a network failure are there afterwards', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const ana = await server.openPage({ nick: 'ana', network });
  const bo = await server.connect('bo');

  const all = [];
  for (const round of [1, 2]) {
    await bo.say(`seen ${round}`);
    await ana.waitForMessage(`seen ${round}`);
    network.break();
    await ana.waitForState('disconnected');
    await bo.sayAll([`missed ${round}a`, `missed ${round}b`]);
    await ana.say(`typed ${round}a`);
    await ana.say(`typed ${round}b`);
    network.repair();
    await bo.waitFor('message', { text: `typed ${round}b` });
    await ana.waitForMessage(`typed ${round}b`);
    all.push(`seen ${round}`, `missed ${round}a`, `missed ${round}b`, `typed ${round}a`, `typed ${round}b`);
  }

  assert.deepEqual(await ana.texts(), all);
  assert.deepEqual(bo.received('message').map(({ text }) => text), all);
  assert.equal(await ana.page.locator('#unsent li').count(), 0);
  assert.equal(await ana.page.locator('.gap').count(), 0);
  // The connection was back within the grace period.
  assert.deepEqual([...bo.received('left'), ...bo.received('arrived')], []);
});

test('a message in flight when the connection breaks appears once', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const ana = await server.openPage({ nick: 'ana', network });
  const bo = await server.connect('bo');

  await ana.page.evaluate(() => {
    // The server receives the message, and its answer does not arrive.
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (frame) {
      send.call(this, frame);
      if (JSON.parse(frame).type === 'say') this.onmessage = null;
    };
  });
  await ana.say('said once');
  await bo.waitFor('message', { text: 'said once' });
  await ana.page.locator('#unsent .pending').waitFor();
  network.break();
  await ana.waitForState('disconnected');
  network.repair();
  await ana.waitForMessage('said once');
  await bo.say('marker');
  await ana.waitForMessage('marker');

  assert.deepEqual(bo.transcript(), ['ana: said once', 'bo: marker']);
  assert.deepEqual(await ana.texts(), ['said once', 'marker']);
  assert.equal(await ana.page.locator('#unsent li').count(), 0);
});

test('messages that the server no longer has are shown as a gap', async (t) => {
  const server = await TestServer.start(t, { args: ['--history-lines', '5'] });
  const network = await server.network();
  const ana = await server.openPage({ nick: 'ana', network });
  const bo = await server.connect('bo');
  await bo.say('before');
  await ana.waitForMessage('before');

  network.break();
  await ana.waitForState('disconnected');
  await bo.sayLines(8);
  network.repair();
  await ana.waitForMessage('line 8');

  const lines = await ana.page.locator('#messages').locator('.text, .gap .notice').allTextContents();
  const newest = [4, 5, 6, 7, 8].map((number) => `line ${number}`);
  assert.deepEqual(lines, ['before', 'Some messages are missing here.', ...newest]);
});

test('no typed message is lost when the server is killed', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', outage: true });
  const bo = await server.openPage({ nick: 'bo', outage: true });
  await Promise.all([ana, bo].map((it) => it.page.evaluate(() => (window.isSame = true))));

  await ana.say('before 1');
  await bo.waitForMessage('before 1');
  await bo.say('before 2');
  await ana.waitForMessage('before 2');
  server.freeze();
  await ana.say('into the void');
  await bo.say('me too');
  const restarted = server.restart();
  await ana.say('while it is gone');
  await restarted;
  await ana.input.fill('half a sent');
  for (const user of [ana, bo]) {
    for (const text of ['into the void', 'me too', 'while it is gone']) await user.waitForMessage(text);
  }
  await bo.say('after');
  await ana.waitForMessage('after');
  await bo.waitForMessage('after');

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
