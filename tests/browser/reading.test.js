// The timeline: it follows the newest message, holds still for a reader, stays
// of bounded length, and fits on a phone.

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

test('an empty room invites to speak, and says where others join', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);

  await ana.page.getByText('Nobody has said anything yet.').waitFor();
  await ana.page.getByText(`http://chat.lan:${chat.server.pagePort}/`).waitFor();
  await ana.say('hello');
  await ana.page.locator('#silence').waitFor({ state: 'hidden' });
});

test('new messages do not move what is being read further up', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const bo = await chat.join('bo');
  await sayMany(bo, 60);
  await ana.reads('bo', 'line 60');
  assert.equal(await distanceToEnd(ana), 0);

  const top = await scrollToMiddle(ana);
  bo.say('you do not see this yet');
  await ana.reads('bo', 'you do not see this yet');
  assert.equal(await ana.page.locator('#timeline').evaluate((timeline) => timeline.scrollTop), top);

  await ana.page.getByRole('button', { name: 'New messages' }).click();
  assert.equal(await distanceToEnd(ana), 0);
  await ana.page.getByRole('button', { name: 'New messages' }).waitFor({ state: 'hidden' });
  bo.say('but this');
  await ana.reads('bo', 'but this');
  assert.equal(await distanceToEnd(ana), 0);
});

test('the timeline keeps at most 300 messages, and drops old ones unnoticed', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const bo = await chat.join('bo');
  await sayMany(bo, 320);
  await ana.reads('bo', 'line 320');
  assert.equal((await ana.timeline()).length, 300);

  await scrollToMiddle(ana);
  const place = () =>
    ana.page.getByText('line 200', { exact: true }).evaluate((text) => text.getBoundingClientRect().top);
  const before = await place();
  bo.say('one more');
  await ana.reads('bo', 'one more');
  assert.ok(Math.abs((await place()) - before) < 1, 'the message being read has not moved');
  assert.equal((await ana.timeline()).length, 300);
});

test('the page fits on a phone', async (t) => {
  const chat = await Chat.open(t);
  const phone = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
  const ana = await chat.visit(browser, { context: phone });
  const bo = await chat.join('a-name-of-24-characters!');
  bo.say('w'.repeat(400));
  await ana.reads('a-name-of-24-characters!', 'w'.repeat(400));
  await fits(ana);

  await ana.rename('another-name-of-24-chars');
  await fits(ana);
  await ana.page.locator('#me').click();
  await fits(ana);
});

async function fits(visitor) {
  const found = await visitor.page.evaluate(() => {
    const input = document.querySelector('#text').getBoundingClientRect();
    return {
      sideways: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth,
      inputInside: input.top >= 0 && input.bottom <= innerHeight && input.width > 100,
      cut: [...document.querySelectorAll('button, input, textarea, h1')]
        .map((element) => element.getBoundingClientRect())
        .filter(({ left, right }) => left < 0 || right > innerWidth).length,
    };
  });
  assert.deepEqual(found, { sideways: 0, inputInside: true, cut: 0 });
  // Smaller, and a phone zooms in on the input.
  for (const input of await visitor.page.locator('input, textarea').all()) {
    assert.ok(parseFloat(await input.evaluate((field) => getComputedStyle(field).fontSize)) >= 16);
  }
}

async function sayMany(client, count) {
  for (let line = 1; line <= count; line += 1) client.say(`line ${line}`);
  await client.hears(`${client.nick}: line ${count}`);
}

function distanceToEnd(visitor) {
  return visitor.page
    .locator('#timeline')
    .evaluate(({ scrollHeight, scrollTop, clientHeight }) => Math.round(scrollHeight - scrollTop - clientHeight));
}

/** Scrolls, waits until the page has noticed, and answers the new position. */
function scrollToMiddle(visitor) {
  return visitor.page.locator('#timeline').evaluate(
    (timeline) =>
      new Promise((resolve) => {
        timeline.addEventListener('scroll', () => resolve(timeline.scrollTop), { once: true });
        timeline.scrollTop = Math.floor(timeline.scrollHeight / 2);
      }),
  );
}
