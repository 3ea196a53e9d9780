// The page on a phone: it fits, the side is one tap away, and one writes with
// the keyboard on the screen.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';
import { PHONE } from './support/phone.js';
import { distanceToEnd } from './support/scrolling.js';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

const tap = (visitor, selector, options) => visitor.page.locator(selector, options).tap();

test('the page fits on a phone, whatever is open', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { context: PHONE });
  const bo = await chat.join('a-name-of-24-characters!');
  await bo.say('w'.repeat(400));
  await ana.reads('a-name-of-24-characters!', 'w'.repeat(400));
  await fits(ana);

  await ana.rename('another-name-of-24-chars');
  await fits(ana);
  await tap(ana, '#me');
  await fits(ana);
  await tap(ana, '#keep');
  await ana.input.fill('line\n'.repeat(20));
  await fits(ana);
});

test('rooms and people are one tap away, and go when one is chosen', async (t) => {
  const chat = await Chat.open(t);
  await chat.join('bo');
  const cy = await chat.join('cy', 'kitchen');
  const ana = await chat.visit(browser, { nick: 'ana', context: PHONE, path: '/#kitchen' });
  const side = ana.page.locator('#side');
  assert.equal(await side.isVisible(), false);

  await tap(ana, '#menu');
  await ana.seesRooms('#lobby', '#kitchen');
  await ana.seesPeople('ana', 'cy');
  await tap(ana, '#rooms .place', { hasText: '#lobby' });
  await ana.isIn('#lobby');
  await side.waitFor({ state: 'hidden' });
  await cy.say('unread', { room: 'kitchen' });

  await tap(ana, '#menu');
  await ana.seesRooms('#lobby', '#kitchen 1');
  await ana.seesPeople('ana', 'bo');
  await ana.page.touchscreen.tap(340, 320);
  await side.waitFor({ state: 'hidden' });
  await tap(ana, '#menu');
  await tap(ana, '#people .place', { hasText: 'bo' });
  await ana.isIn('@bo');
  await side.waitFor({ state: 'hidden' });
});

test('Enter makes a line, and the button sends and leaves the keyboard open', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana', context: PHONE });
  assert.equal(await ana.page.evaluate(() => document.activeElement.id), '', 'no keyboard before one wants to write');

  await ana.input.tap();
  await ana.page.keyboard.type('one');
  await ana.page.keyboard.press('Enter');
  await ana.page.keyboard.type('two');
  assert.equal(await ana.input.inputValue(), 'one\ntwo');
  await ana.page.evaluate(() => {
    document.querySelector('#text').addEventListener('blur', () => (document.body.dataset.blurred = 'yes'));
  });
  await tap(ana, '[name=send]');
  await ana.readsOwn('one\ntwo');
  assert.equal(await ana.page.evaluate(() => document.activeElement.id), 'text');
  assert.equal(await ana.page.evaluate(() => document.body.dataset.blurred), undefined);
  assert.equal(await ana.input.getAttribute('enterkeyhint'), 'enter');
});

test('what one taps is large enough', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { context: PHONE });
  for (const button of await ana.page.locator('header button:visible, [name=send]').all()) {
    const { width, height } = await button.boundingBox();
    assert.ok(width >= 44 && height >= 44, `${await button.textContent()}: ${width} by ${height}`);
  }
});

test('the newest message stays in view when the keyboard takes its place', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { context: PHONE });
  const bo = await chat.join('bo');
  await bo.sayMany(60);
  await ana.reads('bo', 'line 60');
  assert.equal(await distanceToEnd(ana), 0);
  await ana.page.setViewportSize({ width: 360, height: 340 });
  await ana.page.waitForFunction(() => document.querySelector('#timeline').clientHeight < 300);
  assert.equal(await distanceToEnd(ana), 0);
  await fits(ana);
});

async function fits(visitor) {
  const found = await visitor.page.evaluate(() => {
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
  // Smaller, and a phone zooms in on the input.
  for (const input of await visitor.page.locator('input:not([type=checkbox]), textarea, select').all()) {
    assert.ok(parseFloat(await input.evaluate((field) => getComputedStyle(field).fontSize)) >= 16);
  }
}
