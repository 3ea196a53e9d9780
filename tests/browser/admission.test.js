// A server that refuses or delays new connections and joins: the page shows
// that, waits as long as the server asks, and tries again.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MessageProxy } from './support/network.js';
import { TestServer } from './support/server.js';

const REASON = 'Too many people are here from your address already; close one of the pages.';

test('a page that is refused shows the reason, and connects when the server has room', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const ana = await server.openPage({ network, nick: 'ana' });
  const status = (text) => ana.page.getByRole('status').filter({ hasText: text });
  network.refuse(`${REASON}\n`);
  await status(`${REASON} Trying again…`).waitFor();
  await ana.say('while it is full');
  await ana.waitForUnsent('while it is full', 'pending');
  network.break();
  await status('Disconnected. Trying again…').waitFor();
  network.refuse('<b>Another reason</b>');
  await status('<b>Another reason</b> Trying again…').waitFor();
  network.repair();
  await ana.waitForOwnMessage('while it is full');
  assert.equal(await status('Connected').count(), 1);
});

test('a page that the server asks to wait shows that, and sends hello again', async (t) => {
  const server = await TestServer.start(t);
  let refusals = 2;
  const proxy = new MessageProxy({
    request({ type, ref }, { toPage }) {
      if (type !== 'hello' || refusals === 0) return false;
      refusals -= 1;
      toPage({ type: 'error', code: 'rate_limited', message: 'too many are new', retry_ms: 1_500, ref });
      return true;
    },
  });
  const script = () => {
    window.seen = [];
    addEventListener('DOMContentLoaded', () => {
      const status = document.querySelector('#status');
      new MutationObserver(() => window.seen.push(status.textContent)).observe(status, { childList: true });
    });
  };
  const ana = await server.openPage({ nick: 'ana', proxy, script });
  assert.deepEqual((await ana.page.evaluate(() => window.seen)).slice(-2), ['The server is busy. Waiting to get in…', 'Connected']);
  assert.equal(proxy.requests.filter(({ type }) => type === 'hello').length, 3);
  assert.equal(await ana.nickname(), 'ana');
});

test('a join that is too fast is repeated, and messages to the room wait for it', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo', 'kitchen');
  let refusals = 3;
  const proxy = new MessageProxy({
    request({ type, room, ref }, { toPage }) {
      if (type !== 'join' || room !== 'kitchen' || refusals === 0) return false;
      refusals -= 1;
      // The last refusal does not say how long to wait.
      toPage({ type: 'error', code: 'rate_limited', message: 'slowly', ...(refusals && { retry_ms: 0 }), ref });
      return true;
    },
  });
  const ana = await server.openPage({ nick: 'ana', proxy });
  await ana.say('/join kitchen');
  await ana.say('soup?');
  await bo.waitFor('message', { text: 'soup?' });
  await ana.waitForOwnMessage('soup?');
  assert.equal(proxy.countOf('soup?'), 1);
  assert.equal(await ana.page.getByRole('alert').textContent(), '');
});

test('a room that cannot be joined again keeps its messages', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  let isFull = false;
  const proxy = new MessageProxy({
    request({ type, ref }, { toPage }) {
      if (type !== 'join' || !isFull) return false;
      toPage({ type: 'error', code: 'too_many_rooms', message: 'there are too many rooms', ref });
      return true;
    },
  });
  const ana = await server.openPage({ network, nick: 'ana', proxy });
  await bo.say('before');
  await ana.waitForMessage('before', 'bo');
  isFull = true;
  network.break();
  await ana.waitForState('disconnected');
  network.repair();
  await ana.waitForNotice('there are too many rooms');
  await ana.say('let me in');
  const entry = ana.unsent('let me in');
  await entry.getByText(/^Refused: you are not in lobby /u).waitFor();
  isFull = false;
  await entry.getByRole('button', { name: 'Try again' }).click();
  await bo.waitFor('message', { text: 'let me in' });
  await ana.waitForOwnMessage('let me in');
  assert.deepEqual(await ana.texts(), ['before', 'let me in']);
});
