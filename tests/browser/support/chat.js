// One evening of chat: a server, and the people who come to it. Each test has
// its own, so that no name of an earlier one is still taken. At the end
// everybody leaves, the server stops, and nobody may have seen a fault.

import assert from 'node:assert/strict';

import { openPage, visit } from './browser.js';
import { Member } from './member.js';
import { Network } from './network.js';
import { startServer } from './server.js';

export class Chat {
  #people = [];

  /** Starts a server, with more `args`, that lives as long as the test `t`. */
  static async open(t, ...args) {
    const chat = new Chat();
    chat.server = await startServer({ args });
    t.after(() => chat.#end());
    return chat;
  }

  /** Somebody opens the page in `browser`; for the options see `visit`. */
  async visit(browser, { port = this.server.pagePort, ...options } = {}) {
    return this.#welcome(await visit(browser, port, options));
  }

  /** The same person opens another tab; for the options see `openPage`. */
  async openTab(visitor, options) {
    const { origin } = new URL(visitor.page.url());
    return this.#welcome(await openPage(visitor.page.context(), origin, options));
  }

  /** Somebody comes without a browser. */
  async join(nick, room) {
    return this.#welcome(await Member.join(nick, this.server.wsPort, room));
  }

  /** A network that can be broken: visit its `port`. */
  async network() {
    return this.#welcome(await Network.to(this.server.pagePort));
  }

  /** The server, gone by now, comes back on its ports. */
  async restart() {
    const { pagePort, wsPort } = this.server;
    this.server = await startServer({ pagePort, wsPort });
  }

  #welcome(person) {
    this.#people.push(person);
    return person;
  }

  async #end() {
    for (const person of this.#people) await person.leave();
    assert.equal(await this.server.stop(), 0);
    assert.deepEqual(this.#people.flatMap((person) => person.faults ?? []), []);
  }
}
