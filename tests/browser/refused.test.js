// What the server refuses, or ends the connection for, is shown as refused. It is
// not sent again by itself, and holds up nothing else.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { between } from './support/between.js';
import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

/** How often the page has sent this text. */
const sends = ({ requests }, text) => requests.filter((request) => request.text === text).length;
const problem = ({ page }, text) => page.locator('#unsent .failed', { hasText: text }).locator('.state');

test('an error that answers a message is shown at it, whatever its code', async (t) => {
  const chat = await Chat.open(t);
  const codes = ['too_long', 'empty', 'bad_request', 'no_such_nick', 'unavailable', 'a_code_of_later'];
  const prepare = between({
    request({ text, id, ref }, { tell }) {
      if (!codes.includes(text)) return false;
      // Some errors can name the request only.
      const which = text === 'bad_request' ? { ref } : { id, ref };
      tell({ type: 'error', code: text, message: `because of ${text}`, ...which });
      return true;
    },
  });
  const ana = await chat.visit(browser, { nick: 'ana', prepare });
  for (const code of codes) await ana.say(code);
  await ana.say('marker');
  await ana.readsOwn('marker');
  for (const code of codes) {
    assert.match(await problem(ana, code).textContent(), new RegExp(`^Refused: because of ${code} `, 'u'));
    assert.equal(sends(prepare, code), 1);
  }

  await ana.page.reload();
  await ana.sees('connected');
  await ana.say('after the reload');
  await ana.readsOwn('after the reload');
  assert.equal(await ana.page.locator('#unsent .failed').count(), codes.length);
  for (const code of codes) assert.equal(sends(prepare, code), 1);
  const entry = ana.page.locator('#unsent li', { hasText: 'because of empty' });
  await entry.getByRole('button', { name: 'Withdraw' }).click();
  assert.equal(await ana.input.inputValue(), 'empty');
  assert.equal(await ana.page.locator('#unsent .failed').count(), codes.length - 1);
});

test('a close code that is a verdict falls on the message that was sent last', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const verdicts = [1002, 1003, 1007, 1008, 1009, 1011, 4444];
  const prepare = between({
    request({ text }, { close }) {
      const isVerdict = verdicts.includes(Number(text));
      if (isVerdict) close({ code: Number(text), reason: text === '1009' ? 'too big' : '' });
      return isVerdict;
    },
  });
  const ana = await chat.visit(browser, { nick: 'ana', prepare, outage: true });
  for (const code of verdicts) {
    await ana.say(String(code));
    await ana.say(`after ${code}`);
    await bo.hears('message', { text: `after ${code}` });
    const reason = `the server closed the connection \\(${code === 1009 ? 'too big' : code}\\)`;
    assert.match(await problem(ana, String(code)).first().textContent(), new RegExp(`^Refused: ${reason} `, 'u'));
  }
  await ana.page.reload();
  await ana.sees('connected');
  await ana.say('marker');
  await bo.hears('message', { text: 'marker' });
  assert.deepEqual(bo.heard(), [...verdicts.map((code) => `ana: after ${code}`), 'ana: marker']);
  for (const code of verdicts) assert.equal(sends(prepare, String(code)), 1);
});

test('a close code that is no verdict is followed by the message once more', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const codes = [1000, 1001, 1012, 1013, 4002, 4008, 4029];
  const done = new Set();
  const prepare = between({
    request({ text }, { close }) {
      const code = Number(text);
      if (!codes.includes(code) || done.has(code)) return false;
      done.add(code);
      close({ code });
      return true;
    },
  });
  const ana = await chat.visit(browser, { nick: 'ana', prepare, outage: true });
  for (const code of codes) {
    await ana.say(String(code));
    await bo.hears('message', { text: String(code) });
  }
  assert.deepEqual(bo.heard(), codes.map((code) => `ana: ${code}`));
  assert.deepEqual([...done], codes);
});

test('a message over which the connection breaks again and again is put aside', async (t) => {
  const chat = await Chat.open(t);
  const network = await chat.network();
  const bo = await chat.join('bo');
  const prepare = between({
    request({ text }) {
      if (text !== 'poison') return false;
      network.break();
      network.mend();
      return true;
    },
  });
  const ana = await chat.visit(browser, { port: network.port, nick: 'ana', prepare, outage: true });
  await ana.say('poison');
  await ana.say('behind it');
  await bo.hears('message', { text: 'behind it' });
  assert.match(await problem(ana, 'poison').textContent(), /^Refused: the connection broke each time /u);
  assert.equal(sends(prepare, 'poison'), 3);
});

test('a message for another who is told too much holds up nothing in a room', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  let isTooMuch = true;
  const prepare = between({
    request({ type, id, ref }, { tell }) {
      if (type !== 'tell' || !isTooMuch) return false;
      tell({ type: 'error', code: 'rate_limited', message: 'bo is told too much', retry_ms: 100, id, ref });
      return true;
    },
  });
  const ana = await chat.visit(browser, { nick: 'ana', prepare });
  await ana.say('/msg bo one');
  await ana.say('two');
  await ana.readsUnsent('one', 'pending');
  await ana.readsUnsent('two', 'pending');
  await ana.say('/join lobby');
  await ana.say('in the room');
  await ana.readsOwn('in the room');
  assert.deepEqual(bo.heard(), ['ana: in the room']);
  isTooMuch = false;
  await bo.hears('private', { text: 'two' });
  const told = bo.events.filter(({ type }) => type === 'private').map(({ text }) => text);
  assert.deepEqual(told, ['one', 'two']);
});

test('a room that the server does not know us in is joined again, and the message said', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  let joins = 0;
  let parted;
  const prepare = between({
    request({ type, text, room }, { ask }) {
      joins += type === 'join';
      if (text !== 'out' || parted) return false;
      // The server's own answer follows.
      parted = true;
      ask({ type: 'part', room });
      return false;
    },
  });
  const ana = await chat.visit(browser, { nick: 'ana', prepare });
  await ana.say('out');
  await bo.hears('message', { text: 'out' });
  await ana.readsOwn('out');
  assert.deepEqual([joins, sends(prepare, 'out')], [2, 2]);
});

test('a text is said however much of it JSON escapes', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { nick: 'ana' });
  for (const unit of ['"', '\\', '\t"', '😀']) {
    const length = Math.floor(8_188 / new TextEncoder().encode(unit).length);
    const text = `[${unit.repeat(length)}]`;
    await ana.say(text);
    await bo.hears('message', { text });
  }
  // Six bytes of JSON for each, and the server removes them.
  await ana.say(`[${'\u0001'.repeat(8_190)}]`);
  await bo.hears('message', { text: '[]' });
  assert.equal(await ana.page.locator('#unsent li').count(), 0);
});

test('a request that is too long for the server stays in the page', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  await ana.page.evaluate(() => (location.hash = `#${'a'.repeat(70_000)}`));
  await ana.page.getByRole('alert').filter({ hasText: /^Too long: 70,\d{3} bytes of 65,536$/u }).waitFor();
  await ana.isIn('#lobby');
  await ana.say('marker');
  await ana.readsOwn('marker');
  assert.equal(ana.sent.filter((frame) => JSON.parse(frame).type === 'hello').length, 1);
});
