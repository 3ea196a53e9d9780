// A message that the server refuses, or closes the connection for, is shown as
// refused. The page does not send it again by itself, and sends the others.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MessageProxy } from './support/network.js';
import { TestServer } from './support/server.js';
import { NO_PAUSES } from './support/user.js';

const problem = ({ page }, text) => page.locator('#unsent .failed', { hasText: text }).locator('.state');

test('an error in answer to a message is shown at that message, for any code', async (t) => {
  const server = await TestServer.start(t);
  const codes = ['too_long', 'empty', 'bad_request', 'no_such_nick', 'unavailable', 'a_code_of_later'];
  const proxy = new MessageProxy({
    request({ text, id, ref }, { toPage }) {
      if (!codes.includes(text)) return false;
      // Some errors have only the `ref` of the request.
      const which = text === 'bad_request' ? { ref } : { id, ref };
      toPage({ type: 'error', code: text, message: `because of ${text}`, ...which });
      return true;
    },
  });
  const ana = await server.openPage({ nick: 'ana', proxy });
  for (const code of codes) await ana.say(code);
  await ana.say('marker');
  await ana.waitForOwnMessage('marker');
  for (const code of codes) {
    assert.match(await problem(ana, code).textContent(), new RegExp(`^Refused: because of ${code} `, 'u'));
    assert.equal(proxy.countOf(code), 1);
  }

  await ana.reload();
  await ana.say('after the reload');
  await ana.waitForOwnMessage('after the reload');
  assert.equal(await ana.page.locator('#unsent .failed').count(), codes.length);
  for (const code of codes) assert.equal(proxy.countOf(code), 1);
  await ana.unsent('because of empty').getByRole('button', { name: 'Withdraw' }).click();
  assert.equal(await ana.input.inputValue(), 'empty');
  assert.equal(await ana.page.locator('#unsent .failed').count(), codes.length - 1);
});

test('a close code that rejects a message marks the last one as refused', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const codes = [1002, 1003, 1007, 1008, 1009, 1011, 4444];
  const proxy = new MessageProxy({
    request({ text }, { close }) {
      if (!codes.includes(Number(text))) return false;
      close({ code: Number(text), reason: text === '1009' ? 'too big' : '' });
      return true;
    },
  });
  const ana = await server.openPage({ nick: 'ana', proxy, outage: true, script: NO_PAUSES });
  for (const code of codes) {
    await ana.say(String(code));
    await ana.say(`after ${code}`);
    await bo.waitFor('message', { text: `after ${code}` });
    const reason = `the server closed the connection \\(${code === 1009 ? 'too big' : code}\\)`;
    assert.match(await problem(ana, String(code)).first().textContent(), new RegExp(`^Refused: ${reason} `, 'u'));
  }
  await ana.reload();
  await ana.say('marker');
  await bo.waitFor('message', { text: 'marker' });
  assert.deepEqual(bo.transcript(), [...codes.map((code) => `ana: after ${code}`), 'ana: marker']);
  for (const code of codes) assert.equal(proxy.countOf(String(code)), 1);
});

test('after any other close code the message is sent again', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const codes = [1000, 1001, 1012, 1013, 4002, 4008, 4029];
  const done = new Set();
  const proxy = new MessageProxy({
    request({ text }, { close }) {
      const code = Number(text);
      if (!codes.includes(code) || done.has(code)) return false;
      done.add(code);
      close({ code });
      return true;
    },
  });
  const ana = await server.openPage({ nick: 'ana', proxy, outage: true, script: NO_PAUSES });
  for (const code of codes) {
    await ana.say(String(code));
    await bo.waitFor('message', { text: String(code) });
  }
  assert.deepEqual(bo.transcript(), codes.map((code) => `ana: ${code}`));
  assert.deepEqual([...done], codes);
});

