// The scroll position of the timeline.

import { within } from './within.js';

const OLDER_MAX_MS = 10_000;

/** Returns the number of pixels to the end, when all changes are drawn. */
export async function distanceToEnd(user) {
  await user.waitForDrawing();
  return user.page
    .locator('#timeline')
    .evaluate(({ scrollHeight, scrollTop, clientHeight }) => Math.round(scrollHeight - scrollTop - clientHeight));
}

/** Scrolls to this part of the height, from 0 to 1, and waits until the page has handled that. */
export function scrollTo({ page }, part) {
  return page.locator('#timeline').evaluate(
    (timeline, part) =>
      new Promise((resolve) => {
        timeline.addEventListener('scroll', () => requestAnimationFrame(resolve), { once: true });
        timeline.scrollTop = Math.floor((timeline.scrollHeight - timeline.clientHeight) * part);
      }),
    part,
  );
}

/** Returns the vertical position of a text, in pixels. */
export function positionOf({ page }, text) {
  return page
    .locator('#messages')
    .getByText(text, { exact: true })
    .evaluate((node) => node.getBoundingClientRect().top);
}

/** Returns the text of the message in the middle of the view. */
export function textInMiddle({ page }) {
  return page.locator('#timeline').evaluate((timeline) => {
    const { top, height } = timeline.getBoundingClientRect();
    const middle = top + height / 2;
    const texts = [...timeline.querySelectorAll('.text')];
    return texts.find((text) => text.getBoundingClientRect().bottom > middle).textContent;
  });
}

/** Returns the number of entries that are drawn. */
export function countEntries({ page }) {
  return page.locator('#messages > li').count();
}

/**
 * Scrolls up to the first message, and waits until older ones are loaded. Returns
 * by how many pixels that message has moved, and the text of the oldest.
 */
export function loadOlder({ page }) {
  const older = page.locator('#timeline').evaluate(async (timeline) => {
    const texts = () => [...timeline.querySelectorAll('#messages .text')];
    const position = (text) => text.getBoundingClientRect().top;
    const { textContent } = texts()[0];
    timeline.scrollTop = 1;
    const before = position(texts()[0]);
    while (texts()[0].textContent === textContent) {
      await new Promise((resolve) => new MutationObserver(resolve).observe(timeline, { childList: true, subtree: true }));
    }
    const same = texts().find((text) => text.textContent === textContent);
    return { moved: Math.round(position(same) - before), oldest: texts()[0].textContent };
  });
  return within(OLDER_MAX_MS, older, 'no older messages were loaded');
}
