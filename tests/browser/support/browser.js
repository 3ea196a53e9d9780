// A browser, and people who look at the chat page with it. Each visitor has a
// profile of their own, and notices whatever a good page never does: errors on
// the console, violations of its own Content-Security-Policy, dialogs, and
// requests to another host.

import { chromium } from 'playwright-core';

import { Visitor } from './visitor.js';

const WAIT_MAX_MS = 15_000;

/** The name under which the page is opened: as on a LAN, not a secure context. */
export const HOST = 'chat.lan';

/**
 * Starts Chromium with a fresh profile, in a world that consists of this
 * machine. `tutorialPort` is where `localhost:12345` leads.
 */
export async function startBrowser({ tutorialPort } = {}) {
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

/**
 * Opens the chat page on `port`, and waits until it is connected. `nick` is the
 * nickname that the browser remembers; for the rest see `openPage`.
 */
export async function visit(browser, port, { nick, context: options, ...more } = {}) {
  const origin = `http://${HOST}:${port}`;
  return openPage(await newContext(browser, origin, { nick, ...options }), origin, more);
}

/** A profile that remembers the nickname `nick`, with more options of playwright's. */
export async function newContext(browser, origin, { nick, ...options }) {
  const localStorage = [{ name: 'chinwag.nickname', value: JSON.stringify(nick) }];
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    storageState: nick && { origins: [{ origin, localStorage }] },
    ...options,
  });
  context.setDefaultTimeout(WAIT_MAX_MS);
  return context;
}

/**
 * Opens one more tab. `path` is the address after the host; `script` runs in the
 * page before its own; `prepare(page)` comes before all; `outage` allows for a
 * server that is away.
 */
export async function openPage(context, origin, { path = '/', script, prepare, outage = false } = {}) {
  const page = await context.newPage();
  await prepare?.(page);
  if (script) await page.addInitScript(script);
  const isOutage = (message) => /WebSocket connection to '.*' failed|net::ERR_|status of 503/u.test(message.text());
  const { faults, sent } = await watch(page, new URL(origin).host, (message) => outage && isOutage(message));
  const response = await page.goto(origin + path);
  const visitor = new Visitor({ page, faults, sent, policy: response.headers()['content-security-policy'] });
  await visitor.sees('connected');
  return visitor;
}

/** Collects the `faults` of a page, but what `isForgiven`, and every frame that it `sent`. */
export async function watch(page, host, isForgiven) {
  const faults = [];
  const sent = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !isForgiven(message)) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  const check = (url) => {
    if (new URL(url).host !== host) faults.push(`request to ${url}`);
  };
  page.on('request', (request) => check(request.url()));
  page.on('websocket', (socket) => {
    check(socket.url());
    socket.on('framesent', ({ payload }) => sent.push(payload));
  });
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`);
    });
  });
  return { faults, sent };
}
