// The input: sending, limits, recall and drafts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

// Most tests end with a marker. When the marker is shown, all messages before it are, too.

test('Enter in an input method does not send', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();

  await ana.input.fill('にほん');
  for (const enter of [{ isComposing: true }, { keyCode: 229 }]) {
    await ana.input.dispatchEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...enter });
  }
  assert.equal(await ana.input.inputValue(), 'にほん');
  await ana.say('marker');
  await ana.waitForOwnMessage('marker');
  assert.deepEqual(await ana.texts(), ['marker']);
});

test('Shift+Enter inserts a line break, and Enter sends', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();
  const height = () => ana.input.evaluate((input) => input.clientHeight);
  const oneLine = await height();

  await ana.input.fill('one');
  await ana.input.press('Shift+Enter');
  await ana.input.pressSequentially('two');
  assert.equal(await ana.input.inputValue(), 'one\ntwo');
  assert.ok((await height()) > oneLine, 'the input does not grow with its text');
  await ana.input.press('Enter');
  await ana.waitForOwnMessage('one\ntwo');
  assert.deepEqual(await ana.texts(), ['one\ntwo']);
  assert.equal(await ana.input.inputValue(), '');
  assert.equal(await height(), oneLine);
});

test('the input grows up to a limit, and the newest message stays in view', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();
  const bo = await server.connect('bo');
  await bo.sayLines(60);
  await ana.waitForMessage('line 60', 'bo');
  await ana.input.fill('line\n'.repeat(100));
  const { height, bottom } = await ana.input.evaluate((input) => input.getBoundingClientRect());
  assert.ok(height > 100 && height < 200, `${height} px`);
  assert.ok(bottom <= 800);
  await ana.waitForDrawing();
  const isInView = await ana.page.getByText('line 60', { exact: true }).evaluate((text) => {
    return text.getBoundingClientRect().bottom <= document.querySelector('#timeline').getBoundingClientRect().bottom;
  });
  assert.ok(isInView, 'the newest message is out of view');
});

test('the button sends, and blank texts are not sent', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();
  const send = ana.page.getByRole('button', { name: 'Send' });

  await send.click();
  for (const blank of [' \n ', '\u200b', '\u2800 \u2800', '\u3164', '\u00ad\u2060\ufe0f', '\u{e0020}', '/me \u2800', '/me']) {
    await ana.say(blank);
    await ana.input.press('Enter');
  }
  await ana.input.fill('marker');
  await send.click();
  await ana.waitForOwnMessage('marker');
  assert.deepEqual(await ana.texts(), ['marker']);
  assert.equal(ana.requests('say').length, 1);
});

test('the longest text is sent, and a longer one stays in the input with an alert', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();
  const longest = 'é'.repeat(4096);

  await ana.say(`${longest}!`);
  await ana.waitForAlert('8,193 bytes');
  assert.equal(await ana.input.inputValue(), `${longest}!`);
  await ana.say(longest);
  await ana.waitForOwnMessage(longest);
  assert.deepEqual(await ana.texts(), [longest]);
  assert.equal(await ana.page.getByRole('alert').textContent(), '');
});

test('the arrow keys recall sent messages, unless the input has another text', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();
  await ana.say('first');
  await ana.say('second\nline');
  await ana.waitForOwnMessage('second\nline');
  const press = async (key) => {
    await ana.input.press(key);
    return ana.input.inputValue();
  };

  assert.equal(await press('ArrowUp'), 'second\nline');
  assert.equal(await press('ArrowUp'), 'first');
  assert.equal(await press('ArrowUp'), 'first');
  assert.equal(await press('ArrowDown'), 'second\nline');
  assert.equal(await press('ArrowDown'), '');
  await ana.input.fill('something else');
  assert.equal(await press('ArrowUp'), 'something else');
});

test('every room has its draft, also after a reload', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();
  await ana.input.fill('for the lobby');
  await ana.followLink('#kitchen');
  assert.equal(await ana.input.inputValue(), '');
  await ana.input.fill('for the kitchen');
  await ana.followLink('#lobby');
  assert.equal(await ana.input.inputValue(), 'for the lobby');

  await ana.reload();
  assert.equal(await ana.input.inputValue(), 'for the lobby');
  await ana.followLink('#kitchen');
  assert.equal(await ana.input.inputValue(), 'for the kitchen');
});
