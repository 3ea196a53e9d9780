// Private messages.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

test('a private message opens a conversation, which is marked as not stored', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const bo = await server.openPage({ nick: 'bo' });
  const cy = await server.connect('cy');

  await ana.say('/msg bo psst');
  await ana.waitForConversation('@bo');
  await ana.waitForOwnMessage('psst');
  await ana.page.getByText('Private, not stored').waitFor();
  await bo.waitForRooms('#lobby', '@ana 1');
  assert.deepEqual(await bo.texts(), []);
  await bo.select('@ana');
  await bo.waitForMessage('psst', 'ana');
  await bo.say('what?');
  await ana.waitForMessage('what?', 'bo');

  await ana.select('#lobby');
  await ana.say('marker');
  await cy.waitFor('message', { text: 'marker' });
  assert.deepEqual(cy.events.filter(({ text }) => text).map(({ text }) => text), ['marker']);
});

test('a click on a member opens a private conversation', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('Bo Ek');
  const ana = await server.openPage({ nick: 'ana' });

  await ana.page.locator('#people .place', { hasText: 'Bo Ek' }).click();
  await ana.waitForConversation('@Bo Ek');
  await ana.say('hello');
  await bo.waitFor('private', { from: 'ana', text: 'hello' });
  await bo.tell('ana', 'hello yourself');
  await ana.waitForMessage('hello yourself', 'Bo Ek');
  await ana.page.getByRole('button', { name: 'Leave @Bo Ek' }).click();
  await ana.waitForConversation('#lobby');
  await ana.waitForRooms('#lobby');
});

test('/msg accepts nicknames with spaces, with an @, and in another letter case', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('Bo Ek');
  const ana = await server.openPage({ nick: 'ana' });
  await ana.waitForMembers('ana', 'Bo Ek');

  for (const [index, name] of ['Bo Ek', '@Bo Ek', 'bo ek'].entries()) {
    await ana.say(`/msg ${name} message ${index}`);
    await bo.waitFor('private', { text: `message ${index}` });
    await ana.waitForConversation('@Bo Ek');
    await ana.waitForOwnMessage(`message ${index}`);
  }
  await ana.waitForRooms('#lobby', '@Bo Ek');
});

test('a private message to an absent user can be sent again or withdrawn', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });

  await ana.say('/msg bo are you there?');
  await ana.waitForUnsent('are you there?', 'failed');
  await ana.say('hello?');
  await ana.waitForUnsent('hello?', 'failed');
  await ana.unsent('hello?').getByRole('button', { name: 'Withdraw' }).click();
  assert.equal(await ana.input.inputValue(), 'hello?');

  const bo = await server.connect('bo');
  await ana.unsent('are you there?').getByRole('button', { name: 'Try again' }).click();
  await bo.waitFor('private', { text: 'are you there?' });
  await ana.waitForOwnMessage('are you there?');
  await ana.input.fill('');
  await ana.say('marker');
  await bo.waitFor('private', { text: 'marker' });
  assert.deepEqual(bo.received('private').map(({ text }) => text), ['are you there?', 'marker']);
});

test('a conversation and its draft stay with a user whose nickname changes', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  await ana.say('/msg bo hello');
  await bo.waitFor('private', { text: 'hello' });
  await ana.input.fill('half a sent');
  await bo.rename('bob');
  await ana.waitForConversation('@bob');
  await ana.waitForRooms('#lobby', '@bob');
  assert.equal(await ana.input.inputValue(), 'half a sent');
  await ana.input.press('Enter');
  await bo.waitFor('private', { text: 'half a sent' });
});
