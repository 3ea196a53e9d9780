// The server goes away and comes back, and so does the page, by itself.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

test('the page survives a restart, and what was said meanwhile is sent once', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana', outage: true });
  await ana.say('before');
  await ana.readsOwn('before');

  assert.equal(await chat.server.stop(), 0);
  await ana.sees('reconnecting');
  await ana.say('while down');
  await ana.input.fill('half a sent');
  assert.equal((await ana.timeline()).at(-1).state, 'pending');

  await chat.restart();
  await ana.sees('connected');
  await ana.readsOwn('while down');
  await ana.readsNotice('Connected again. What was said in the meantime is not shown.');
  assert.equal(await ana.input.inputValue(), 'half a sent');

  const bo = await chat.join('bo');
  await ana.say('after');
  await bo.hears('ana: after');
  await ana.readsOwn('after');
  assert.deepEqual(await ana.texts(), ['before', 'while down', 'bo is here', 'after']);
  assert.deepEqual(ana.sent, ['before', 'while down', 'after']);
  assert.equal(await ana.nickname(), 'ana');
});

test('the page comes back at once when the network does', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana', outage: true });
  // With pauses this long, only the event can end one in time.
  await ana.page.evaluate(() => {
    const wait = window.setTimeout;
    window.setTimeout = (then, milliseconds) => wait(then, milliseconds * 1000);
    Math.random = () => 1;
  });

  await chat.server.stop();
  await ana.sees('reconnecting');
  await chat.restart();
  await ana.page.evaluate(() => dispatchEvent(new Event('online')));
  await ana.sees('connected');
  await ana.say('back');
  await ana.readsOwn('back');
});

test('a message whose fate nobody knows is marked, and not said twice', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana', outage: true });

  chat.server.freeze();
  await ana.say('into the void');
  assert.equal((await ana.timeline()).at(-1).state, 'pending');
  await chat.server.kill();
  await ana.sees('reconnecting');
  assert.equal((await ana.timeline()).at(-1).state, 'doubtful');

  await chat.restart();
  await ana.sees('connected');
  await ana.say('anybody there?');
  await ana.readsOwn('anybody there?');
  assert.deepEqual(await ana.texts(), ['into the void', 'anybody there?']);
  assert.deepEqual(ana.sent, ['into the void', 'anybody there?']);
});
