// Several tabs of one browser share its storage, and each is a user of its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

const session = (tab) => tab.page.evaluate(() => sessionStorage['chinwag.session']);

test('two tabs have separate sessions, and share the nickname to ask for', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const first = await server.openPage({ nick: 'ana', network });
  const second = await first.openTab();

  assert.notEqual(await session(first), await session(second));
  assert.equal(await first.nickname(), 'ana');
  const other = await second.nickname();
  assert.match(other, /^user-\d+$/u);
  await second.page.getByText(`ana is taken. You are ${other}.`).waitFor();

  // Both reconnect with their sessions.
  network.break();
  await first.waitForState('disconnected');
  await second.waitForState('disconnected');
  network.repair();
  await first.say('from the first');
  await second.say('from the second');
  for (const tab of [first, second]) {
    await tab.waitForMessage('from the first');
    await tab.waitForMessage('from the second');
  }
  assert.deepEqual([await first.nickname(), await second.nickname()], ['ana', other]);
  const messages = await second.page.locator('.message').evaluateAll((all) =>
    all.map((it) => [it.classList.contains('own'), it.querySelector('.text').textContent]),
  );
  assert.deepEqual(messages.sort(), [[false, 'from the first'], [true, 'from the second']]);

  // A new tab asks for the nickname that the user chose last, in any tab.
  await second.say('/nick ada');
  await second.page.getByText('ada', { exact: true }).first().waitFor();
  const third = await first.openTab();
  await third.page.getByText(/^ada is taken/u).waitFor();
});

test('a duplicate of a tab is another user, and the first tab keeps its session', async (t) => {
  const server = await TestServer.start(t);
  const first = await server.openPage({ nick: 'ana' });
  const before = await session(first);
  // Like a duplicate, a tab that is opened by a script has a copy of the session storage.
  const [page] = await Promise.all([
    first.page.context().waitForEvent('page'),
    first.page.evaluate(() => void open(location.href)),
  ]);
  await page.locator('#status[data-state=connected]').waitFor();
  const copy = await page.evaluate(() => sessionStorage['chinwag.session']);
  const nick = await page.locator('#nickname').textContent();

  assert.notEqual(copy, before);
  assert.match(nick, /^user-\d+$/u);
  await first.say('still here');
  await first.waitForMessage('still here');
  await page.locator('.other .text', { hasText: 'still here' }).waitFor();
  assert.equal(await session(first), before);
  assert.equal(await first.nickname(), 'ana');
});

test('a tab that is reloaded keeps its session, draft and unsent messages', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const ana = await server.openPage({ nick: 'ana', network });
  const bo = await server.connect('bo');
  await ana.say('before');
  await ana.waitForMessage('before');
  const before = await session(ana);
  network.dropAllData();
  await ana.say('on its way');
  await ana.input.fill('half a sent');
  await ana.page.reload();

  await ana.waitForMessage('on its way');
  await bo.waitFor('message', { text: 'on its way' });
  assert.equal(await session(ana), before);
  assert.equal(await ana.nickname(), 'ana');
  assert.equal(await ana.input.inputValue(), 'half a sent');
  assert.equal(await ana.page.locator('.own .text').count(), 2);
  assert.deepEqual(bo.transcript(), ['ana: before', 'ana: on its way']);
  assert.deepEqual([...bo.received('left'), ...bo.received('arrived')], []);
});
