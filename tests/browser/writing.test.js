// The input: what sends, what does not, and what is too long.

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

// Each test ends with a marker: once it is back, nothing before it is missing.

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
  await ana.readsOwn('one two');
  assert.deepEqual(await ana.texts(), ['one two']);
  assert.equal(await ana.input.inputValue(), '');
  assert.equal(await height(), oneLine);
});

test('the button sends too, and nothing is not sent', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const send = ana.page.getByRole('button', { name: 'Send' });

  await send.click();
  await ana.say(' \n ');
  await ana.input.fill('marker');
  await send.click();
  await ana.readsOwn('marker');
  assert.deepEqual(await ana.texts(), ['marker']);
});

test('the longest text is sent, and a longer one is kept with a word about it', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const longest = 'é'.repeat(4096);

  await ana.say(`${longest}!`);
  await ana.page.getByRole('alert').filter({ hasText: '8193 bytes' }).waitFor();
  assert.equal(await ana.input.inputValue(), `${longest}!`);
  await ana.say(longest);
  await ana.readsOwn(longest);
  assert.deepEqual(await ana.texts(), [longest]);
  assert.equal(await ana.page.getByRole('alert').textContent(), '');
});
