// Ten thousand messages, and fifty a second more, under the eyes of one reader.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { House } from './support/page.js';
import { within } from './support/server.js';

const MESSAGES = 10_000;
const BATCH = 250;
const EVERY_MS = 20;
const READ_MAX_MS = 60_000;
const TASK_MAX_MS = 100;
const ENTRIES_MAX = 320;
const MOVED_MAX = 1;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

test('the page stays smooth while somebody reads back through all that was said', async (t) => {
  const house = await House.open(t, { args: ['--history-lines', String(2 * MESSAGES)] });
  const bo = await house.enter('bo');
  for (let said = 0; said < MESSAGES; said += BATCH) {
    for (let index = said; index < said + BATCH; index += 1) bo.say(`old ${index}: ${'a word '.repeat(index % 20)}`);
    await bo.reads(`old ${said + BATCH - 1}: ${'a word '.repeat((said + BATCH - 1) % 20)}`);
    bo.events.length = 0;
  }
  const ana = await house.visit(browser, { nick: 'ana' });
  await ana.reads(`old ${MESSAGES - 1}: ${'a word '.repeat((MESSAGES - 1) % 20)}`);

  let count = 0;
  const talk = setInterval(() => bo.say(`new ${(count += 1)}`), EVERY_MS);
  await browser.startTracing(ana.page, { categories: ['toplevel'] });
  let figures;
  try {
    figures = await within(READ_MAX_MS, ana.page.evaluate(readBack, MOVED_MAX), 'she did not come to the beginning');
  } finally {
    clearInterval(talk);
  }
  const busiest = busiestTask(JSON.parse(await browser.stopTracing()));
  t.diagnostic(`${JSON.stringify(figures)}; ${count} messages came meanwhile; ${busiest} ms of computing in one task`);
  assert.ok(count > 100, `only ${count} messages came meanwhile`);
  assert.ok(figures.entries <= ENTRIES_MAX, `${figures.entries} entries`);
  assert.deepEqual(figures.moved, []);
  assert.ok(busiest <= TASK_MAX_MS, `a task took ${busiest} ms`);

  bo.say('the end');
  await bo.reads('the end');
  await ana.page.locator('#newer').click();
  await ana.reads('the end');
});

/**
 * The milliseconds that the page computed in its longest task. On the clock, as
 * `longtask` has it, a task is longer while the machine does something else.
 */
function busiestTask({ traceEvents }) {
  const threads = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
  const isMain = ({ pid, tid }) => threads.some((thread) => thread.pid === pid && thread.tid === tid);
  const tasks = traceEvents.filter((event) => event.name.endsWith('RunTask') && event.tdur && isMain(event));
  assert.ok(tasks.length > 1000, `only ${tasks.length} tasks were seen`);
  return tasks.reduce((most, { tdur }) => Math.max(most, tdur / 1000), 0);
}

/** In the page: scrolls to the very first message, and keeps account on the way. */
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
    // Now the eye is on this one; wherever it is, there it stays.
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
