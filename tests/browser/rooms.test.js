// Rooms: their addresses, and the sidebar with the joined rooms, the unread
// messages and the members.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

test('the address of a room joins that room', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo', 'kitchen');
  await bo.say('soup!', { room: 'kitchen' });
  const ana = await server.openPage({ nick: 'ana', path: '/#Kitchen' });

  await ana.waitForConversation('#kitchen');
  await ana.waitForMessage('soup!', 'bo');
  assert.equal(new URL(ana.page.url()).hash, '#kitchen');
  await ana.say('coming');
  await bo.waitFor('message', { room: 'kitchen', nick: 'ana', text: 'coming' });
});

test('a link to a room, followed in an open page, joins that room', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo', '厨房');
  const ana = await server.openPage({ nick: 'ana' });

  await ana.followLink('#厨房');
  await bo.waitFor('arrived', { room: '厨房', nick: 'ana' });
  await ana.waitForRooms('#lobby', '#厨房');
});

test('an address that is not a room leads to the lobby', async (t) => {
  const server = await TestServer.start(t);
  for (const path of ['/#%', '/#a%20b', '/#a!', '/#']) {
    const ana = await server.openPage({ path });
    await ana.waitForConversation('#lobby');
    await ana.waitForRooms('#lobby');
    await ana.say(`not in ${path}`);
    await ana.waitForOwnMessage(`not in ${path}`);
  }
});

test('the sidebar counts unread messages until the room is shown', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo', 'kitchen');
  await bo.join('lobby');
  const ana = await server.openPage({ nick: 'ana', path: '/#kitchen' });
  await ana.waitForRooms('#lobby', '#kitchen');

  await bo.sayAll(['one', 'two']);
  await ana.waitForRooms('#lobby 2', '#kitchen');
  await bo.say('seen at once', { room: 'kitchen' });
  await ana.waitForMessage('seen at once', 'bo');
  await ana.waitForRooms('#lobby 2', '#kitchen');
  assert.equal(await ana.page.title(), '(2) #kitchen · chinwag');
  assert.equal(await ana.page.locator('.badge.called').count(), 0);
  await bo.say('ana?');
  await ana.waitForRooms('#lobby 3', '#kitchen');
  assert.equal(await ana.page.locator('.badge.called').count(), 1);

  await ana.select('#lobby');
  await ana.waitForConversation('#lobby');
  await ana.waitForRooms('#lobby', '#kitchen');
  assert.equal(await ana.page.title(), '#lobby · chinwag');
});

test('the members of the current room are listed', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  await server.connect('cy', 'kitchen');
  const ana = await server.openPage({ nick: 'ana' });

  await ana.waitForMembers('ana', 'bo');
  assert.equal(await ana.page.locator('#count').textContent(), '2');
  assert.deepEqual(await ana.page.locator('#people .soft').allTextContents(), ['you']);
  await bo.rename('zoe');
  await server.connect('dan');
  await ana.waitForMembers('ana', 'dan', 'zoe');
  await bo.close();
  await ana.waitForMembers('ana', 'dan');

  await ana.page.evaluate(() => (location.hash = '#kitchen'));
  await ana.waitForMembers('ana', 'cy');
});

test('a room is joined and left in the sidebar', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo', 'kitchen');
  const ana = await server.openPage({ nick: 'ana' });

  await ana.page.getByPlaceholder('Join a room').fill('#Kitchen');
  await ana.page.keyboard.press('Enter');
  await ana.waitForConversation('#kitchen');
  await bo.waitFor('arrived', { nick: 'ana' });
  await ana.page.getByRole('button', { name: 'Leave #kitchen' }).click();
  await bo.waitFor('left', { nick: 'ana' });
  await ana.waitForConversation('#lobby');
  await ana.waitForRooms('#lobby');
});

test('the joined rooms and the current room are the same after a reload', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo', 'kitchen');
  const ana = await server.openPage({ nick: 'ana', path: '/#garden' });
  await ana.page.evaluate(() => (location.hash = '#kitchen'));
  await bo.waitFor('arrived', { nick: 'ana' });

  await ana.reload();
  await ana.waitForConversation('#kitchen');
  await ana.waitForRooms('#lobby', '#garden', '#kitchen');
  await bo.say('still there?', { room: 'kitchen' });
  await ana.waitForMessage('still there?', 'bo');
});
