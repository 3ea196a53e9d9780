// Users chat on either port, with any text and nickname.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

test('two pages chat on a host that is not localhost', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const bo = await server.openPage({ nick: 'bo' });
  assert.equal(await ana.page.evaluate(() => isSecureContext), false);

  await ana.say('Is the kettle on?');
  await bo.waitForMessage('Is the kettle on?', 'ana');
  await bo.say('Always.');
  await ana.waitForMessage('Always.', 'bo');
  await bo.waitForOwnMessage('Always.');

  const conversation = async (user) =>
    (await user.timeline()).filter((item) => !item.notice).map(({ nick, text, own }) => [nick, text, own]);
  assert.deepEqual(await conversation(ana), [
    ['ana', 'Is the kettle on?', true],
    ['bo', 'Always.', false],
  ]);
  assert.deepEqual(await conversation(bo), [
    ['ana', 'Is the kettle on?', false],
    ['bo', 'Always.', true],
  ]);

  await bo.close();
  await ana.waitForNotice('bo left');
});

test('the page also works on the WebSocket port', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const bo = await server.openPage({ port: server.wsPort, nick: 'bo' });

  await bo.say('from the one port');
  await ana.waitForMessage('from the one port', 'bo');
  await ana.say('from the other');
  await bo.waitForMessage('from the other', 'ana');
});

test('markup in texts and nicknames is shown as text', async (t) => {
  const server = await TestServer.start(t);
  const markup = '<img src=x onerror=alert(1)>';
  const name = '<img src=x onerror=a()>';
  const ana = await server.openPage({ nick: '<b>ana</b>' });
  const mallory = await server.connect(name);

  await mallory.say(markup);
  await ana.waitForMessage(markup, name);
  await ana.say(`<script>alert(2)</script>`);
  await ana.waitForOwnMessage(`<script>alert(2)</script>`);
  assert.equal(await ana.nickname(), '<b>ana</b>');
  assert.equal(await ana.page.locator('main :is(img, script, b)').count(), 0);

  await mallory.close();
  await ana.waitForNotice(`${name} left`);
});

test('characters that the server removes are not shown, and the message still counts as our own', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const bo = await server.connect('bo');

  await ana.say('one\ntwo\u2028three\u0007\u202e');
  await bo.waitFor('message', { text: 'one\ntwo\u2028three' });
  await ana.waitForOwnMessage('one\ntwo\u2028three');
  await ana.say('half \ud83d an emoji, a\ttab,  two spaces, \u2067isolated\u2069');
  await ana.waitForOwnMessage('half \ufffd an emoji, a\ttab,  two spaces, \u2067isolated\u2069');
});

test('the Content-Security-Policy allows only files of the page', async (t) => {
  const server = await TestServer.start(t);
  const { page } = await server.openPage();

  const policy = (await page.reload()).headers()['content-security-policy'];
  const directives = policy.split(';').map((directive) => directive.trim());
  for (const expected of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'"]) {
    assert.ok(directives.includes(expected), `${expected} is not in ${policy}`);
  }
});
