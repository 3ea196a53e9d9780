// Commands, and completion with Tab.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

test('commands change the nickname and the room, and send an action', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage();

  await ana.say('/nick ana');
  await bo.waitFor('renamed', { to: 'ana' });
  await ana.say('/me waves');
  await bo.waitFor('message', { nick: 'ana', text: 'waves', kind: 'me' });
  await ana.say('/join #Kitchen');
  await ana.waitForConversation('#kitchen');
  await bo.join('kitchen');
  await ana.waitForMembers('ana', 'bo');
  await ana.say('/part');
  await bo.waitFor('left', { room: 'kitchen', nick: 'ana' });
  await ana.waitForConversation('#lobby');
  await ana.waitForRooms('#lobby');
});

test('commands list the members, the rooms and the commands', async (t) => {
  const server = await TestServer.start(t);
  await server.connect('bo');
  await server.connect('cy', 'kitchen');
  const ana = await server.openPage({ nick: 'ana' });

  await ana.say('/who');
  await ana.waitForNotice('People: bo, ana');
  await ana.say('/rooms');
  await ana.page.getByText(/#lobby \(2\)/u).filter({ hasText: '#kitchen (1)' }).waitFor();
  await ana.say('/help');
  const help = await ana.page.locator('.note', { hasText: '/msg' }).textContent();
  for (const name of ['nick', 'me', 'msg', 'join', 'part', 'who', 'rooms']) {
    assert.match(help, new RegExp(`/${name}\\b`, 'u'));
  }
});

test('an unknown command is not sent and stays in the input; two slashes send one', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });

  for (const text of ['/dance now', '/toString', '/']) {
    await ana.say(text);
    const [command] = text.split(' ');
    await ana.waitForAlert(`There is no ${command}. Try /help.`);
    assert.equal(await ana.input.inputValue(), text);
  }
  await ana.input.fill('');
  assert.equal(await ana.page.getByRole('alert').textContent(), '');
  await ana.say('//dance now');
  await ana.waitForOwnMessage('/dance now');
  await bo.waitFor('message', { text: '/dance now' });
  assert.deepEqual(bo.transcript(), ['ana: /dance now']);
});

test('a command that fails shows the reason and stays in the input', async (t) => {
  const server = await TestServer.start(t);
  await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  for (const text of ['/nick bo', '/nick a: b']) {
    await ana.say(text);
    await ana.page.locator('#objection:not(:empty)').waitFor();
    assert.equal(await ana.input.inputValue(), text);
  }
  await ana.say('/join no room');
  await ana.page.locator('#objection:not(:empty)').waitFor();
  await ana.waitForConversation('#lobby');
});

test('Tab completes nicknames in turn, or moves the focus if there is no match', async (t) => {
  const server = await TestServer.start(t);
  for (const nick of ['bo', 'bob', 'Cyril Élan']) await server.connect(nick);
  const ana = await server.openPage({ nick: 'ana' });
  await ana.waitForMembers('ana', 'bo', 'bob', 'Cyril Élan');
  const completed = async (text, presses = 1) => {
    await ana.input.fill(text);
    for (let press = 0; press < presses; press += 1) await ana.input.press('Tab');
    return ana.input.inputValue();
  };

  assert.equal(await completed('b'), 'bo: ');
  assert.equal(await completed('b', 2), 'bob: ');
  assert.equal(await completed('b', 3), 'bo: ');
  assert.equal(await completed('hey B'), 'hey bo ');
  assert.equal(await completed('hey @c'), 'hey @Cyril Élan ');
  for (const [text, presses] of [['', 1], ['hello ', 1], ['zzz', 1], ['cy', 2]]) {
    await ana.input.focus();
    const value = await completed(text, presses);
    assert.equal(await ana.input.evaluate((input) => document.activeElement === input), false, `the focus left ${text}`);
    if (presses === 1) assert.equal(value, text);
  }
});

test('Tab completes emoji and commands', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const completed = async (text) => {
    await ana.input.fill(text);
    await ana.input.press('Tab');
    return ana.input.inputValue();
  };

  assert.equal(await completed('so :tad'), 'so 🎉 ');
  assert.equal(await completed('/n'), '/nick ');
  assert.equal(await completed('not /n'), 'not /n');
});
