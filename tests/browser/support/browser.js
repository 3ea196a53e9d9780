// Chromium, without access to any host but this machine.

import { after } from 'node:test';
import { chromium } from 'playwright-core';

/** The host in the address of the page. As on a LAN, it is not a secure context. */
export const HOST = 'chat.lan';

let started;

after(async () => {
  await (await started)?.close();
});

/** Returns the browser of this test file. Starts it for the first test. */
export function sharedBrowser() {
  return (started ??= startBrowser());
}

/** Starts a browser in which `localhost:12345` leads to `tutorialPort`. */
export function startBrowser({ tutorialPort } = {}) {
  const rules = [
    `MAP ${HOST} 127.0.0.1`,
    ...(tutorialPort ? [`MAP localhost:12345 127.0.0.1:${tutorialPort}`] : []),
    'MAP localhost 127.0.0.1',
    'EXCLUDE 127.0.0.1',
    'MAP * ~NOTFOUND',
  ];
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--host-resolver-rules=${rules.join(', ')}`,
    ],
  });
}
