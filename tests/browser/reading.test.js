// The timeline follows the newest message, holds still for a reader, goes back
// as far as the server remembers, and stays of bounded length.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';
import { distanceToEnd, inTheMiddle, nodes, placeOf, readBack, scrollTo } from './support/scrolling.js';

const NODES_MAX = 310;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

test('an empty room invites to speak', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);

  await ana.page.getByText('No messages yet. Say hello!').waitFor();
  await ana.say('hello');
  await ana.page.locator('#silence').waitFor({ state: 'hidden' });
});

test('new messages do not move what is being read further up, and are counted', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const bo = await chat.join('bo');
  await bo.sayMany(60);
  await ana.reads('bo', 'line 60');
  assert.equal(await distanceToEnd(ana), 0);
  const newer = ana.page.locator('#newer');

  await scrollTo(ana, 0.5);
  const read = await inTheMiddle(ana);
  const before = await placeOf(ana, read);
  await bo.say('you do not see this yet');
  await ana.page.getByRole('button', { name: '1 new message', exact: true }).waitFor();
  await bo.say('nor this');
  await bo.say('nor that');
  await ana.reads('bo', 'nor that');
  assert.equal(await newer.textContent(), '3 new messages');
  assert.equal(await placeOf(ana, read), before);
  await ana.seesRooms('#lobby 3');

  await newer.click();
  await newer.waitFor({ state: 'hidden' });
  await ana.seesRooms('#lobby');
  assert.equal(await distanceToEnd(ana), 0);
  await bo.say('but this');
  await ana.reads('bo', 'but this');
  assert.equal(await distanceToEnd(ana), 0);
  assert.equal(await newer.isVisible(), false);
});

test('older messages are loaded on the way up, and what is read stays in its place', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  await bo.sayMany(260);
  const ana = await chat.visit(browser);
  await ana.reads('bo', 'line 260');
  assert.ok((await nodes(ana)) <= 100);

  for (let oldest; oldest !== 'line 1'; ) {
    const seen = await readBack(ana);
    assert.ok(Math.abs(seen.moved) < 1, `what stood before ${seen.oldest}`);
    assert.ok((await nodes(ana)) <= NODES_MAX);
    oldest = seen.oldest;
  }
  const asked = ana.sent.map((frame) => JSON.parse(frame)).filter(({ type }) => type === 'history');
  assert.ok(asked.length >= 3);
  assert.equal(await ana.page.locator('.day').count(), 1);
});

test('of a long conversation about 300 entries are drawn, wherever one reads', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const bo = await chat.join('bo');
  await bo.sayMany(400);
  await ana.reads('bo', 'line 400');
  assert.ok((await nodes(ana)) <= NODES_MAX);

  await scrollTo(ana, 0.5);
  const read = await inTheMiddle(ana);
  const before = await placeOf(ana, read);
  await bo.say('one more');
  await ana.page.getByRole('button', { name: '1 new message', exact: true }).waitFor();
  assert.ok(Math.abs((await placeOf(ana, read)) - before) < 1, 'the message being read has not moved');

  await ana.page.evaluate(() => (location.hash = '#kitchen'));
  await ana.isIn('#kitchen');
  await ana.page.evaluate(() => (location.hash = '#lobby'));
  await ana.reads('bo', 'one more');
  assert.ok((await nodes(ana)) <= NODES_MAX, `${await nodes(ana)} nodes`);
});

test('messages that come in without a pause are followed', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const bo = await chat.join('bo');
  for (let round = 1; round <= 8; round += 1) await bo.sayMany(50);
  await bo.say('marker');
  await ana.reads('bo', 'marker');
  assert.equal(await distanceToEnd(ana), 0);
  assert.equal(await ana.page.locator('#newer').isVisible(), false);
});

test('a line stands before what was not seen', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  await bo.join('kitchen');
  const ana = await chat.visit(browser, { path: '/#kitchen' });
  await bo.say('seen', { room: 'kitchen' });
  await ana.reads('bo', 'seen');
  const dividers = async () => (await ana.timeline()).filter((item) => item.divider).map((item) => item.text);
  const go = async (room) => {
    await ana.page.evaluate((room) => (location.hash = room), `#${room}`);
    await ana.isIn(`#${room}`);
  };

  await go('lobby');
  await bo.say('first unseen', { room: 'kitchen' });
  await bo.say('second unseen', { room: 'kitchen' });
  await ana.seesRooms('#lobby', '#kitchen 2');
  await go('kitchen');
  await ana.reads('bo', 'second unseen');
  assert.deepEqual(await dividers(), ['first unseen']);
  await go('lobby');
  await go('kitchen');
  await ana.reads('bo', 'second unseen');
  assert.deepEqual(await dividers(), []);
});

test('who stays in one room sees the line where they last looked away', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser);
  await bo.sayMany(60);
  await ana.reads('bo', 'line 60');
  for (const text of ['missed', 'missed again']) {
    await scrollTo(ana, 0);
    await bo.say(text);
    await ana.seesRooms('#lobby 1');
    await ana.page.locator('#newer').click();
    await ana.seesRooms('#lobby');
    const divided = (await ana.timeline()).filter((item) => item.divider).map((item) => item.text);
    assert.deepEqual(divided, [text]);
  }
});
