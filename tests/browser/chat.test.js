// People chat: on either port, under a name that is not localhost, whatever
// they write and however they call themselves.

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

test('two pages chat on a name that is not localhost', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const bo = await chat.visit(browser, { nick: 'bo' });
  assert.equal(await ana.page.evaluate(() => isSecureContext), false);

  await ana.say('Is the kettle on?');
  await bo.reads('ana', 'Is the kettle on?');
  await bo.say('Always.');
  await ana.reads('bo', 'Always.');
  await bo.readsOwn('Always.');

  const conversation = async (visitor) =>
    (await visitor.timeline()).filter((item) => !item.notice).map(({ nick, text, own }) => [nick, text, own]);
  assert.deepEqual(await conversation(ana), [
    ['ana', 'Is the kettle on?', true],
    ['bo', 'Always.', false],
  ]);
  assert.deepEqual(await conversation(bo), [
    ['ana', 'Is the kettle on?', false],
    ['bo', 'Always.', true],
  ]);

  await bo.leave();
  await ana.readsNotice('bo left');
});

test('the page served on the WebSocket port works too', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const bo = await chat.visit(browser, { port: chat.server.wsPort, nick: 'bo' });

  await bo.say('from the one port');
  await ana.reads('bo', 'from the one port');
  await ana.say('from the other');
  await bo.reads('ana', 'from the other');
});

test('markup in texts and nicknames is shown as text', async (t) => {
  const chat = await Chat.open(t);
  const markup = '<img src=x onerror=alert(1)>';
  const name = '<img src=x onerror=a()>';
  const ana = await chat.visit(browser, { nick: '<b>ana</b>' });
  const mallory = await chat.join(name);

  await mallory.say(markup);
  await ana.reads(name, markup);
  await ana.say(`<script>alert(2)</script>`);
  await ana.readsOwn(`<script>alert(2)</script>`);
  assert.equal(await ana.nickname(), '<b>ana</b>');
  assert.equal(await ana.page.locator('main :is(img, script, b)').count(), 0);

  await mallory.leave();
  await ana.readsNotice(`${name} left`);
});

test('what the server removes from a text is not shown, and the echo is known as our own', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const bo = await chat.join('bo');

  await ana.say('one\ntwo\u2028three\u0007\u202e');
  await bo.hears('message', { text: 'one\ntwo\u2028three' });
  await ana.readsOwn('one\ntwo\u2028three');
  await ana.say('half \ud83d an emoji, a\ttab,  two spaces, \u2067isolated\u2069');
  await ana.readsOwn('half \ufffd an emoji, a\ttab,  two spaces, \u2067isolated\u2069');
});

test('a policy forbids everything that the page does not need', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);

  const directives = ana.policy.split(';').map((directive) => directive.trim());
  for (const expected of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'"]) {
    assert.ok(directives.includes(expected), `${expected} is not in ${ana.policy}`);
  }
});
