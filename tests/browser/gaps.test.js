// Missed messages that need more than one answer arrive in parts, complete and
// once. A gap is filled while the user scrolls through it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MessageProxy } from './support/network.js';
import { countEntries, loadOlder, scrollTo } from './support/scrolling.js';
import { TestServer } from './support/server.js';
import { NO_PAUSES } from './support/user.js';

// These messages are long enough for three answers.
const LONG = 'x'.repeat(8_000);
const MANY = 230;

/** Numbers as texts, starting with one. */
const upTo = (count) => Array.from({ length: count }, (_, index) => String(index + 1));
const firstWords = (texts) => texts.map((text) => text.split(' ')[0]);

test('missed messages arrive in as many answers as needed', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  const parts = [];
  const proxy = new MessageProxy({
    event({ type, more }) {
      if (type === 'joined') parts.push(Boolean(more));
    },
  });
  const ana = await server.openPage({ network, nick: 'ana', proxy });
  await bo.say('before');
  await ana.waitForMessage('before', 'bo');
  network.break();
  await ana.waitForState('disconnected');
  for (const number of upTo(MANY)) await bo.say(`${number} ${LONG}`);
  await ana.say('typed meanwhile');
  network.repair();
  await ana.waitForOwnMessage('typed meanwhile');
  const resumed = parts.slice(1);
  assert.ok(resumed.length >= 3, `${resumed.length} parts`);
  assert.deepEqual(resumed, resumed.map((_, index) => index < resumed.length - 1));
  for (let oldest; oldest !== 'before'; ({ oldest } = await loadOlder(ana)));
  assert.deepEqual(firstWords(await ana.texts()), ['before', ...upTo(MANY), 'typed']);
  assert.equal(await ana.page.locator('.gap').count(), 0);
});

/**
 * Acts like a server that puts `size` messages into an answer. `lose(part)` returns
 * true if the answer with that number does not reach the page.
 */
function splitAnswers(size, lose = () => false) {
  let parts = 0;
  const behind = new Set();
  const event = ({ type, room, messages, more, ...rest }, { toPage }) => {
    // The server sends new messages only to a client that has all older ones.
    if (type === 'message') return behind.has(room);
    if (type !== 'joined') return false;
    const isLast = messages.length <= size;
    behind[isLast ? 'delete' : 'add'](room);
    parts += 1;
    if (!lose(parts)) toPage({ type, room, ...rest, messages: messages.slice(0, size), ...(!isLast && { more: true }) });
    return true;
  };
  return { proxy: new MessageProxy({ event }), countParts: () => parts };
}

test('messages are complete if the connection breaks between two answers, in several rooms', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  await bo.join('kitchen');
  let isResuming = false;
  const { proxy, countParts } = splitAnswers(4, (part) => {
    if (!isResuming || (part !== 5 && part !== 12)) return false;
    network.break();
    network.repair();
    return true;
  });
  const ana = await server.openPage({ network, nick: 'ana', proxy, script: NO_PAUSES });
  await ana.say('/join kitchen');
  await ana.say('/join garden');
  await bo.say('before');
  await ana.waitForRooms('#lobby 1', '#kitchen', '#garden');
  network.break();
  await ana.waitForState('disconnected');
  for (const room of ['lobby', 'kitchen']) await bo.sayAll(upTo(23), { room });
  await bo.join('garden');
  await ana.say('typed meanwhile');
  isResuming = true;
  network.repair();
  await bo.waitFor('message', { text: 'typed meanwhile' });
  await ana.waitForRooms('#lobby 24', '#kitchen 23', '#garden');
  assert.ok(countParts() > 14, `${countParts()} parts`);
  for (const room of ['kitchen', 'lobby']) {
    await ana.select(room);
    await ana.waitForConversation(`#${room}`);
    const items = (await ana.timeline()).filter(({ text }) => text);
    assert.deepEqual(items.map(({ text }) => text), [...(room === 'lobby' ? ['before'] : []), ...upTo(23)]);
    // The divider stands before the first message that was not seen.
    assert.deepEqual(items.map(({ divider }) => Boolean(divider)), items.map((_, index) => index === 0));
  }
});

/** Makes the server answer the first resume with only the newest messages. */
function causeGap() {
  let isDone = false;
  return new MessageProxy({
    request({ type, after, epoch, ...rest }, { toServer }) {
      if (type !== 'join' || !epoch || isDone) return false;
      isDone = true;
      toServer({ type, ...rest });
      return true;
    },
  });
}

test('a gap is filled when the user scrolls to it, and disappears when it is complete', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  const proxy = causeGap();
  const ana = await server.openPage({ network, nick: 'ana', proxy });
  await bo.say('before');
  await ana.waitForMessage('before', 'bo');
  network.break();
  await ana.waitForState('disconnected');
  await bo.sayLines(430);
  network.repair();
  await ana.waitForMessage('line 430', 'bo');

  const asked = () => proxy.requests.filter(({ type }) => type === 'history').length;
  for (let oldest; oldest !== 'before'; ({ oldest } = await loadOlder(ana)));
  assert.equal(asked(), 0, 'the gap is out of view');
  for (let filled = 1; filled <= 4; filled += 1) {
    const moved = await fillGap(ana);
    assert.ok(Math.abs(moved) < 1, `the message after the gap has moved by ${moved} px`);
    assert.ok((await countEntries(ana)) <= 310);
    assert.equal(asked(), filled);
  }
  assert.equal(await ana.page.locator('.gap').count(), 0);
  // All messages are there on the way down.
  const texts = new Set();
  for (let last; last !== 'line 430'; last = (await ana.texts()).at(-1)) {
    for (const text of await ana.texts()) texts.add(text);
    await scrollTo(ana, 1);
  }
  for (const text of await ana.texts()) texts.add(text);
  assert.deepEqual([...texts], ['before', ...upTo(430).map((line) => `line ${line}`)]);
});

/** Scrolls to the gap, and waits until messages are loaded. Returns how far the message after it has moved. */
function fillGap({ page }) {
  return page.locator('#timeline').evaluate(async (timeline) => {
    const gap = () => timeline.querySelector('.gap');
    const { textContent } = gap().nextSibling.querySelector('.text');
    const position = () => {
      const same = [...timeline.querySelectorAll('#messages .text')].find((text) => text.textContent === textContent);
      return same.getBoundingClientRect().top;
    };
    gap().scrollIntoView();
    const before = position();
    while (gap()?.nextSibling.querySelector('.text').textContent === textContent) {
      await new Promise((resolve) => new MutationObserver(resolve).observe(timeline, { childList: true, subtree: true }));
    }
    return Math.round(position() - before);
  });
}

test('a gap stays if the server no longer has the messages', async (t) => {
  const server = await TestServer.start(t, { args: ['--history-lines', '20'] });
  const network = await server.network();
  const bo = await server.connect('bo');
  const ana = await server.openPage({ network, nick: 'ana', proxy: causeGap() });
  await bo.say('before');
  await ana.waitForMessage('before', 'bo');
  network.break();
  await ana.waitForState('disconnected');
  await bo.sayLines(40);
  network.repair();
  await ana.waitForMessage('line 40', 'bo');
  await scrollTo(ana, 0.5);
  await bo.say('marker');
  await ana.waitForMessage('marker', 'bo');
  const lines = await ana.page.locator('#messages').locator('.text, .gap .notice').allTextContents();
  const newest = Array.from({ length: 20 }, (_, index) => `line ${index + 21}`);
  assert.deepEqual(lines, ['before', 'Some messages are missing here.', ...newest, 'marker']);
});
