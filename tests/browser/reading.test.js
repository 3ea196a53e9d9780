// The timeline follows the newest message, does not move for a user who has
// scrolled up, loads older messages, and is limited in length.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { countEntries, distanceToEnd, loadOlder, positionOf, scrollTo, textInMiddle } from './support/scrolling.js';
import { TestServer } from './support/server.js';

const ENTRIES_MAX = 310;

/** Returns the texts below a divider. */
const dividers = async (user) => (await user.timeline()).filter(({ divider }) => divider).map(({ text }) => text);

test('an empty room says that it is empty', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();

  await ana.page.getByText('No messages yet. Say hello!').waitFor();
  await ana.say('hello');
  await ana.page.locator('#silence').waitFor({ state: 'hidden' });
});

test('new messages are counted and do not move older ones in view', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();
  const bo = await server.connect('bo');
  await bo.sayLines(60);
  await ana.waitForMessage('line 60', 'bo');
  assert.equal(await distanceToEnd(ana), 0);
  const newer = ana.page.locator('#newer');

  await scrollTo(ana, 0.5);
  const text = await textInMiddle(ana);
  const before = await positionOf(ana, text);
  await bo.say('not in view');
  await ana.waitForNewMessages(1);
  await bo.sayAll(['nor this', 'nor that']);
  await ana.waitForMessage('nor that', 'bo');
  assert.equal(await newer.textContent(), '3 new messages');
  assert.equal(await positionOf(ana, text), before);
  await ana.waitForRooms('#lobby 3');

  await newer.click();
  await newer.waitFor({ state: 'hidden' });
  await ana.waitForRooms('#lobby');
  assert.equal(await distanceToEnd(ana), 0);
  await bo.say('but this');
  await ana.waitForMessage('but this', 'bo');
  assert.equal(await distanceToEnd(ana), 0);
  assert.equal(await newer.isVisible(), false);
});

test('older messages are loaded while scrolling up, and do not move those in view', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  await bo.sayLines(260);
  const ana = await server.openPage();
  await ana.waitForMessage('line 260', 'bo');
  assert.ok((await countEntries(ana)) <= 100);

  for (let oldest; oldest !== 'line 1'; ) {
    const loaded = await loadOlder(ana);
    assert.ok(Math.abs(loaded.moved) < 1, `the messages after ${loaded.oldest} have moved by ${loaded.moved} px`);
    assert.ok((await countEntries(ana)) <= ENTRIES_MAX);
    oldest = loaded.oldest;
  }
  assert.ok(ana.requests('history').length >= 3);
  assert.equal(await ana.page.locator('.day').count(), 1);
});

test('at most about 300 entries are drawn at any scroll position', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();
  const bo = await server.connect('bo');
  await bo.sayLines(400);
  await ana.waitForMessage('line 400', 'bo');
  assert.ok((await countEntries(ana)) <= ENTRIES_MAX);

  await scrollTo(ana, 0.5);
  const text = await textInMiddle(ana);
  const before = await positionOf(ana, text);
  await bo.say('one more');
  await ana.waitForNewMessages(1);
  assert.ok(Math.abs((await positionOf(ana, text)) - before) < 1, 'the message in view has moved');

  await ana.followLink('#kitchen');
  await ana.followLink('#lobby');
  await ana.waitForMessage('one more', 'bo');
  assert.ok((await countEntries(ana)) <= ENTRIES_MAX, `${await countEntries(ana)} entries`);
});

test('the timeline follows messages that arrive without a pause', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();
  const bo = await server.connect('bo');
  for (let round = 1; round <= 8; round += 1) await bo.sayLines(50);
  await bo.say('marker');
  await ana.waitForMessage('marker', 'bo');
  assert.equal(await distanceToEnd(ana), 0);
  assert.equal(await ana.page.locator('#newer').isVisible(), false);
});

test('a divider stands before the first unseen message of a room', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  await bo.join('kitchen');
  const ana = await server.openPage({ path: '/#kitchen' });
  await bo.say('seen', { room: 'kitchen' });
  await ana.waitForMessage('seen', 'bo');

  await ana.followLink('#lobby');
  await bo.sayAll(['first unseen', 'second unseen'], { room: 'kitchen' });
  await ana.waitForRooms('#lobby', '#kitchen 2');
  await ana.followLink('#kitchen');
  await ana.waitForMessage('second unseen', 'bo');
  assert.deepEqual(await dividers(ana), ['first unseen']);
  await ana.followLink('#lobby');
  await ana.followLink('#kitchen');
  await ana.waitForMessage('second unseen', 'bo');
  assert.deepEqual(await dividers(ana), []);
});

test('a divider stands before the first message that arrived while the user was further up', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage();
  await bo.sayLines(60);
  await ana.waitForMessage('line 60', 'bo');
  for (const text of ['missed', 'missed again']) {
    await scrollTo(ana, 0);
    await bo.say(text);
    await ana.waitForRooms('#lobby 1');
    await ana.page.locator('#newer').click();
    await ana.waitForRooms('#lobby');
    assert.deepEqual(await dividers(ana), [text]);
  }
});
