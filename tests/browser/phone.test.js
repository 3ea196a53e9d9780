// The page on a phone: its size, the sidebar, and the on-screen keyboard.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { distanceToEnd } from './support/scrolling.js';
import { TestServer } from './support/server.js';
import { PHONE } from './support/user.js';

const tap = (user, selector, options) => user.page.locator(selector, options).tap();

test('the page fits on a phone in every state', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ context: PHONE });
  const bo = await server.connect('a-name-of-24-characters!');
  await bo.say('w'.repeat(400));
  await ana.waitForMessage('w'.repeat(400), 'a-name-of-24-characters!');
  await checkFits(ana);

  await ana.rename('another-name-of-24-chars');
  await checkFits(ana);
  await tap(ana, '#me');
  await checkFits(ana);
  await tap(ana, '#keep');
  await ana.input.fill('line\n'.repeat(20));
  await checkFits(ana);
});

test('the sidebar of a phone opens with a tap, and closes after a choice', async (t) => {
  const server = await TestServer.start(t);
  await server.connect('bo');
  const cy = await server.connect('cy', 'kitchen');
  const ana = await server.openPage({ nick: 'ana', context: PHONE, path: '/#kitchen' });
  const side = ana.page.locator('#side');
  assert.equal(await side.isVisible(), false);

  await tap(ana, '#menu');
  await ana.waitForRooms('#lobby', '#kitchen');
  await ana.waitForMembers('ana', 'cy');
  await tap(ana, '#rooms .place', { hasText: '#lobby' });
  await ana.waitForConversation('#lobby');
  await side.waitFor({ state: 'hidden' });
  await cy.say('unread', { room: 'kitchen' });

  await tap(ana, '#menu');
  await ana.waitForRooms('#lobby', '#kitchen 1');
  await ana.waitForMembers('ana', 'bo');
  await ana.page.touchscreen.tap(340, 320);
  await side.waitFor({ state: 'hidden' });
  await tap(ana, '#menu');
  await tap(ana, '#people .place', { hasText: 'bo' });
  await ana.waitForConversation('@bo');
  await side.waitFor({ state: 'hidden' });
});

test('on a phone, Enter inserts a line break, and the button sends and keeps the focus', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', context: PHONE });
  assert.equal(await ana.page.evaluate(() => document.activeElement.id), '', 'the keyboard is closed');

  await ana.input.tap();
  await ana.page.keyboard.type('one');
  await ana.page.keyboard.press('Enter');
  await ana.page.keyboard.type('two');
  assert.equal(await ana.input.inputValue(), 'one\ntwo');
  await ana.page.evaluate(() => {
    document.querySelector('#text').addEventListener('blur', () => (document.body.dataset.blurred = 'yes'));
  });
  await tap(ana, '#send');
  await ana.waitForOwnMessage('one\ntwo');
  assert.equal(await ana.page.evaluate(() => document.activeElement.id), 'text');
  assert.equal(await ana.page.evaluate(() => document.body.dataset.blurred), undefined);
  assert.equal(await ana.input.getAttribute('enterkeyhint'), 'enter');
});

test('buttons are large enough to tap', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ context: PHONE });
  for (const button of await ana.page.locator('header button:visible, #send').all()) {
    const { width, height } = await button.boundingBox();
    assert.ok(width >= 44 && height >= 44, `${await button.textContent()}: ${width} by ${height}`);
  }
});

test('the newest message stays in view when the on-screen keyboard opens', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ context: PHONE });
  const bo = await server.connect('bo');
  await bo.sayLines(60);
  await ana.waitForMessage('line 60', 'bo');
  assert.equal(await distanceToEnd(ana), 0);
  await ana.page.setViewportSize({ width: 360, height: 340 });
  await ana.page.waitForFunction(() => document.querySelector('#timeline').clientHeight < 300);
  assert.equal(await distanceToEnd(ana), 0);
  await checkFits(ana);
});

async function checkFits(user) {
  const found = await user.page.evaluate(() => {
    const input = document.querySelector('#text').getBoundingClientRect();
    return {
      sideways: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth,
      inputInside: input.top >= 0 && input.bottom <= innerHeight && input.width > 100,
      cut: [...document.querySelectorAll('main :is(button, input, textarea, h1)')]
        .map((element) => element.getBoundingClientRect())
        .filter(({ left, right }) => left < 0 || right > innerWidth).length,
    };
  });
  assert.deepEqual(found, { sideways: 0, inputInside: true, cut: 0 });
  // A phone zooms in on an input with smaller letters.
  for (const input of await user.page.locator('input:not([type=checkbox]), textarea, select').all()) {
    assert.ok(parseFloat(await input.evaluate((field) => getComputedStyle(field).fontSize)) >= 16);
  }
}
