// The input: what sends, what does not, what is too long, and what is kept.

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

// Most tests end with a marker: once it is back, nothing before it is missing.

test('an Enter that belongs to an input method does not send', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);

  await ana.input.fill('にほん');
  for (const enter of [{ isComposing: true }, { keyCode: 229 }]) {
    await ana.input.dispatchEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...enter });
  }
  assert.equal(await ana.input.inputValue(), 'にほん');
  await ana.say('marker');
  await ana.readsOwn('marker');
  assert.deepEqual(await ana.texts(), ['marker']);
});

test('Shift+Enter makes a line, and Enter sends', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const height = () => ana.input.evaluate((input) => input.clientHeight);
  const oneLine = await height();

  await ana.input.fill('one');
  await ana.input.press('Shift+Enter');
  await ana.input.pressSequentially('two');
  assert.equal(await ana.input.inputValue(), 'one\ntwo');
  assert.ok((await height()) > oneLine, 'the input grows with its text');
  await ana.input.press('Enter');
  await ana.readsOwn('one\ntwo');
  assert.deepEqual(await ana.texts(), ['one\ntwo']);
  assert.equal(await ana.input.inputValue(), '');
  assert.equal(await height(), oneLine);
});

test('the input grows to a limit, and the timeline gives way', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const bo = await chat.join('bo');
  await bo.sayMany(60);
  await ana.reads('bo', 'line 60');
  await ana.input.fill('line\n'.repeat(100));
  const { height, bottom } = await ana.input.evaluate((input) => input.getBoundingClientRect());
  assert.ok(height > 100 && height < 200, `${height} px`);
  assert.ok(bottom <= 800);
  assert.ok(await ana.page.getByText('line 60', { exact: true }).evaluate((text) => {
    const above = document.querySelector('#timeline').getBoundingClientRect().bottom;
    return new Promise((resolve) => {
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(text.getBoundingClientRect().bottom <= above)));
    });
  }), 'the newest message is in view');
});

test('the button sends too, and nothing is not sent', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const send = ana.page.getByRole('button', { name: 'Send' });

  await send.click();
  for (const blank of [' \n ', '\u200b', '\u2800 \u2800', '\u3164', '\u00ad\u2060\ufe0f', '\u{e0020}', '/me \u2800', '/me']) {
    await ana.say(blank);
    await ana.input.press('Enter');
  }
  await ana.input.fill('marker');
  await send.click();
  await ana.readsOwn('marker');
  assert.deepEqual(await ana.texts(), ['marker']);
  assert.equal(ana.sent.filter((frame) => JSON.parse(frame).type === 'say').length, 1);
});

test('the longest text is sent, and a longer one is kept with a word about it', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const longest = 'é'.repeat(4096);

  await ana.say(`${longest}!`);
  await ana.page.getByRole('alert').filter({ hasText: '8,193 bytes' }).waitFor();
  assert.equal(await ana.input.inputValue(), `${longest}!`);
  await ana.say(longest);
  await ana.readsOwn(longest);
  assert.deepEqual(await ana.texts(), [longest]);
  assert.equal(await ana.page.getByRole('alert').textContent(), '');
});

test('the arrow keys recall what was sent, unless something else stands there', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  await ana.say('first');
  await ana.say('second\nline');
  await ana.readsOwn('second\nline');
  const pressed = async (key) => {
    await ana.input.press(key);
    return ana.input.inputValue();
  };

  assert.equal(await pressed('ArrowUp'), 'second\nline');
  assert.equal(await pressed('ArrowUp'), 'first');
  assert.equal(await pressed('ArrowUp'), 'first');
  assert.equal(await pressed('ArrowDown'), 'second\nline');
  assert.equal(await pressed('ArrowDown'), '');
  await ana.input.fill('something else');
  assert.equal(await pressed('ArrowUp'), 'something else');
});

test('every room has its draft, which survives a reload', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const go = async (room) => {
    await ana.page.evaluate((room) => (location.hash = room), `#${room}`);
    await ana.isIn(`#${room}`);
  };

  await ana.input.fill('for the lobby');
  await go('kitchen');
  assert.equal(await ana.input.inputValue(), '');
  await ana.input.fill('for the kitchen');
  await go('lobby');
  assert.equal(await ana.input.inputValue(), 'for the lobby');

  await ana.page.reload();
  await ana.sees('connected');
  assert.equal(await ana.input.inputValue(), 'for the lobby');
  await go('kitchen');
  assert.equal(await ana.input.inputValue(), 'for the kitchen');
});
