// A server that lets nobody in for now, or lets us wait: the page says so, waits
// as long as it is told to, and gets in.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { between } from './support/between.js';
import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';

const FULL = 'Too many people are here from your address already; close one of the pages.';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

test('who is not let in reads why, and gets in when there is room', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', outage: true });
  network.fill(`${FULL}\n`);
  await ana.page.getByRole('status').filter({ hasText: `${FULL} Trying again…` }).waitFor();
  await ana.say('while it is full');
  await ana.readsUnsent('while it is full', 'pending');
  network.break();
  await ana.page.getByRole('status').filter({ hasText: 'Disconnected. Trying again…' }).waitFor();
  network.fill('<b>Another reason</b>');
  await ana.page.getByRole('status').filter({ hasText: '<b>Another reason</b> Trying again…' }).waitFor();
  network.mend();
  await ana.readsOwn('while it is full');
  assert.equal(await ana.page.getByRole('status').filter({ hasText: 'Connected' }).count(), 1);
});

test('a page that shall wait at the door says hello again, and says that it waits', async (t) => {
  const chat = await Chat.open(t);
  let refusals = 2;
  const prepare = between({
    request({ type, ref }, { tell }) {
      if (type !== 'hello' || refusals === 0) return false;
      refusals -= 1;
      tell({ type: 'error', code: 'rate_limited', message: 'too many are new', retry_ms: 1_500, ref });
      return true;
    },
  });
  const seen = ({ page }) => page.evaluate(() => window.seen);
  const script = () => {
    window.seen = [];
    addEventListener('DOMContentLoaded', () => {
      const status = document.querySelector('#status');
      new MutationObserver(() => window.seen.push(status.textContent)).observe(status, { childList: true });
    });
  };
  const ana = await chat.visit(browser, { nick: 'ana', prepare, script });
  assert.deepEqual((await seen(ana)).slice(-2), ['The server is busy. Waiting to get in…', 'Connected']);
  assert.equal(prepare.requests.filter(({ type }) => type === 'hello').length, 3);
  assert.equal(await ana.nickname(), 'ana');
});

test('a room that cannot be joined just yet is joined a little later, and what is said there waits', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo', 'kitchen');
  let refusals = 3;
  const prepare = between({
    request({ type, room, ref }, { tell }) {
      if (type !== 'join' || room !== 'kitchen' || refusals === 0) return false;
      refusals -= 1;
      // The last one does not say when.
      tell({ type: 'error', code: 'rate_limited', message: 'slowly', ...(refusals && { retry_ms: 0 }), ref });
      return true;
    },
  });
  const ana = await chat.visit(browser, { nick: 'ana', prepare });
  await ana.say('/join kitchen');
  await ana.say('soup?');
  await bo.hears('message', { text: 'soup?' });
  await ana.readsOwn('soup?');
  assert.equal(prepare.requests.filter(({ text }) => text === 'soup?').length, 1);
  assert.equal(await ana.page.getByRole('alert').textContent(), '');
});

test('a room that we are not let into again keeps what was said there', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const bo = await chat.join('bo');
  let isFull = false;
  const prepare = between({
    request({ type, ref }, { tell }) {
      if (type !== 'join' || !isFull) return false;
      tell({ type: 'error', code: 'too_many_rooms', message: 'there are too many rooms', ref });
      return true;
    },
  });
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', prepare, outage: true });
  await bo.say('before');
  await ana.reads('bo', 'before');
  isFull = true;
  network.break();
  await ana.sees('disconnected');
  network.mend();
  await ana.readsNotice('there are too many rooms');
  await ana.say('let me in');
  const entry = ana.page.locator('#unsent .failed', { hasText: 'let me in' });
  await entry.getByText(/^Refused: you are not in lobby /u).waitFor();
  isFull = false;
  await entry.getByRole('button', { name: 'Try again' }).click();
  await bo.hears('message', { text: 'let me in' });
  await ana.readsOwn('let me in');
  assert.deepEqual(await ana.texts(), ['before', 'let me in']);
});
