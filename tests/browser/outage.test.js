// The network or the server goes away and comes back, and so does the page, by
// itself. What was typed is said, once.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';
import { inTheMiddle, placeOf, scrollTo } from './support/scrolling.js';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

test('who comes back after a break misses nothing, and nobody sees it', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', outage: true });
  await bo.say('before');
  await ana.reads('bo', 'before');

  network.break();
  await ana.sees('disconnected');
  await bo.say('meanwhile');
  await ana.say('while down');
  await ana.readsUnsent('while down', 'pending');
  await ana.input.fill('half a sent');
  network.mend();
  await ana.sees('connected');
  await ana.readsOwn('while down');
  // No gap either.
  assert.deepEqual((await ana.timeline()).map(({ text, notice }) => text ?? notice), ['before', 'meanwhile', 'while down']);
  assert.equal(await ana.input.inputValue(), 'half a sent');
  await bo.hears('message', { text: 'while down' });
  assert.equal(bo.events.filter(({ type, nick }) => type === 'left' || (type === 'arrived' && nick === 'bo')).length, 0);
});

test('what was said but not confirmed is sent again with its id, and said once', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', outage: true });
  await bo.hears('arrived', { nick: 'ana' });

  network.swallow();
  await ana.say('once');
  await bo.hears('message', { text: 'once' });
  await ana.readsUnsent('once', 'pending');
  network.break();
  network.mend();
  await ana.readsOwn('once');
  await ana.say('marker');
  await bo.hears('message', { text: 'marker' });
  assert.deepEqual(bo.heard(), ['ana: once', 'ana: marker']);
  await ana.readsOwn('marker');
  assert.deepEqual(await ana.texts(), ['once', 'marker']);
});

test('what is not confirmed survives a reload, and is said once', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', outage: true });
  await bo.hears('arrived', { nick: 'ana' });

  network.swallow();
  await ana.say('once');
  await bo.hears('message', { text: 'once' });
  await ana.say('and then');
  await ana.readsUnsent('and then', 'pending');
  await ana.page.reload();
  await ana.readsOwn('once');
  await ana.readsOwn('and then');
  await bo.hears('message', { text: 'and then' });
  assert.deepEqual(bo.heard(), ['ana: once', 'ana: and then']);
  assert.deepEqual(await ana.texts(), ['once', 'and then']);
  assert.equal(await ana.nickname(), 'ana');
});

test('what waits for the connection can be withdrawn', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', outage: true });

  network.break();
  await ana.sees('disconnected');
  await ana.say('better not');
  await ana.say('but this');
  const entry = ana.page.locator('#unsent li', { hasText: 'better not' });
  await entry.getByText('sending…').waitFor();
  await entry.getByRole('button', { name: 'Withdraw' }).click();
  assert.equal(await ana.input.inputValue(), 'better not');
  network.mend();
  await bo.hears('message', { text: 'but this' });
  assert.deepEqual(bo.heard(), ['ana: but this']);
});

test('what is typed faster than the server allows is said all the same, in order', async (t) => {
  const chat = await Chat.open(t, '--rate', '2', '--burst', '1');
  const ana = await chat.visit(browser, { nick: 'ana' });
  const texts = Array.from({ length: 4 }, (_, index) => `text ${index}`);
  for (const text of texts) {
    await ana.input.fill(text);
    await ana.input.press('Enter');
  }
  await ana.readsOwn('text 3');
  assert.deepEqual(await ana.texts(), texts);
  const said = ana.sent.filter((frame) => JSON.parse(frame).type === 'say');
  assert.ok(said.length > texts.length, 'something was refused');
});

test('a reader stays where he reads when the connection comes back', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', outage: true });
  await bo.sayMany(80);
  await ana.reads('bo', 'line 80');
  await scrollTo(ana, 0.6);
  const read = await inTheMiddle(ana);
  const before = await placeOf(ana, read);

  network.break();
  await ana.sees('disconnected');
  await bo.say('one');
  await bo.say('two');
  network.mend();
  await ana.page.getByRole('button', { name: '2 new messages', exact: true }).waitFor();
  assert.equal(await placeOf(ana, read), before);
});

test('the page survives a restart of the server, shows the gap, and says what waits', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana', path: '/#kitchen', outage: true });
  await ana.say('before');
  await ana.readsOwn('before');

  assert.equal(await chat.server.stop(), 0);
  await ana.sees('disconnected');
  await ana.say('while down');
  await ana.readsUnsent('while down', 'pending');
  await chat.restart();
  const bo = await chat.join('bo', 'kitchen');
  await ana.sees('connected');
  await ana.readsOwn('while down');
  await ana.readsNotice('Some messages are missing here.');
  await ana.say('after');
  await bo.hears('message', { nick: 'ana', text: 'after' });
  await ana.readsOwn('after');
  assert.deepEqual(await ana.texts(), ['before', 'while down', 'after']);
  await ana.seesRooms('#lobby', '#kitchen');
});

test('the page comes back at once when the network does', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', outage: true });
  // With pauses this long, only the event can end one in time.
  await ana.page.evaluate(() => {
    const wait = window.setTimeout;
    window.setTimeout = (then, milliseconds) => wait(then, milliseconds === 1000 ? 1 : milliseconds * 1000);
    Math.random = () => 1;
  });

  network.break();
  await ana.sees('disconnected');
  network.mend();
  await ana.page.evaluate(() => dispatchEvent(new Event('online')));
  await ana.sees('connected');
  await ana.say('back');
  await ana.readsOwn('back');
});

test('a server that answers no more is noticed when the reader comes back', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana', outage: true });
  await ana.page.clock.install();
  chat.server.freeze();
  await ana.say('into the void');
  await ana.readsUnsent('into the void', 'pending');
  await ana.page.evaluate(() => dispatchEvent(new Event('focus')));
  await ana.page.clock.runFor(7_000);
  await ana.sees('disconnected');
  await chat.server.kill();
  await ana.page.clock.resume();
  await chat.restart();
  await ana.sees('connected');
  await ana.readsOwn('into the void');
  assert.deepEqual(await ana.texts(), ['into the void']);
});

test('what the server itself has to say is read among the messages', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  // As it says when its disk is full: that is the server's own test.
  const notice = { type: 'notice', level: 'warning', text: 'The history cannot be written.' };
  await ana.page.routeWebSocket(/./u, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((frame) => {
      socket.send(frame);
      if (JSON.parse(frame).type === 'joined') socket.send(JSON.stringify(notice));
    });
  });
  await ana.page.reload();
  await ana.page.locator('#messages', { hasText: notice.text }).waitFor();
});
