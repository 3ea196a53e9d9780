// A browser, and people who look at the chat page with it. Each visitor has a
// profile of their own, and notices whatever a good page never does: errors on
// the console, violations of its own Content-Security-Policy, dialogs, and
// requests to another host.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

import { within } from './server.js';

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
 * nickname that the browser remembers; `script` runs in the page before its
 * own; `outage` allows for a server that is away.
 */
export async function visit(browser, port, { nick, script, context: options = {}, outage = false } = {}) {
  const origin = `http://${HOST}:${port}`;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    storageState: nick && { origins: [{ origin, localStorage: [{ name: 'chinwag.nickname', value: nick }] }] },
    ...options,
  });
  context.setDefaultTimeout(WAIT_MAX_MS);
  const page = await context.newPage();
  if (script) await page.addInitScript(script);
  const { faults, sent } = await watch(page, `${HOST}:${port}`, { outage });
  const response = await page.goto(`${origin}/`);
  const visitor = new Visitor({ context, page, faults, sent, policy: response.headers()['content-security-policy'] });
  await visitor.sees('connected');
  return visitor;
}

class Visitor {
  constructor({ context, page, faults, sent, policy }) {
    this.context = context;
    this.page = page;
    this.faults = faults;
    this.sent = sent;
    this.policy = policy;
    this.input = page.locator('#text');
  }

  async say(text) {
    await this.input.fill(text);
    await this.input.press('Enter');
  }

  /** Changes the nickname in place, and waits for the new connection. */
  async rename(nick) {
    const connected = this.page.waitForEvent('websocket');
    await this.page.locator('#me').click();
    await this.page.locator('#wish').fill(nick);
    await this.page.locator('#wish').press('Enter');
    await connected;
    await this.sees('connected');
  }

  nickname() {
    return this.page.locator('#nickname').textContent();
  }

  /** Waits until the status line says `state`. */
  async sees(state) {
    await this.page
      .locator(`#status[data-state="${state}"]`)
      .waitFor()
      .catch((cause) => {
        throw new Error(`the page is not ${state}; its faults: ${JSON.stringify(this.faults)}`, { cause });
      });
  }

  /** Waits for a message of `nick` that says `text`. */
  async reads(nick, text) {
    await this.#waitFor((message) => message.nick === nick && message.text === text, `${nick}: ${text}`);
  }

  /** Waits until our own message has come back. */
  async readsOwn(text) {
    await this.#waitFor((message) => message.own && message.text === text && message.state === '', `own ${text}`);
  }

  async readsNotice(text) {
    await this.#waitFor((message) => message.notice === text, text);
  }

  /** Everything in the timeline, in order. */
  async timeline() {
    return (await this.#look()).timeline;
  }

  /** The texts of the messages alone. */
  async texts() {
    return (await this.timeline()).filter((item) => !item.notice).map((item) => item.text);
  }

  /** Closes the window. Once is enough, but twice does no harm. */
  async leave() {
    await this.context.close();
  }

  // Looks, and looks again whenever the list has changed since.
  async #waitFor(matches, wanted) {
    const deadline = Date.now() + WAIT_MAX_MS;
    for (;;) {
      const { timeline, markup } = await this.#look();
      if (timeline.some(matches)) return;
      const complaint = `not in the timeline: ${wanted}\n${JSON.stringify(timeline, null, 1)}\n`;
      await within(deadline - Date.now(), this.#changeSince(markup), complaint);
    }
  }

  #look() {
    return this.page.evaluate(() => {
      const list = document.querySelector('#messages');
      const timeline = [...list.children].map((item) =>
        item.classList.contains('notice')
          ? { notice: item.textContent }
          : {
              nick: item.querySelector('.author').textContent,
              text: item.querySelector('.text').textContent,
              own: item.classList.contains('own'),
              state: ['pending', 'doubtful'].find((name) => item.classList.contains(name)) ?? '',
            },
      );
      return { timeline, markup: list.innerHTML };
    });
  }

  #changeSince(markup) {
    return this.page.evaluate(
      (markup) =>
        new Promise((resolve) => {
          const list = document.querySelector('#messages');
          if (list.innerHTML !== markup) return resolve();
          const changes = { childList: true, subtree: true, attributes: true, characterData: true };
          new MutationObserver(() => resolve()).observe(list, changes);
        }),
      markup,
    );
  }
}

/** Collects the `faults` of a page, and every frame that it `sent`. */
async function watch(page, host, { outage }) {
  const faults = [];
  const sent = [];
  page.on('console', (message) => {
    const unanswered = /WebSocket connection to '.*' failed|net::ERR_CONNECTION_/u.test(message.text());
    if (message.type() === 'error' && !(outage && unanswered)) faults.push(message.text());
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
