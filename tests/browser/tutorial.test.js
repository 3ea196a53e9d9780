// The page of the tutorial, unchanged, takes part: it opens `localhost:12345`
// from a page on another port, and what it hears is the tutorial's, byte for
// byte.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';
import { within } from './support/server.js';
import { serveTutorial } from './support/tutorial.js';

test("the tutorial's own page chats with itself and with ours", async (t) => {
  const chat = await Chat.open(t);
  const tutorial = await serveTutorial();
  t.after(() => tutorial.stop());
  const browser = await startBrowser({ tutorialPort: chat.server.wsPort });
  t.after(() => browser.close());

  const lisper = await openTutorial(browser, tutorial.port);
  await lisper.say('(hello)');
  const [nick] = await lisper.hears(/^(user-\d{1,5}): \(hello\)$/u);
  assert.deepEqual(lisper.frames, [`${nick}: (hello)`]);

  const other = await openTutorial(browser, tutorial.port);
  await other.say('hello yourself');
  await lisper.hears(/^user-\d{1,5}: hello yourself$/u);

  const ana = await chat.visit(browser, { nick: 'ana' });
  await ana.say('Parentheses, how nice');
  await lisper.hears(/^(ana): Parentheses, how nice$/u);
  await lisper.say('(are (they not))');
  await ana.reads(nick, '(are (they not))');

  await ana.leave();
  await lisper.hears(/^ \.{4} (ana) has left\.$/u);
  const [otherNick] = await other.hears(/^(user-\d{1,5}): hello yourself$/u);
  await other.page.close();
  await lisper.hears(new RegExp(`^ \\.{4} (${otherNick}) has left\\.$`, 'u'));

  // What the page shows is what came over the wire.
  assert.deepEqual(await lisper.page.locator('#echo li').allTextContents(), lisper.frames);
  await lisper.page.close();
});

/** The tutorial's page in the browser, with the raw frames that it receives. */
async function openTutorial(browser, port) {
  const page = await browser.newPage();
  const frames = [];
  let waiting = () => {};
  const connected = page.waitForEvent('websocket');
  await page.goto(`http://localhost:${port}/`);
  const socket = await connected;
  assert.equal(socket.url(), 'ws://localhost:12345/');
  socket.on('framereceived', ({ payload }) => {
    frames.push(payload);
    waiting();
  });
  await page.waitForFunction(() => document.readyState === 'complete');
  return {
    page,
    frames,
    async say(text) {
      const input = page.locator('#input');
      await input.fill(text);
      // The page sends nothing before its socket is open, and then keeps the text.
      do await input.press('Enter');
      while ((await input.inputValue()) !== '');
    },
    /** Waits for a frame like `pattern`, and answers what its groups caught. */
    async hears(pattern) {
      const heard = new Promise((resolve) => {
        waiting = () => {
          const match = frames.map((frame) => pattern.exec(frame)).find(Boolean);
          if (match) resolve(match.slice(1));
        };
        waiting();
      });
      return within(10_000, heard, `no frame like ${pattern} in ${JSON.stringify(frames)}`);
    },
  };
}