test('a page whose connection an operator has closed says so, and connects again only when it is reloaded', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  let isKicked = false;
  const proxy = new MessageProxy({
    request({ text }, { close }) {
      if (text !== 'buy now' || isKicked) return false;
      isKicked = true;
      close({ code: 4009, reason: 'No advertisements, please.' });
      return true;
    },
  });
  const ana = await server.openPage({ nick: 'ana', proxy, outage: true, prepare: (page) => page.clock.install(), script: countConnections });
  await ana.page.clock.pauseAt(Date.now() + 60_000);
  await ana.waitForState('connected');
  await ana.say('buy now');
  const status = ana.page.locator('#status');
  await ana.page.waitForFunction(() => window.closes === 1);
  await ana.page.clock.runFor(120_000);
  assert.equal(await status.textContent(), 'An operator has closed the connection. No advertisements, please.');
  await ana.page.evaluate(() => ['online', 'focus', 'pageshow'].forEach((type) => window.dispatchEvent(new Event(type))));
  await ana.page.clock.runFor(120_000);
  assert.equal(await ana.page.evaluate(() => window.connections), 1);
  await ana.waitForUnsent('buy now', 'pending');

  await ana.reload();
  await bo.waitFor('message', { text: 'buy now' });
});

/** In the page: counts the connections, and how many were closed. */
function countConnections() {
  window.connections = 0;
  window.closes = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      window.connections += 1;
      this.addEventListener('close', () => (window.closes += 1));
    }
  };
}

test('a message that breaks the connection three times is marked as refused', async (t) => {
  const server = await TestServer.start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  const proxy = new MessageProxy({
    request({ text }) {
      if (text !== 'poison') return false;
      network.break();
      network.repair();
      return true;
    },
  });
  const ana = await server.openPage({ network, nick: 'ana', proxy });
  await ana.say('poison');
  await ana.say('behind it');
  await bo.waitFor('message', { text: 'behind it' });
  assert.match(await problem(ana, 'poison').textContent(), /^Refused: the connection broke each time /u);
  assert.equal(proxy.countOf('poison'), 3);
});

test('a private message that waits for a rate limit does not delay messages to a room', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  let isLimited = true;
  const proxy = new MessageProxy({
    request({ type, id, ref }, { toPage }) {
      if (type !== 'tell' || !isLimited) return false;
      toPage({ type: 'error', code: 'rate_limited', message: 'bo is told too much', retry_ms: 100, id, ref });
      return true;
    },
  });
  const ana = await server.openPage({ nick: 'ana', proxy });
  await ana.say('/msg bo one');
  await ana.say('two');
  await ana.waitForUnsent('one', 'pending');
  await ana.waitForUnsent('two', 'pending');
  await ana.say('/join lobby');
  await ana.say('in the room');
  await ana.waitForOwnMessage('in the room');
  assert.deepEqual(bo.transcript(), ['ana: in the room']);
  isLimited = false;
  await bo.waitFor('private', { text: 'two' });
  assert.deepEqual(bo.received('private').map(({ text }) => text), ['one', 'two']);
});

test('a message to a room that the server has removed us from is sent after another join', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  let joins = 0;
  let parted;
  const proxy = new MessageProxy({
    request({ type, text, room }, { toServer }) {
      joins += type === 'join';
      if (text !== 'out' || parted) return false;
      // The server itself answers the message.
      parted = true;
      toServer({ type: 'part', room });
      return false;
    },
  });
  const ana = await server.openPage({ nick: 'ana', proxy });
  await ana.say('out');
  await bo.waitFor('message', { text: 'out' });
  await ana.waitForOwnMessage('out');
  assert.deepEqual([joins, proxy.countOf('out')], [2, 2]);
});

test('a text of maximum length is sent even if JSON escapes all of it', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  for (const unit of ['"', '\\', '\t"', '😀']) {
    const length = Math.floor(8_188 / new TextEncoder().encode(unit).length);
    const text = `[${unit.repeat(length)}]`;
    await ana.say(text);
    await bo.waitFor('message', { text });
  }
  // JSON needs six bytes for each, and the server removes them.
  await ana.say(`[${'\u0001'.repeat(8_190)}]`);
  await bo.waitFor('message', { text: '[]' });
  assert.equal(await ana.page.locator('#unsent li').count(), 0);
});

test('a request that is too long for the server is not sent', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  await ana.page.evaluate(() => (location.hash = `#${'a'.repeat(70_000)}`));
  await ana.waitForAlert(/^Too long: 70,\d{3} bytes of 65,536$/u);
  await ana.waitForConversation('#lobby');
  await ana.say('marker');
  await ana.waitForOwnMessage('marker');
  assert.equal(ana.requests('hello').length, 1);
});
