// The times at which the page reconnects and shows that it is disconnected. The
// tests control its clock, so that the speed of the machine does not matter.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

const SILENCE_MAX_MS = 20_000;
const ANSWER_MAX_MS = 5_000;

/** In the page: records all connections, and all states that the status has shown. */
function record() {
  window.attempts = [];
  window.states = [];
  window.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      const attempt = { at: performance.now(), pongs: 0 };
      window.attempts.push(attempt);
      this.addEventListener('message', ({ data }) => (attempt.pongs += data === '{"type":"pong"}'));
      this.addEventListener('close', () => (attempt.closedAt = performance.now()));
    }
  };
  addEventListener('DOMContentLoaded', () => {
    const status = document.querySelector('#status');
    new MutationObserver(() => window.states.push(status.dataset.state)).observe(status, { attributeFilter: ['data-state'] });
  });
}

/** Opens a page behind a network, and stops its clock. */
async function openWithClock(t) {
  const server = await TestServer.start(t);
  const network = await server.network();
  const ana = await server.openPage({ nick: 'ana', network, prepare: (page) => page.clock.install(), script: record });
  await ana.page.clock.pauseAt(Date.now() + 60_000);
  await ana.waitForState('connected');
  // The time without messages starts here.
  await ana.say('here');
  await ana.waitForMessage('here');
  await ana.page.evaluate(() => {
    window.states.length = 0;
    window.attempts[0].pongs = 0;
  });
  return { server, network, ana, page: ana.page };
}

const states = (page) => page.evaluate(() => window.states);
const attempts = (page) => page.evaluate(() => window.attempts);
const setRandom = (page, number) => page.evaluate((number) => (Math.random = () => number), number);
const waitForClose = (page) => page.waitForFunction(() => window.attempts.at(-1).closedAt);

test('the status says disconnected after one second, and not before', async (t) => {
  const { network, ana, page } = await openWithClock(t);
  await setRandom(page, 0.99);
  network.break();
  await waitForClose(page);
  await page.clock.runFor(999);
  assert.deepEqual(await states(page), []);
  await page.clock.runFor(1);
  assert.deepEqual(await states(page), ['disconnected']);
  await page.getByText('Disconnected. Trying again…').waitFor();

  network.repair();
  await page.clock.runFor(20_000);
  await ana.waitForState('connected');
});

test('a connection that is back within a second is never shown as disconnected', async (t) => {
  const { network, ana, page } = await openWithClock(t);
  await setRandom(page, 0);
  network.break();
  await waitForClose(page);
  network.repair();
  await page.clock.runFor(1);
  await page.waitForFunction(() => window.states.length);
  await page.clock.runFor(5_000);
  await ana.say('marker');
  await ana.waitForMessage('marker');
  assert.deepEqual([...new Set(await states(page))], ['connected']);
  assert.equal((await attempts(page)).length, 2);
});

test('pauses between attempts are random, and their limit doubles up to ten seconds', async (t) => {
  const { network, ana, page } = await openWithClock(t);
  const expected = { 0.5: [250, 500, 1000, 2000, 4000, 5000, 5000], 0.25: [2500], 0: [0] };
  const parts = Object.keys(expected).sort().reverse().flatMap((part) => expected[part].map(() => Number(part)));
  await page.evaluate((parts) => (Math.random = () => parts.shift() ?? 0), parts);
  network.break();
  for (const _ of parts) {
    await waitForClose(page);
    await page.clock.runFor(10_000);
  }
  // The last step may have time for more attempts than one.
  const all = (await attempts(page)).slice(0, parts.length + 1);
  const pauses = all.slice(1).map(({ at }, index) => at - all[index].closedAt);
  assert.deepEqual(pauses, [...expected[0.5], ...expected[0.25], ...expected[0]]);

  network.repair();
  await waitForClose(page);
  await page.clock.runFor(10_000);
  await ana.waitForState('connected');
});

test('the page reconnects at once when it is visible, shown from the cache, or online', async (t) => {
  const { network, ana, page } = await openWithClock(t);
  const events = {
    async visibilitychange() {
      await ana.setHidden(true);
      assert.equal((await attempts(page)).length, 1, 'the page is hidden');
      await ana.setHidden(false);
    },
    pageshow: () => page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))),
    async online() {
      await page.context().setOffline(true);
      await page.context().setOffline(false);
    },
  };
  for (const [event, dispatch] of Object.entries(events)) {
    network.break();
    await waitForClose(page);
    network.repair();
    // While the clock is stopped, no pause can end.
    await dispatch();
    await ana.say(`back on ${event}`);
    await ana.waitForMessage(`back on ${event}`);
  }
  assert.equal((await attempts(page)).length, 4);
});

test('a heartbeat finds a connection that is dead but not closed', async (t) => {
  const { server, network, ana, page } = await openWithClock(t);
  const bo = await server.connect('bo');
  await page.getByText(/bo\u2069 joined/u).waitFor();
  await setRandom(page, 0);
  network.dropAllData();
  await bo.say('not received');

  await page.clock.runFor(SILENCE_MAX_MS + ANSWER_MAX_MS - 1);
  assert.equal((await attempts(page)).length, 1);
  await page.clock.runFor(2);
  await ana.waitForMessage('not received');
  assert.equal((await attempts(page)).length, 2);
  assert.deepEqual(await ana.texts(), ['here', 'not received']);
});

test('an idle connection that answers heartbeats is kept', async (t) => {
  const { ana, page } = await openWithClock(t);
  for (const round of [1, 2, 3]) {
    await page.clock.runFor(SILENCE_MAX_MS);
    await page.waitForFunction((round) => window.attempts[0].pongs === round, round);
  }
  await page.clock.runFor(SILENCE_MAX_MS - 1);
  await ana.say('marker');
  await ana.waitForMessage('marker');
  assert.equal((await attempts(page)).length, 1);
});
