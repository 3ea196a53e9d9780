// Rooms with more people than one answer names, and more rooms than one answer lists.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { between } from './support/between.js';
import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';

const CROWD = 620;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

test('of a large room the people are counted, and listed as far as one wants to see', async (t) => {
  const chat = await Chat.open(t);
  const crowd = [];
  for (let number = 1; number <= CROWD; number += 50) {
    const next = Array.from({ length: Math.min(50, CROWD + 1 - number) }, (_, index) => `p${number + index}`);
    crowd.push(...(await Promise.all(next.map((nick) => chat.join(nick, 'hall')))));
  }
  const prepare = between({});
  const ana = await chat.visit(browser, { nick: 'ana', path: '/#hall', prepare });
  const shown = async () => [await ana.page.locator('#count').textContent(), await ana.page.locator('#people .place').count()];
  const more = (count) => ana.page.locator('#people').getByRole('button', { name: `${count} more`, exact: true });
  await more('121').waitFor();
  assert.deepEqual(await shown(), ['621', 500]);

  // Those who are known and those who are not go, and somebody comes.
  const names = await ana.page.locator('#people .place bdi').allTextContents();
  const known = crowd.filter(({ nick }) => names.includes(nick));
  const unknown = crowd.filter(({ nick }) => !names.includes(nick));
  // The last that was named, after which the next page begins.
  await known.at(-1).leave();
  await known[0].leave();
  await unknown[0].leave();
  await known[1].rename('renamed');
  await chat.join('late', 'hall');
  // So many are not named already before somebody comes.
  await ana.page.locator('#people .place bdi').getByText('late', { exact: true }).waitFor();
  await more('120').waitFor();
  assert.deepEqual(await shown(), ['619', 499]);
  await more('120').click();
  await ana.page.locator('#people .link').waitFor({ state: 'detached' });
  assert.deepEqual(await shown(), ['619', 619]);
  const gone = [known.at(-1), known[0], unknown[0], known[1]].map(({ nick }) => nick);
  const here = crowd.map(({ nick }) => nick).filter((nick) => !gone.includes(nick));
  const listed = await ana.page.locator('#people .place bdi').allTextContents();
  assert.deepEqual(listed.sort(), ['ana', 'late', 'renamed', ...here].sort());
  assert.equal(prepare.requests.filter(({ type }) => type === 'members').length, 1);
});

test('a list whose last known name is gone begins before it', async (t) => {
  const chat = await Chat.open(t);
  let count = 0;
  const prepare = between({
    event(event, { tell }) {
      if (event.type !== 'joined') return false;
      tell({ ...event, members: ['one', 'two', 'three'], members_count: 5 });
      return true;
    },
    request({ type, room, after, ref }, { tell }) {
      if (type !== 'members') return false;
      count += 1;
      if (after === 'three') tell({ type: 'error', code: 'no_such_nick', message: 'three is not here', ref });
      else tell({ type: 'members', room, members: ['four', 'ana'], members_count: 4, more: false, ref });
      return true;
    },
  });
  const ana = await chat.visit(browser, { nick: 'ana', prepare });
  const more = ana.page.locator('#people').getByRole('button', { name: '2 more' });
  await more.click();
  await ana.page.waitForFunction(() => document.querySelectorAll('#people .place').length === 5);
  assert.equal(count, 2);
});

test('rooms are listed page by page', async (t) => {
  const chat = await Chat.open(t);
  const members = [];
  for (let number = 100; number < 250; number += 1) {
    if (number % 15 === 10) members.push(await chat.join(`p${number}`, `room${number}`));
    else await members.at(-1).join(`room${number}`);
  }
  const ana = await chat.visit(browser, { nick: 'ana' });
  const note = ana.page.locator('#messages .note').last();
  await ana.say('/rooms');
  await note.getByText(/^#lobby \(1\), #room100 \(1\), .*#room198 \(1\)\n\/rooms room198$/su).waitFor();
  await ana.say('/rooms room198');
  await note.getByText(/^#room199 \(1\), .*#room249 \(1\)$/su).waitFor();
});
