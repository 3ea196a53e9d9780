// What is said to one person alone.

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

test('a private message opens as a conversation of its own, marked as not stored', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const bo = await chat.visit(browser, { nick: 'bo' });
  const cy = await chat.join('cy');

  await ana.say('/msg bo psst');
  await ana.isIn('@bo');
  await ana.readsOwn('psst');
  await ana.page.getByText('Private, not stored').waitFor();
  await bo.seesRooms('#lobby', '@ana 1');
  assert.deepEqual(await bo.texts(), []);
  await bo.page.locator('#rooms .place', { hasText: '@ana' }).click();
  await bo.reads('ana', 'psst');
  await bo.say('what?');
  await ana.reads('bo', 'what?');

  await ana.page.locator('#rooms .place', { hasText: '#lobby' }).click();
  await ana.say('marker');
  await cy.hears('message', { text: 'marker' });
  assert.deepEqual(cy.events.filter(({ text }) => text).map(({ text }) => text), ['marker']);
});

test('a click on somebody opens a conversation', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('Bo Ek');
  const ana = await chat.visit(browser, { nick: 'ana' });

  await ana.page.locator('#people .place', { hasText: 'Bo Ek' }).click();
  await ana.isIn('@Bo Ek');
  await ana.say('hello');
  await bo.hears('private', { from: 'ana', text: 'hello' });
  await bo.tell('ana', 'hello yourself');
  await ana.reads('Bo Ek', 'hello yourself');
  await ana.page.getByRole('button', { name: 'Leave @Bo Ek' }).click();
  await ana.isIn('#lobby');
  await ana.seesRooms('#lobby');
});

test('a nickname may be written as one says it: with spaces, an @, or in other letters', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('Bo Ek');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await ana.seesPeople('ana', 'Bo Ek');

  for (const [index, name] of ['Bo Ek', '@Bo Ek', 'bo ek'].entries()) {
    await ana.say(`/msg ${name} message ${index}`);
    await bo.hears('private', { text: `message ${index}` });
    await ana.isIn('@Bo Ek');
    await ana.readsOwn(`message ${index}`);
  }
  await ana.seesRooms('#lobby', '@Bo Ek');
});

test('what nobody is there to hear can be tried again, or be withdrawn', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });

  await ana.say('/msg bo are you there?');
  await ana.readsUnsent('are you there?', 'failed');
  await ana.say('hello?');
  await ana.readsUnsent('hello?', 'failed');
  const entry = (text) => ana.page.locator('#unsent li', { hasText: text });
  await entry('hello?').getByRole('button', { name: 'Withdraw' }).click();
  assert.equal(await ana.input.inputValue(), 'hello?');

  const bo = await chat.join('bo');
  await entry('are you there?').getByRole('button', { name: 'Try again' }).click();
  await bo.hears('private', { text: 'are you there?' });
  await ana.readsOwn('are you there?');
  await ana.input.fill('');
  await ana.say('marker');
  await bo.hears('private', { text: 'marker' });
  const heard = bo.events.filter(({ type }) => type === 'private').map(({ text }) => text);
  assert.deepEqual(heard, ['are you there?', 'marker']);
});

test('a conversation and its draft follow who changes the nickname', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await ana.say('/msg bo hello');
  await bo.hears('private', { text: 'hello' });
  await ana.input.fill('half a sent');
  await bo.rename('bob');
  await ana.isIn('@bob');
  await ana.seesRooms('#lobby', '@bob');
  assert.equal(await ana.input.inputValue(), 'half a sent');
  await ana.input.press('Enter');
  await bo.hears('private', { text: 'half a sent' });
});
