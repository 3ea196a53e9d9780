// What begins with a slash, and what Tab makes of a word.

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

test('commands change the nickname and the room, and say what one does', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser);

  await ana.say('/nick ana');
  await bo.hears('renamed', { to: 'ana' });
  await ana.say('/me waves');
  await bo.hears('message', { nick: 'ana', text: 'waves', kind: 'me' });
  await ana.say('/join #Kitchen');
  await ana.isIn('#kitchen');
  await bo.join('kitchen');
  await ana.seesPeople('ana', 'bo');
  await ana.say('/part');
  await bo.hears('left', { room: 'kitchen', nick: 'ana' });
  await ana.isIn('#lobby');
  await ana.seesRooms('#lobby');
});

test('commands tell who is here, which rooms there are, and what there is to say', async (t) => {
  const chat = await Chat.open(t);
  await chat.join('bo');
  await chat.join('cy', 'kitchen');
  const ana = await chat.visit(browser, { nick: 'ana' });

  await ana.say('/who');
  await ana.readsNotice('People: bo, ana');
  await ana.say('/rooms');
  await ana.page.getByText(/#lobby \(2\)/u).filter({ hasText: '#kitchen (1)' }).waitFor();
  await ana.say('/help');
  const help = await ana.page.locator('.note', { hasText: '/msg' }).textContent();
  for (const name of ['nick', 'me', 'msg', 'join', 'part', 'who', 'rooms']) {
    assert.match(help, new RegExp(`/${name}\\b`, 'u'));
  }
});

test('what is no command is not said, and kept; two slashes say one', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { nick: 'ana' });

  for (const text of ['/dance now', '/toString', '/']) {
    await ana.say(text);
    const [command] = text.split(' ');
    await ana.page.getByRole('alert').filter({ hasText: `There is no ${command}. Try /help.` }).waitFor();
    assert.equal(await ana.input.inputValue(), text);
  }
  await ana.input.fill('');
  assert.equal(await ana.page.getByRole('alert').textContent(), '');
  await ana.say('//dance now');
  await ana.readsOwn('/dance now');
  await bo.hears('message', { text: '/dance now' });
  assert.deepEqual(bo.heard(), ['ana: /dance now']);
});

test('a command that fails says why, and is kept', async (t) => {
  const chat = await Chat.open(t);
  await chat.join('bo');
  const ana = await chat.visit(browser, { nick: 'ana' });
  for (const text of ['/nick bo', '/nick a: b']) {
    await ana.say(text);
    await ana.page.locator('#objection:not(:empty)').waitFor();
    assert.equal(await ana.input.inputValue(), text);
  }
  await ana.say('/join no room');
  await ana.page.locator('#objection:not(:empty)').waitFor();
  await ana.isIn('#lobby');
});

test('Tab completes a nickname, goes through several, and else moves the focus', async (t) => {
  const chat = await Chat.open(t);
  for (const nick of ['bo', 'bob', 'Cyril Élan']) await chat.join(nick);
  const ana = await chat.visit(browser, { nick: 'ana' });
  await ana.seesPeople('ana', 'bo', 'bob', 'Cyril Élan');
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
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const completed = async (text) => {
    await ana.input.fill(text);
    await ana.input.press('Tab');
    return ana.input.inputValue();
  };

  assert.equal(await completed('so :tad'), 'so 🎉 ');
  assert.equal(await completed('/n'), '/nick ');
  assert.equal(await completed('not /n'), 'not /n');
});
