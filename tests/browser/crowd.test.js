// More members of a room, and more rooms, than one answer lists.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MessageProxy } from './support/network.js';
import { TestServer } from './support/server.js';

const CLIENTS = 620;

test('the members of a large room are counted, and listed page by page', async (t) => {
  const server = await TestServer.start(t);
  const clients = [];
  for (let number = 1; number <= CLIENTS; number += 50) {
    const next = Array.from({ length: Math.min(50, CLIENTS + 1 - number) }, (_, index) => `p${number + index}`);
    clients.push(...(await Promise.all(next.map((nick) => server.connect(nick, 'hall')))));
  }
  const proxy = new MessageProxy();
  const ana = await server.openPage({ nick: 'ana', path: '/#hall', proxy });
  const shown = async () => [await ana.page.locator('#count').textContent(), await ana.page.locator('#people .place').count()];
  const more = (count) => ana.page.locator('#people').getByRole('button', { name: `${count} more`, exact: true });
  await more('121').waitFor();
  assert.deepEqual(await shown(), ['621', 500]);

  // Listed and unlisted members leave, and another arrives.
  const names = await ana.page.locator('#people .place bdi').allTextContents();
  const listed = clients.filter(({ nick }) => names.includes(nick));
  const unlisted = clients.filter(({ nick }) => !names.includes(nick));
  // The next page begins after the last listed member.
  await listed.at(-1).close();
  await listed[0].close();
  await unlisted[0].close();
  await listed[1].rename('renamed');
  await server.connect('late', 'hall');
  // The number of unlisted members is 120 even before this arrival.
  await ana.page.locator('#people .place bdi').getByText('late', { exact: true }).waitFor();
  await more('120').waitFor();
  assert.deepEqual(await shown(), ['619', 499]);
  await more('120').click();
  await ana.page.locator('#people .link').waitFor({ state: 'detached' });
  assert.deepEqual(await shown(), ['619', 619]);
  const gone = [listed.at(-1), listed[0], unlisted[0], listed[1]].map(({ nick }) => nick);
  const here = clients.map(({ nick }) => nick).filter((nick) => !gone.includes(nick));
  const all = await ana.page.locator('#people .place bdi').allTextContents();
  assert.deepEqual(all.sort(), ['ana', 'late', 'renamed', ...here].sort());
  assert.equal(proxy.requests.filter(({ type }) => type === 'members').length, 1);
});

test('the next page of members begins at an earlier nickname if the last one has left', async (t) => {
  const server = await TestServer.start(t);
  let count = 0;
  const proxy = new MessageProxy({
    event(event, { toPage }) {
      if (event.type !== 'joined') return false;
      toPage({ ...event, members: ['one', 'two', 'three'], members_count: 5 });
      return true;
    },
    request({ type, room, after, ref }, { toPage }) {
      if (type !== 'members') return false;
      count += 1;
      if (after === 'three') toPage({ type: 'error', code: 'no_such_nick', message: 'three is not here', ref });
      else toPage({ type: 'members', room, members: ['four', 'ana'], members_count: 4, more: false, ref });
      return true;
    },
  });
  const ana = await server.openPage({ nick: 'ana', proxy });
  const more = ana.page.locator('#people').getByRole('button', { name: '2 more' });
  await more.click();
  await ana.page.waitForFunction(() => document.querySelectorAll('#people .place').length === 5);
  assert.equal(count, 2);
});

test('rooms are listed page by page', async (t) => {
  const server = await TestServer.start(t);
  const clients = [];
  for (let number = 100; number < 250; number += 1) {
    if (number % 15 === 10) clients.push(await server.connect(`p${number}`, `room${number}`));
    else await clients.at(-1).join(`room${number}`);
  }
  const ana = await server.openPage({ nick: 'ana' });
  const note = ana.page.locator('#messages .note').last();
  await ana.say('/rooms');
  await note.getByText(/^#lobby \(1\), #room100 \(1\), .*#room198 \(1\)\n\/rooms room198$/su).waitFor();
  await ana.say('/rooms room198');
  await note.getByText(/^#room199 \(1\), .*#room249 \(1\)$/su).waitFor();
});
