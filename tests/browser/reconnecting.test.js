// When the page tries to come back, and when it says that it is away. Its clock
// is in our hands, so that nothing here depends on how fast the machine is.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { House } from './support/page.js';

const SILENCE_MAX_MS = 20_000;
const ANSWER_MAX_MS = 5_000;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

/** In the page: keeps account of every connection, and of what the status said. */
function keepAccount() {
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
    const note = () => window.states.push(status.dataset.state);
    new MutationObserver(note).observe(status, { attributeFilter: ['data-state'] });
  });
}

/** Somebody whose clock stands still from now on, behind a network of her own. */
async function visitWithClock(t) {
  const house = await House.open(t);
  const network = await house.network();
  const ana = await house.visit(browser, { nick: 'ana', network, clock: true, script: keepAccount });
  await ana.page.clock.pauseAt(Date.now() + 60_000);
  await ana.is('connected');
  // From here on her silence counts.
  await ana.say('here');
  await ana.reads('here');
  await ana.page.evaluate(() => {
    window.states.length = 0;
    window.attempts[0].pongs = 0;
  });
  return { house, network, ana, page: ana.page };
}

const states = (page) => page.evaluate(() => window.states);
const attempts = (page) => page.evaluate(() => window.attempts);
const always = (page, number) => page.evaluate((number) => (Math.random = () => number), number);
const closed = (page) => page.waitForFunction(() => window.attempts.at(-1).closedAt);

test('the page says that it is away after a second, and not before', async (t) => {
  const { network, ana, page } = await visitWithClock(t);
  await always(page, 0.99);
  network.break();
  await closed(page);
  await page.clock.runFor(999);
  assert.deepEqual(await states(page), []);
  await page.clock.runFor(1);
  assert.deepEqual(await states(page), ['disconnected']);
  await page.getByText('Disconnected. Trying again…').waitFor();

  network.mend();
  await page.clock.runFor(20_000);
  await ana.is('connected');
});

test('what is back within a second was never away', async (t) => {
  const { network, ana, page } = await visitWithClock(t);
  await always(page, 0);
  network.break();
  await closed(page);
  network.mend();
  await page.clock.runFor(1);
  await page.waitForFunction(() => window.states.length);
  await page.clock.runFor(5_000);
  await ana.say('marker');
  await ana.reads('marker');
  assert.deepEqual([...new Set(await states(page))], ['connected']);
  assert.equal((await attempts(page)).length, 2);
});

test('the page tries again after a random part of twice the time, up to ten seconds', async (t) => {
  const { network, ana, page } = await visitWithClock(t);
  const expected = { 0.5: [250, 500, 1000, 2000, 4000, 5000, 5000], 0.25: [2500], 0: [0] };
  const parts = Object.keys(expected).sort().reverse().flatMap((part) => expected[part].map(() => Number(part)));
  await page.evaluate((parts) => (Math.random = () => parts.shift() ?? 0), parts);
  network.break();
  for (const _ of parts) {
    await closed(page);
    await page.clock.runFor(10_000);
  }
  const all = await attempts(page);
  const pauses = all.slice(1).map(({ at }, index) => at - all[index].closedAt);
  assert.deepEqual(pauses, [...expected[0.5], ...expected[0.25], ...expected[0]]);

  network.mend();
  await closed(page);
  await page.clock.runFor(10_000);
  await ana.is('connected');
});

test('the page comes back at once when it is looked at, shown again or online', async (t) => {
  const { network, ana, page } = await visitWithClock(t);
  const signs = {
    async visibilitychange() {
      await ana.look(true);
      assert.equal((await attempts(page)).length, 1, 'nobody looks');
      await ana.look(false);
    },
    pageshow: () => page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))),
    async online() {
      await ana.context.setOffline(true);
      await ana.context.setOffline(false);
    },
  };
  for (const [sign, give] of Object.entries(signs)) {
    network.break();
    await closed(page);
    network.mend();
    // The clock stands: no pause can end.
    await give();
    await ana.say(`back on ${sign}`);
    await ana.reads(`back on ${sign}`);
  }
  assert.equal((await attempts(page)).length, 4);
});

test('a heartbeat finds the connection that died without a sign', async (t) => {
  const { house, network, ana, page } = await visitWithClock(t);
  const bo = await house.enter('bo');
  await page.getByText(/bo\u2069 joined/u).waitFor();
  await always(page, 0);
  network.silence();
  bo.say('into the silence');
  await bo.reads('into the silence');

  await page.clock.runFor(SILENCE_MAX_MS + ANSWER_MAX_MS - 1);
  assert.equal((await attempts(page)).length, 1);
  await page.clock.runFor(2);
  await ana.reads('into the silence');
  assert.equal((await attempts(page)).length, 2);
  assert.deepEqual(await ana.texts(), ['here', 'into the silence']);
});

test('a connection that is silent but alive is kept', async (t) => {
  const { ana, page } = await visitWithClock(t);
  for (const round of [1, 2, 3]) {
    await page.clock.runFor(SILENCE_MAX_MS);
    await page.waitForFunction((round) => window.attempts[0].pongs === round, round);
  }
  await page.clock.runFor(SILENCE_MAX_MS - 1);
  await ana.say('marker');
  await ana.reads('marker');
  assert.equal((await attempts(page)).length, 1);
});
