// The network or the server fails and recovers. The page reconnects by itself, and
// sends the messages that waited, once.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MessageProxy } from './support/network.js';
import { positionOf, scrollTo, textInMiddle } from './support/scrolling.js';
import { TestServer } from './support/server.js';

test('after a network failure no message is missing, and other users see no leaving', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  const ana = await server.openPage({ network, nick: 'ana' });
  await bo.say('before');
  await ana.waitForMessage('before', 'bo');

  network.break();
  await ana.waitForState('disconnected');
  await bo.say('meanwhile');
  await ana.say('while down');
  await ana.waitForUnsent('while down', 'pending');
  await ana.input.fill('half a sent');
  network.repair();
  await ana.waitForState('connected');
  await ana.waitForOwnMessage('while down');
  // There is no entry for a gap.
  assert.deepEqual((await ana.timeline()).map(({ text, notice }) => text ?? notice), ['before', 'meanwhile', 'while down']);
  assert.equal(await ana.input.inputValue(), 'half a sent');
  await bo.waitFor('message', { text: 'while down' });
  assert.deepEqual([bo.received('arrived').length, bo.received('left').length], [1, 0]);
});

test('a message without confirmation is sent again, and appears once', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  const ana = await server.openPage({ network, nick: 'ana' });
  await bo.waitFor('arrived', { nick: 'ana' });

  network.dropServerData();
  await ana.say('once');
  await bo.waitFor('message', { text: 'once' });
  await ana.waitForUnsent('once', 'pending');
  network.break();
  network.repair();
  await ana.waitForOwnMessage('once');
  await ana.say('marker');
  await bo.waitFor('message', { text: 'marker' });
  assert.deepEqual(bo.transcript(), ['ana: once', 'ana: marker']);
  await ana.waitForOwnMessage('marker');
  assert.deepEqual(await ana.texts(), ['once', 'marker']);
});

test('messages without confirmation are kept after a reload, and appear once', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  const ana = await server.openPage({ network, nick: 'ana' });
  await bo.waitFor('arrived', { nick: 'ana' });

  network.dropServerData();
  await ana.say('once');
  await bo.waitFor('message', { text: 'once' });
  await ana.say('and then');
  await ana.waitForUnsent('and then', 'pending');
  await ana.page.reload();
  await ana.waitForOwnMessage('once');
  await ana.waitForOwnMessage('and then');
  await bo.waitFor('message', { text: 'and then' });
  assert.deepEqual(bo.transcript(), ['ana: once', 'ana: and then']);
  assert.deepEqual(await ana.texts(), ['once', 'and then']);
  assert.equal(await ana.nickname(), 'ana');
});

test('a message that waits for the connection can be withdrawn', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  const ana = await server.openPage({ network, nick: 'ana' });

  network.break();
  await ana.waitForState('disconnected');
  await ana.say('better not');
  await ana.say('but this');
  const entry = ana.unsent('better not');
  await entry.getByText('sending…').waitFor();
  await entry.getByRole('button', { name: 'Withdraw' }).click();
  assert.equal(await ana.input.inputValue(), 'better not');
  network.repair();
  await bo.waitFor('message', { text: 'but this' });
  assert.deepEqual(bo.transcript(), ['ana: but this']);
});

test('messages beyond the rate limit are sent later, in order', async (t) => {
  const server = await TestServer.start(t, { args: ['--rate', '2', '--burst', '1'] });
  const ana = await server.openPage({ nick: 'ana' });
  const texts = Array.from({ length: 4 }, (_, index) => `text ${index}`);
  for (const text of texts) {
    await ana.input.fill(text);
    await ana.input.press('Enter');
  }
  await ana.waitForOwnMessage('text 3');
  assert.deepEqual(await ana.texts(), texts);
  assert.ok(ana.requests('say').length > texts.length, 'no message was refused');
});

test('the scroll position is kept when the page reconnects', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  const ana = await server.openPage({ network, nick: 'ana' });
  await bo.sayLines(80);
  await ana.waitForMessage('line 80', 'bo');
  await scrollTo(ana, 0.6);
  const text = await textInMiddle(ana);
  const before = await positionOf(ana, text);

  network.break();
  await ana.waitForState('disconnected');
  await bo.sayAll(['one', 'two']);
  network.repair();
  await ana.waitForNewMessages(2);
  assert.equal(await positionOf(ana, text), before);
});

test('after a restart of the server the page shows a gap, and sends the messages that waited', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', path: '/#kitchen', outage: true });
  await ana.say('before');
  await ana.waitForOwnMessage('before');

  assert.equal(await server.stop(), 0);
  await ana.waitForState('disconnected');
  await ana.say('while down');
  await ana.waitForUnsent('while down', 'pending');
  await server.restart();
  const bo = await server.connect('bo', 'kitchen');
  await ana.waitForState('connected');
  await ana.waitForOwnMessage('while down');
  await ana.waitForNotice('Some messages are missing here.');
  await ana.say('after');
  await bo.waitFor('message', { nick: 'ana', text: 'after' });
  await ana.waitForOwnMessage('after');
  assert.deepEqual(await ana.texts(), ['before', 'while down', 'after']);
  await ana.waitForRooms('#lobby', '#kitchen');
});

test('the page reconnects at once when the browser is online again', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const ana = await server.openPage({ network, nick: 'ana' });
  // The pauses between attempts are longer than the test: only the event can end one.
  await ana.page.evaluate(() => {
    const wait = window.setTimeout;
    window.setTimeout = (then, milliseconds) => wait(then, milliseconds === 1000 ? 1 : milliseconds * 1000);
    Math.random = () => 1;
  });

  network.break();
  await ana.waitForState('disconnected');
  network.repair();
  await ana.page.evaluate(() => dispatchEvent(new Event('online')));
  await ana.waitForState('connected');
  await ana.say('back');
  await ana.waitForOwnMessage('back');
});

test('when the page gets the focus, a server that does not respond is noticed', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', outage: true });
  await ana.page.clock.install();
  server.freeze();
  await ana.say('into the void');
  await ana.waitForUnsent('into the void', 'pending');
  await ana.page.evaluate(() => dispatchEvent(new Event('focus')));
  await ana.page.clock.runFor(7_000);
  await ana.waitForState('disconnected');
  await server.kill();
  await ana.page.clock.resume();
  await server.restart();
  await ana.waitForState('connected');
  await ana.waitForOwnMessage('into the void');
  assert.deepEqual(await ana.texts(), ['into the void']);
});

test('a notice of the server is shown among the messages', async (t) => {
  const server = await TestServer.start(t);
  // The tests of the server show that it sends this when its disk is full.
  const notice = { type: 'notice', level: 'warning', text: 'The history cannot be written.' };
  const proxy = new MessageProxy({
    event(event, { toPage }) {
      toPage(event);
      if (event.type === 'joined') toPage(notice);
      return true;
    },
  });
  const ana = await server.openPage({ proxy });
  await ana.page.locator('#messages', { hasText: notice.text }).waitFor();
});
