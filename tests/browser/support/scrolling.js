// Where a reader is in the timeline, and how to get elsewhere.

import { within } from './server.js';

const OLDER_MAX_MS = 10_000;

/** How far it is to the end, once what has just come in is drawn. */
export function distanceToEnd(visitor) {
  return visitor.page.locator('#timeline').evaluate(async (timeline) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    await frame(await frame());
    return Math.round(timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight);
  });
}

/** Scrolls to this part of the height, and waits until the page has noticed. */
export function scrollTo(visitor, part) {
  return visitor.page.locator('#timeline').evaluate(
    (timeline, part) =>
      new Promise((resolve) => {
        timeline.addEventListener('scroll', () => requestAnimationFrame(resolve), { once: true });
        timeline.scrollTop = Math.floor((timeline.scrollHeight - timeline.clientHeight) * part);
      }),
    part,
  );
}

/** How far below the upper edge of the timeline a text stands. */
export function placeOf(visitor, text) {
  return visitor.page
    .locator('#messages')
    .getByText(text, { exact: true })
    .evaluate((node) => node.getBoundingClientRect().top);
}

/** The text of the message in the middle of what is seen. */
export function inTheMiddle(visitor) {
  return visitor.page.locator('#timeline').evaluate((timeline) => {
    const { top, height } = timeline.getBoundingClientRect();
    const middle = top + height / 2;
    const texts = [...timeline.querySelectorAll('.text')];
    return texts.find((text) => text.getBoundingClientRect().bottom > middle).textContent;
  });
}

/** How many entries there are. */
export function nodes(visitor) {
  return visitor.page.locator('#messages > li').count();
}

/**
 * Goes up to the first message that is drawn, and waits for older ones. Answers
 * by how many pixels it has moved, and the first text that is drawn then.
 */
export function readBack(visitor) {
  const older = visitor.page.locator('#timeline').evaluate(async (timeline) => {
    const texts = () => [...timeline.querySelectorAll('#messages .text')];
    const place = (text) => text.getBoundingClientRect().top;
    const { textContent } = texts()[0];
    timeline.scrollTop = 1;
    const before = place(texts()[0]);
    while (texts()[0].textContent === textContent) {
      await new Promise((resolve) => new MutationObserver(resolve).observe(timeline, { childList: true, subtree: true }));
    }
    const same = texts().find((text) => text.textContent === textContent);
    return { moved: Math.round(place(same) - before), oldest: texts()[0].textContent };
  });
  return within(OLDER_MAX_MS, older, 'nothing older came');
}
