// A server that keeps what is said, and somebody who searches it in the page.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Arguments for a server with a history in a file, for as long as the test `t`. */
export async function withHistory(t) {
  const folder = await mkdtemp(join(tmpdir(), 'chinwag-'));
  t.after(() => rm(folder, { recursive: true }));
  return ['--history', join(folder, 'history.db')];
}

/** Waits until the server finds so many messages: it may take some tenths of a second. */
export async function isFound(member, query, count = 1) {
  for (;;) {
    const { messages } = await member.ask('search', 'results', { query, limit: 100 });
    if (messages.length === count) return;
  }
}

/** Types `words` into the box, and waits until the page says how many it has found. */
export async function search({ page }, words, count) {
  // What it said before counts no longer.
  await page.locator('#matches').evaluate((matches) => (matches.textContent = ''));
  await page.getByRole('searchbox', { name: 'Search' }).fill(words);
  await page.locator('#matches', { hasText: new RegExp(`: ${count.replace('+', '\\+')}$`, 'u') }).waitFor();
}

/** What is found, as `ana #kitchen text`; the words that are marked stand in brackets. */
export function results({ page }) {
  return page.locator('#results li').evaluateAll((all) =>
    all.map((result) => {
      const [author, place, excerpt] = result.querySelector('button').children;
      const parts = [...excerpt.children].map((it) => (it.localName === 'mark' ? `[${it.textContent}]` : it.textContent));
      return `${author.textContent} ${place.querySelector('bdi').textContent} ${parts.join('')}`;
    }),
  );
}

/** Leads to the message that says `text`, and waits until it is there. */
export async function jumpTo({ page }, text) {
  await page.locator('#results button', { hasText: text }).first().click();
  await page.locator('#messages li:focus', { hasText: text }).waitFor();
}
