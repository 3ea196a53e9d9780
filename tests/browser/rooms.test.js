// Rooms: an address opens one, the side lists those we are in, with what is
// unread there, and who is in the one that is shown.

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

test('the address of a room joins it', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo', 'kitchen');
  await bo.say('soup!', { room: 'kitchen' });
  const ana = await chat.visit(browser, { nick: 'ana', path: '/#Kitchen' });

  await ana.isIn('#kitchen');
  await ana.reads('bo', 'soup!');
  assert.equal(new URL(ana.page.url()).hash, '#kitchen');
  await ana.say('coming');
  await bo.hears('message', { room: 'kitchen', nick: 'ana', text: 'coming' });
});

test('a link to a room, followed while the page is open, joins it', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo', '厨房');
  const ana = await chat.visit(browser, { nick: 'ana' });

  await ana.page.evaluate(() => (location.hash = '#厨房'));
  await ana.isIn('#厨房');
  await bo.hears('arrived', { room: '厨房', nick: 'ana' });
  await ana.seesRooms('#lobby', '#厨房');
});

test('an address that is no room is refused, and the page works', async (t) => {
  const chat = await Chat.open(t);
  for (const path of ['/#%', '/#a%20b', '/#a!', '/#']) {
    const ana = await chat.visit(browser, { path });
    await ana.isIn('#lobby');
    await ana.seesRooms('#lobby');
    await ana.say(`not in ${path}`);
    await ana.readsOwn(`not in ${path}`);
  }
});

test('the side counts what is unread in each room, until we look', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo', 'kitchen');
  await bo.join('lobby');
  const ana = await chat.visit(browser, { nick: 'ana', path: '/#kitchen' });
  await ana.seesRooms('#lobby', '#kitchen');

  await bo.say('one');
  await bo.say('two');
  await ana.seesRooms('#lobby 2', '#kitchen');
  await bo.say('seen at once', { room: 'kitchen' });
  await ana.reads('bo', 'seen at once');
  await ana.seesRooms('#lobby 2', '#kitchen');
  assert.equal(await ana.page.title(), '(2) #kitchen · chinwag');
  assert.equal(await ana.page.locator('.badge.called').count(), 0);
  await bo.say('ana?');
  await ana.seesRooms('#lobby 3', '#kitchen');
  assert.equal(await ana.page.locator('.badge.called').count(), 1);

  await ana.page.locator('#rooms .place', { hasText: '#lobby' }).click();
  await ana.isIn('#lobby');
  await ana.seesRooms('#lobby', '#kitchen');
  assert.equal(await ana.page.title(), '#lobby · chinwag');
});

test('the people of the room that is shown are listed', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  await chat.join('cy', 'kitchen');
  const ana = await chat.visit(browser, { nick: 'ana' });

  await ana.seesPeople('ana', 'bo');
  assert.equal(await ana.page.locator('#count').textContent(), '2');
  assert.deepEqual(await ana.page.locator('#people .soft').allTextContents(), ['you']);
  await bo.rename('zoe');
  await chat.join('dan');
  await ana.seesPeople('ana', 'dan', 'zoe');
  await bo.leave();
  await ana.seesPeople('ana', 'dan');

  await ana.page.evaluate(() => (location.hash = '#kitchen'));
  await ana.seesPeople('ana', 'cy');
});

test('a room is joined and left at the side', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo', 'kitchen');
  const ana = await chat.visit(browser, { nick: 'ana' });

  await ana.page.getByPlaceholder('Join a room').fill('#Kitchen');
  await ana.page.keyboard.press('Enter');
  await ana.isIn('#kitchen');
  await bo.hears('arrived', { nick: 'ana' });
  await ana.page.getByRole('button', { name: 'Leave #kitchen' }).click();
  await bo.hears('left', { nick: 'ana' });
  await ana.isIn('#lobby');
  await ana.seesRooms('#lobby');
});

test('the rooms that we are in, and the one that is shown, survive a reload', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo', 'kitchen');
  const ana = await chat.visit(browser, { nick: 'ana', path: '/#garden' });
  await ana.page.evaluate(() => (location.hash = '#kitchen'));
  await bo.hears('arrived', { nick: 'ana' });

  await ana.page.reload();
  await ana.sees('connected');
  await ana.isIn('#kitchen');
  await ana.seesRooms('#lobby', '#garden', '#kitchen');
  await bo.say('still there?', { room: 'kitchen' });
  await ana.reads('bo', 'still there?');
});
