// A nickname is changed in its field, remembered, and shown as the server
// normalizes it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

const GIVEN = /^user-\d{1,5}$/u;

test('a new user is in the lobby, has a nickname, and can type at once', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();

  await ana.waitForConversation('#lobby');
  assert.match(await ana.nickname(), GIVEN);
  await ana.page.keyboard.type('hello');
  await ana.page.keyboard.press('Enter');
  await ana.waitForOwnMessage('hello');
});

test('a nickname that is changed is kept after a reload', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage();
  const before = await ana.nickname();

  await ana.rename('ana');
  assert.equal(await ana.nickname(), 'ana');
  await bo.waitFor('renamed', { from: before, to: 'ana' });
  await ana.waitForNotice(`${before} is now ana`);
  await ana.say('new name');
  await bo.waitFor('message', { nick: 'ana', text: 'new name' });

  await ana.reload();
  assert.equal(await ana.nickname(), 'ana');
  await ana.say('same name');
  await bo.waitFor('message', { nick: 'ana', text: 'same name' });
});

test('a nickname that is changed is kept for a new session', async (t) => {
  const server = await TestServer.start(t, { args: ['--grace', '0'] });
  const ana = await server.openPage();
  await ana.rename('ana');
  const later = await ana.openTab();
  await ana.page.close();
  await later.page.evaluate(() => sessionStorage.clear());
  await later.reload();
  assert.equal(await later.nickname(), 'ana');
});

test('a page that is closed and opened again gets its nickname back', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const second = await ana.openTab();
  await ana.page.close();
  const again = await second.openTab();
  assert.equal(await again.nickname(), 'ana');
  await again.reload();
  assert.equal(await again.nickname(), 'ana');
  const third = await again.openTab();
  assert.match(await third.nickname(), GIVEN);
});

test('another tab is another user, and gets another nickname', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const second = await ana.openTab();

  const nick = await second.nickname();
  assert.match(nick, GIVEN);
  await second.waitForNotice(`ana is taken. You are ${nick}.`);
  await second.say('from the second tab');
  await ana.waitForMessage('from the second tab', nick);
  await ana.say('from the first');
  await second.waitForMessage('from the first', 'ana');
  assert.equal((await second.timeline()).at(-1).own, false);
});

test('an invalid or taken nickname is marked in its field', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  const wish = ana.page.locator('#wish');

  await ana.page.locator('#me').click();
  assert.equal(await wish.inputValue(), 'ana');
  for (const refused of ['user-7', 're: ana', 'a'.repeat(25), '  ', 'bo']) {
    await wish.fill(refused);
    await wish.press('Enter');
    await ana.page.locator('#wish:invalid').waitFor();
    assert.notEqual(await wish.evaluate((input) => input.validationMessage), '', refused);
  }
  await wish.press('Escape');
  assert.equal(await ana.nickname(), 'ana');
  await ana.say('still here');
  await bo.waitFor('message', { nick: 'ana', text: 'still here' });
});

test('a nickname is shown as the server normalizes it, also after a reload', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage();

  await ana.rename('  Ａｎａ Jose\u0301 ');
  await ana.say('hello');
  await bo.waitFor('message', { nick: 'Ana José', text: 'hello' });
  assert.equal(await ana.nickname(), 'Ana José');

  await ana.page.reload();
  await ana.waitForOwnMessage('hello');
  assert.deepEqual((await ana.timeline()).filter(({ notice }) => notice?.includes('taken')), []);
  assert.equal(await ana.nickname(), 'Ana José');
});

test('the page works in a browser that denies storage', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({
    script: () => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, {
          get() {
            throw new DOMException('denied', 'SecurityError');
          },
        });
      }
    },
  });

  await ana.say('no memory');
  await ana.waitForOwnMessage('no memory');
});
