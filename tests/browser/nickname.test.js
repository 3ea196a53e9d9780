// A nickname is changed in place, remembered, and shown as the server gives it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';

const GIVEN = /^user-\d{1,5}$/u;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

test('a newcomer is in the lobby, has a nickname, and can type', async (t) => {
  const chat = await Chat.open(t);
  const visitor = await chat.visit(browser);

  await visitor.isIn('#lobby');
  assert.match(await visitor.nickname(), GIVEN);
  await visitor.page.keyboard.type('hello');
  await visitor.page.keyboard.press('Enter');
  await visitor.readsOwn('hello');
});

test('a nickname changed in place holds, also over a reload', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser);
  const before = await ana.nickname();

  await ana.rename('ana');
  assert.equal(await ana.nickname(), 'ana');
  await bo.hears('renamed', { from: before, to: 'ana' });
  await ana.readsNotice(`${before} is now ana`);
  await ana.say('new name');
  await bo.hears('message', { nick: 'ana', text: 'new name' });

  await ana.page.reload();
  await ana.sees('connected');
  assert.equal(await ana.nickname(), 'ana');
  await ana.say('same name');
  await bo.hears('message', { nick: 'ana', text: 'same name' });
});

test('a nickname changed in place holds for who comes back another day', async (t) => {
  const chat = await Chat.open(t, '--grace', '0');
  const ana = await chat.visit(browser);
  await ana.rename('ana');
  const later = await chat.openTab(ana);
  await ana.page.close();
  await later.page.evaluate(() => sessionStorage.clear());
  await later.page.reload();
  await later.sees('connected');
  assert.equal(await later.nickname(), 'ana');
});

test('a page that is closed and opened again at once has its nickname', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const bystander = await chat.openTab(ana);
  await ana.page.close();
  const again = await chat.openTab(bystander);
  assert.equal(await again.nickname(), 'ana');
  await again.page.reload();
  await again.sees('connected');
  assert.equal(await again.nickname(), 'ana');
  const third = await chat.openTab(again);
  assert.match(await third.nickname(), GIVEN);
});

test('another tab is somebody else, who wishes for the same nickname', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const second = await chat.openTab(ana);

  const nick = await second.nickname();
  assert.match(nick, GIVEN);
  await second.readsNotice(`ana is taken. You are ${nick}.`);
  await second.say('from the second tab');
  await ana.reads(nick, 'from the second tab');
  await ana.say('from the first');
  await second.reads('ana', 'from the first');
  assert.equal((await second.timeline()).at(-1).own, false);
});

test('a nickname that the server would not give is refused on the spot', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { nick: 'ana' });
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
  await bo.hears('message', { nick: 'ana', text: 'still here' });
});

test('a nickname is shown as the server writes it, and is no other after a reload', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser);

  await ana.rename('  Ａｎａ Jose\u0301 ');
  await ana.say('hello');
  await bo.hears('message', { nick: 'Ana José', text: 'hello' });
  assert.equal(await ana.nickname(), 'Ana José');

  await ana.page.reload();
  await ana.readsOwn('hello');
  assert.deepEqual((await ana.timeline()).filter(({ notice }) => notice?.includes('taken')), []);
  assert.equal(await ana.nickname(), 'Ana José');
});

test('a browser that refuses to remember can chat all the same', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, {
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
  await ana.readsOwn('no memory');
});
