// The search in the page.

const INDEXED_MAX_MS = 10_000;

/** Waits until the server finds this number of messages. It may take some tenths of a second. */
export async function waitUntilIndexed(client, query, count = 1) {
  const deadline = Date.now() + INDEXED_MAX_MS;
  for (;;) {
    const { messages } = await client.request('search', { query, limit: 100 });
    if (messages.length === count) return;
    if (Date.now() > deadline) throw new Error(`the server found ${messages.length} messages with ${query}, and not ${count}`);
  }
}

/** Types `words` into the box, and waits until the page says that it has found `count` messages. */
export async function search({ page }, words, count) {
  // The count of the search before is not the answer.
  await page.locator('#matches').evaluate((matches) => (matches.textContent = ''));
  await page.getByRole('searchbox', { name: 'Search' }).fill(words);
  await page.locator('#matches', { hasText: new RegExp(`: ${count.replace('+', '\\+')}$`, 'u') }).waitFor();
}

/** Returns the results as `ana #kitchen text`, with the words that are marked in brackets. */
export function results({ page }) {
  return page.locator('#results li').evaluateAll((all) =>
    all.map((result) => {
      const [author, place, excerpt] = result.querySelector('button').children;
      const parts = [...excerpt.children].map((it) => (it.localName === 'mark' ? `[${it.textContent}]` : it.textContent));
      return `${author.textContent} ${place.querySelector('bdi').textContent} ${parts.join('')}`;
    }),
  );
}

/** Follows the first result with `text`, and waits until that message has the focus. */
export async function jumpTo({ page }, text) {
  await page.locator('#results button', { hasText: text }).first().click();
  await page.locator('#messages li:focus', { hasText: text }).waitFor();
}
