// The unchanged page of the Lisp tutorial with which this chat began works with
// the server. It is served from a port of its own, and connects to
// `localhost:12345`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { TestServer } from './support/server.js';
import { within } from './support/within.js';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <link rel="icon" href="data:,">
    <title>Chat in Lisp</title>
  </head>
  <body>
    <ul id="echo"></ul>
    <div><input id="input" placeholder="say something"></div>
    <script>
      window.onload = function () {
        var echo = document.getElementById('echo');
        var input = document.getElementById('input');
        var socket = new WebSocket('ws://localhost:12345/');

        socket.addEventListener('message', function (event) {
          var item = document.createElement('li');
          item.textContent = event.data;
          echo.appendChild(item);
        });

        input.addEventListener('keyup', function (event) {
          if (event.key !== 'Enter') return;
          socket.send(input.value);
          input.value = '';
        });
      };
    </script>
  </body>
</html>
`;

test('the page of the tutorial chats with itself and with ours', async (t) => {
  const server = await TestServer.start(t);
  const tutorial = await serveTutorial();
  t.after(() => tutorial.stop());
  const browser = await startBrowser({ tutorialPort: server.wsPort });
  t.after(() => browser.close());

  const lisper = await openTutorial(browser, tutorial.port);
  await lisper.say('(hello)');
  const [nick] = await lisper.waitFor(/^(user-\d{1,5}): \(hello\)$/u);
  assert.deepEqual(lisper.frames, [`${nick}: (hello)`]);

  const other = await openTutorial(browser, tutorial.port);
  await other.say('hello yourself');
  await lisper.waitFor(/^user-\d{1,5}: hello yourself$/u);

  const ana = await server.openPage({ browser, nick: 'ana' });
  await ana.say('Parentheses, how nice');
  await lisper.waitFor(/^(ana): Parentheses, how nice$/u);
  await lisper.say('(are (they not))');
  await ana.waitForMessage('(are (they not))', nick);

  await ana.close();
  await lisper.waitFor(/^ \.{4} (ana) has left\.$/u);
  const [otherNick] = await other.waitFor(/^(user-\d{1,5}): hello yourself$/u);
  await other.page.close();
  await lisper.waitFor(new RegExp(`^ \\.{4} (${otherNick}) has left\\.$`, 'u'));

  // The page shows exactly the frames.
  assert.deepEqual(await lisper.page.locator('#echo li').allTextContents(), lisper.frames);
  await lisper.page.close();
});

/** Opens the page of the tutorial. `frames` are those that it has received. */
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
      // The page keeps the text while its socket is not open.
      do await input.press('Enter');
      while ((await input.inputValue()) !== '');
    },
    /** Waits for a frame that matches `pattern`. Returns the groups of the match. */
    async waitFor(pattern) {
      const matched = new Promise((resolve) => {
        waiting = () => {
          const match = frames.map((frame) => pattern.exec(frame)).find(Boolean);
          if (match) resolve(match.slice(1));
        };
        waiting();
      });
      return within(10_000, matched, `no frame matches ${pattern} in ${JSON.stringify(frames)}`);
    },
  };
}

/** Serves the page of the tutorial on a free port of loopback. */
async function serveTutorial() {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
    response.end(PAGE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
