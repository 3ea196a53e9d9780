// Ten thousand messages, and fifty more a second, in one page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sharedBrowser } from './support/browser.js';
import { TestServer } from './support/server.js';
import { within } from './support/within.js';

const MESSAGES = 10_000;
const BATCH = 250;
const EVERY_MS = 20;
const READ_MAX_MS = 60_000;
const TASK_MAX_MS = 100;
const ENTRIES_MAX = 320;
const MOVED_MAX = 1;

test('the page stays responsive while a user scrolls through the whole history', async (t) => {
  const server = await TestServer.start(t, { args: ['--history-lines', String(2 * MESSAGES)] });
  const bo = await server.connect('bo');
  const old = Array.from({ length: MESSAGES }, (_, index) => `old ${index}: ${'a word '.repeat(index % 20)}`);
  for (let start = 0; start < MESSAGES; start += BATCH) await bo.sayAll(old.slice(start, start + BATCH));
  const ana = await server.openPage({ nick: 'ana' });
  await ana.waitForMessage(old.at(-1));

  let count = 0;
  const sender = setInterval(() => {
    count += 1;
    bo.send({ type: 'say', room: 'lobby', text: `new ${count}`, id: `new-${count}` });
  }, EVERY_MS);
  const browser = await sharedBrowser();
  await browser.startTracing(ana.page, { categories: ['toplevel'] });
  let figures;
  try {
    figures = await within(READ_MAX_MS, ana.page.evaluate(readBack, MOVED_MAX), 'the page did not reach the first message');
  } finally {
    clearInterval(sender);
  }
  const busiest = busiestTask(JSON.parse(await browser.stopTracing()));
  t.diagnostic(`${JSON.stringify(figures)}; ${count} new messages; the longest task computed for ${busiest} ms`);
  assert.ok(count > 100, `only ${count} new messages`);
  assert.ok(figures.entries <= ENTRIES_MAX, `${figures.entries} entries`);
  assert.deepEqual(figures.moved, []);
  assert.ok(busiest <= TASK_MAX_MS, `a task took ${busiest} ms`);

  await bo.say('the end');
  await ana.page.locator('#newer').click();
  await ana.waitForMessage('the end');
});

/**
 * Returns the milliseconds of CPU time of the longest task. The wall clock time in
 * `longtask` includes the time of other processes.
 */
function busiestTask({ traceEvents }) {
  const threads = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
  const isMain = ({ pid, tid }) => threads.some((thread) => thread.pid === pid && thread.tid === tid);
  const tasks = traceEvents.filter((event) => event.name.endsWith('RunTask') && event.tdur && isMain(event));
  assert.ok(tasks.length > 1000, `only ${tasks.length} tasks`);
  return tasks.reduce((most, { tdur }) => Math.max(most, tdur / 1000), 0);
}

/** In the page: scrolls to the first message, and measures on the way. */
async function readBack(movedMax) {
  const timeline = document.querySelector('#timeline');
  const messages = document.querySelector('#messages');
  const started = performance.now();
  const figures = { steps: 0, entries: 0, longest: 0, tasks: 0, moved: [] };
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      figures.tasks += 1;
      figures.longest = Math.max(figures.longest, duration);
    }
  });
  observer.observe({ type: 'longtask' });
  const frame = () => new Promise(requestAnimationFrame);
  const bubbles = () => [...messages.querySelectorAll('.bubble')];

  while (!messages.textContent.includes('old 0:') || timeline.scrollTop > 0) {
    timeline.scrollTop -= 1500;
    // The first message in view must not move.
    const top = timeline.getBoundingClientRect().top;
    const seen = bubbles().find((it) => it.getBoundingClientRect().top >= top);
    const [text, before] = [seen.textContent, seen.getBoundingClientRect().top];
    await frame();
    await frame();
    const now = bubbles().find((it) => it.textContent === text)?.getBoundingClientRect().top;
    if (!(Math.abs(now - before) <= movedMax)) figures.moved.push(`${text.slice(0, 9)} from ${before} to ${now}`);
    figures.entries = Math.max(figures.entries, messages.children.length);
    figures.steps += 1;
  }
  await frame();
  observer.disconnect();
  figures.ms = Math.round(performance.now() - started);
  return figures;
}
