// A house with a chat in it, for one test: a server, people with the page, and
// people without. At the end everybody leaves, the server stops, and no page
// may have seen a fault: an error on the console, a violation of its own
// Content-Security-Policy, a dialog, or a request to another host.

import assert from 'node:assert/strict';

import { HOST, newContext, watch } from './browser.js';
import { Network } from './network.js';
import { enter } from './person.js';
import { startServer } from './server.js';

export class House {
  #people = [];
  #networks = [];

  /** A house whose server gets `args`, for as long as the test `t`. */
  static async open(t, { args = [] } = {}) {
    const house = new House();
    house.server = await startServer({ args });
    house.args = args;
    t.after(() => house.#end());
    return house;
  }

  /** A network of its own for somebody, which can be made to fail. */
  async network() {
    const network = await Network.to(this.server.pagePort);
    this.#networks.push(network);
    return network;
  }

  /**
   * Somebody opens the page in `browser`, as one with the nickname `nick`.
   * Those who have a `network` of their own may lose it. `at` is what stands
   * behind the host, and `script` runs in the page before its own.
   */
  async visit(browser, { nick, network, host = HOST, at = '/', script, clock, context: options = {} } = {}) {
    const origin = `http://${host}:${network?.port ?? this.server.pagePort}`;
    const context = await newContext(browser, origin, { nick, locale: 'en-GB', ...options });
    if (clock) await context.clock.install();
    if (script) await context.addInitScript(script);
    return this.tab(context, origin + at);
  }

  /** A tab with the page, in a browser context that is there already. */
  async tab(context, address) {
    const visitor = new Visitor(context, await context.newPage());
    this.#people.push(visitor);
    await visitor.arrive(address);
    return visitor;
  }

  /** Somebody comes without a browser. */
  async enter(nick, room) {
    const person = await enter(this.server.pagePort, { nick, room });
    this.#people.push(person);
    return person;
  }

  /** The server is gone without a goodbye, and comes back on its ports. */
  async restart() {
    const { pagePort, wsPort } = this.server;
    await this.server.kill();
    this.server = await startServer({ pagePort, wsPort, args: this.args });
  }

  async #end() {
    for (const person of this.#people) await person.leave();
    for (const network of this.#networks) await network.leave();
    assert.equal(await this.server.stop(), 0);
    assert.deepEqual(this.#people.flatMap((person) => person.faults ?? []), []);
  }
}

class Visitor {
  constructor(context, page) {
    this.context = context;
    this.page = page;
    this.input = page.locator('#text');
  }

  async arrive(address) {
    const { faults } = await watch(this.page, new URL(address).host, isForgiven);
    this.faults = faults;
    await this.page.goto(address);
    await this.is('connected');
  }

  /** Waits until the status line says `state`. */
  async is(state) {
    const status = this.page.locator(`#status[data-state="${state}"]`);
    await status.waitFor().catch((cause) => {
      throw new Error(`the page is not ${state}; its faults: ${JSON.stringify(this.faults)}`, { cause });
    });
  }

  async say(text) {
    await this.input.fill(text);
    await this.input.press('Enter');
  }

  /** Waits for the message `text`; our own must have come back. */
  async reads(text) {
    const isThere = (text) =>
      [...document.querySelectorAll('#messages .text')].some((message) => message.textContent === text);
    await this.page.waitForFunction(isThere, text).catch(async (cause) => {
      throw new Error(`${text} is not among ${JSON.stringify(await this.texts())}`, { cause });
    });
  }

  /** What was said, in order, without what is on its way. */
  texts() {
    return this.page.locator('#messages .text').allTextContents();
  }

  nickname() {
    return this.page.locator('#nickname').textContent();
  }

  /** Looks elsewhere, or at the page again, as far as the page can tell. */
  async look(isHidden) {
    await this.page.evaluate((isHidden) => {
      Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, isHidden);
  }

  /** Closes every tab. Once is enough, but twice does no harm. */
  async leave() {
    await this.context.close();
  }
}

/** Outages are what many of these tests are about. */
function isForgiven(message) {
  const isOutage = /WebSocket connection to '.*' failed|net::ERR_/u.test(message.text());
  // Where there is nothing to invite others to, the answer is 404.
  const isNoWayIn = new URL(message.location().url || 'about:blank').pathname === '/invite';
  return isOutage || isNoWayIn;
}
