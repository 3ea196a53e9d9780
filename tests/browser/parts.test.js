// What is missed is more than one answer holds: it comes in parts, with nothing
// lost and nothing twice. What the server did not give is filled in while one reads.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { between } from './support/between.js';
import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';
import { nodes, placeOf, readBack, scrollTo } from './support/scrolling.js';

// The texts are long enough for three answers.
const LONG = 'x'.repeat(8_000);
const MANY = 230;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

/** Says `1` to `count`, each so long that few fit into one answer. */
async function sayLong(member, count, room = 'lobby') {
  for (let line = 1; line <= count; line += 1) await member.say(`${line} ${LONG}`, { room });
}

/** Numbers as texts, from one on. */
const upTo = (count) => Array.from({ length: count }, (_, index) => String(index + 1));
const firstWords = (texts) => texts.map((text) => text.split(' ')[0]);

test('what was missed comes in as many parts as it takes', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const bo = await chat.join('bo');
  const parts = [];
  const prepare = between({
    event: ({ type, messages, more }) => void (type === 'joined' && parts.push({ count: messages.length, more })),
  });
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', prepare, outage: true });
  await bo.say('before');
  await ana.reads('bo', 'before');
  network.break();
  await ana.sees('disconnected');
  await sayLong(bo, MANY);
  await ana.say('typed meanwhile');
  network.mend();
  await ana.readsOwn('typed meanwhile');
  const resumed = parts.slice(1);
  assert.ok(resumed.length >= 3, `${resumed.length} parts`);
  assert.deepEqual(resumed.map(({ more }) => Boolean(more)), resumed.map((_, index) => index < resumed.length - 1));
  for (let oldest; oldest !== 'before'; ({ oldest } = await readBack(ana)));
  assert.deepEqual(firstWords(await ana.texts()), ['before', ...upTo(MANY), 'typed']);
  assert.equal(await ana.page.locator('.gap').count(), 0);
});

/**
 * What a server does that has room for `size` messages in an answer. `lose(part)`
 * is told the number of the part: true if that gets lost.
 */
function inParts(size, lose = () => false) {
  let parts = 0;
  const behind = new Set();
  const event = ({ type, room, messages, more, ...rest }, { tell }) => {
    // Who has not heard of it all yet is not told what is said.
    if (type === 'message') return behind.has(room);
    if (type !== 'joined') return false;
    const isLast = messages.length <= size;
    behind[isLast ? 'delete' : 'add'](room);
    parts += 1;
    if (!lose(parts)) tell({ type, room, ...rest, messages: messages.slice(0, size), ...(!isLast && { more: true }) });
    return true;
  };
  return Object.assign(between({ event }), { parts: () => parts });
}

test('the connection may break between two parts, in each of several rooms', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const bo = await chat.join('bo');
  await bo.join('kitchen');
  let isResuming = false;
  const prepare = inParts(4, (part) => {
    if (!isResuming || (part !== 5 && part !== 12)) return false;
    network.break();
    network.mend();
    return true;
  });
  // She comes back without a pause.
  const script = () => (Math.random = () => 0);
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', prepare, script, outage: true });
  await ana.say('/join kitchen');
  await ana.say('/join garden');
  await bo.say('before');
  await ana.seesRooms('#lobby 1', '#kitchen', '#garden');
  network.break();
  await ana.sees('disconnected');
  for (const room of ['lobby', 'kitchen']) for (const text of upTo(23)) await bo.say(text, { room });
  await bo.join('garden');
  await ana.say('typed meanwhile');
  isResuming = true;
  network.mend();
  await bo.hears('message', { text: 'typed meanwhile' });
  await ana.seesRooms('#lobby 24', '#kitchen 23', '#garden');
  assert.ok(prepare.parts() > 14, `${prepare.parts()} parts`);
  for (const room of ['kitchen', 'lobby']) {
    await ana.page.locator('#rooms .place', { hasText: room }).click();
    await ana.isIn(`#${room}`);
    const items = (await ana.timeline()).filter(({ text }) => text);
    assert.deepEqual(items.map(({ text }) => text), [...(room === 'lobby' ? ['before'] : []), ...upTo(23)]);
    // The line stands before the first that was not seen.
    assert.deepEqual(items.map(({ divider }) => Boolean(divider)), items.map((_, index) => index === 0));
  }
});

/** The server answers the first resume as if it held no more than the newest. */
function withGap() {
  let isDone = false;
  return between({
    request({ type, after, epoch, ...rest }, { ask }) {
      if (type !== 'join' || !epoch || isDone) return false;
      isDone = true;
      ask({ type, ...rest });
      return true;
    },
  });
}

test('a gap is filled while one reads, and vanishes when all is there', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const bo = await chat.join('bo');
  const prepare = withGap();
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', prepare, outage: true });
  await bo.say('before');
  await ana.reads('bo', 'before');
  network.break();
  await ana.sees('disconnected');
  await bo.sayMany(430);
  network.mend();
  await ana.reads('bo', 'line 430');

  const asked = () => prepare.requests.filter(({ type }) => type === 'history').length;
  for (let oldest; oldest !== 'before'; ({ oldest } = await readBack(ana)));
  assert.equal(asked(), 0, 'nobody has come near it');
  for (let filled = 1; filled <= 4; filled += 1) {
    const moved = await fillGap(ana);
    assert.ok(Math.abs(moved) < 1, `what stood behind the gap has moved by ${moved} px`);
    assert.ok((await nodes(ana)) <= 310, 'the window stays bounded');
    assert.equal(asked(), filled);
  }
  assert.equal(await ana.page.locator('.gap').count(), 0);
  // All of it, as one reads on.
  const texts = new Set();
  for (let last; last !== 'line 430'; last = (await ana.texts()).at(-1)) {
    for (const text of await ana.texts()) texts.add(text);
    await scrollTo(ana, 1);
  }
  for (const text of await ana.texts()) texts.add(text);
  assert.deepEqual([...texts], ['before', ...upTo(430).map((line) => `line ${line}`)]);
});

/** Goes to the gap, and waits until more is behind it. Answers by how much that has moved. */
function fillGap({ page }) {
  return page.locator('#timeline').evaluate(async (timeline) => {
    const gap = () => timeline.querySelector('.gap');
    const behind = gap().nextSibling;
    const { textContent } = behind.querySelector('.text');
    const place = () => {
      const same = [...timeline.querySelectorAll('#messages .text')].find((text) => text.textContent === textContent);
      return same.getBoundingClientRect().top;
    };
    gap().scrollIntoView();
    const before = place();
    while (gap()?.nextSibling.querySelector('.text').textContent === textContent) {
      await new Promise((resolve) => new MutationObserver(resolve).observe(timeline, { childList: true, subtree: true }));
    }
    return Math.round(place() - before);
  });
}

test('a gap stays where the server has lost something for good', async (t) => {
  const chat = await Chat.open(t, '--history-lines', '20');
  const network = await chat.network();
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', prepare: withGap(), outage: true });
  await bo.say('before');
  await ana.reads('bo', 'before');
  network.break();
  await ana.sees('disconnected');
  await bo.sayMany(40);
  network.mend();
  await ana.reads('bo', 'line 40');
  await scrollTo(ana, 0.5);
  await bo.say('marker');
  await ana.reads('bo', 'marker');
  const lines = await ana.page.locator('#messages').locator('.text, .gap .notice').allTextContents();
  const newest = Array.from({ length: 20 }, (_, index) => `line ${index + 21}`);
  assert.deepEqual(lines, ['before', 'Some messages are missing here.', ...newest, 'marker']);
});
