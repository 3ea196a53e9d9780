// A nickname is wished for, changed in place, remembered, and corrected when
// the server gave another one.

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

test('a newcomer has a nickname that the page made up', async (t) => {
  const chat = await Chat.open(t);
  const visitor = await chat.visit(browser);

  const nick = await visitor.nickname();
  assert.match(nick, /^guest-\d{4}$/u);
  await visitor.say('hello');
  await visitor.readsOwn('hello');
  assert.equal(await visitor.nickname(), nick);
});

test('a nickname changed in place holds, also over a reload', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser);
  const before = await ana.nickname();

  await ana.rename('ana');
  assert.equal(await ana.nickname(), 'ana');
  await bo.hears(` .... ${before} has left.`);
  await ana.say('new name');
  await bo.hears('ana: new name');

  await ana.page.reload();
  await ana.sees('connected');
  assert.equal(await ana.nickname(), 'ana');
  await ana.say('same name');
  await bo.hears('ana: same name');
});

test('a taken nickname is corrected by the first echo', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.join('ana');
  const visitor = await chat.visit(browser, { nick: 'ana' });

  ana.say('hello');
  await visitor.reads('ana', 'hello');
  await visitor.say('hello');
  await visitor.readsOwn('hello');
  const nick = await visitor.nickname();
  assert.match(nick, /^user-\d{1,5}$/u);
  await visitor.readsNotice(`ana is taken or not allowed here. You are ${nick}.`);
  const messages = (await visitor.timeline()).filter((item) => !item.notice);
  assert.deepEqual(messages.map(({ nick, own }) => [nick, own]), [['ana', false], [nick, true]]);
});

test('a nickname that the server would not give is refused on the spot', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const wish = ana.page.locator('#wish');

  await ana.page.locator('#me').click();
  for (const [refused, why] of [
    ['user-7', /given by the server/u],
    ['re: ana', /colon/u],
    ['a'.repeat(25), /at most 24/u],
    ['  ', /at least one/u],
  ]) {
    await wish.fill(refused);
    await wish.press('Enter');
    assert.match(await wish.evaluate((input) => input.validationMessage), why);
  }
  await wish.press('Escape');
  assert.equal(await ana.nickname(), 'ana');
  await ana.say('still here');
  await ana.readsOwn('still here');
  assert.equal(await ana.nickname(), 'ana');
});

test('a nickname is shown as the server writes it', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser);

  await ana.rename('  Ａｎａ   Jose\u0301 ❤\ufe0f ');
  await ana.say('hello');
  await bo.hears('Ana José ❤: hello');
  await ana.readsOwn('hello');
  assert.equal(await ana.nickname(), 'Ana José ❤');
});

test('a browser that refuses to remember can chat all the same', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, {
    script: () => {
      Object.defineProperty(window, 'localStorage', {
        get() {
          throw new DOMException('denied', 'SecurityError');
        },
      });
    },
  });

  await ana.say('no memory');
  await ana.readsOwn('no memory');
});
