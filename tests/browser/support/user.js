// A user at the page in Chromium.

import { within } from './within.js';

const WAIT_MAX_MS = 15_000;
// A server that is full responds with status 503.
const OUTAGE = /WebSocket connection to '.*' failed|net::ERR_|status of 503/u;

/** For `context`: a phone of modest size, without a keyboard. */
export const PHONE = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

/** For `script`: the page reconnects without a pause. */
export const NO_PAUSES = () => (Math.random = () => 0);

export class PageUser {
  /**
   * Errors on the console, violations of the page's own Content-Security-Policy,
   * dialogs, and requests to another host. All tabs of a user share the list.
   */
  faults;
  #options;
  #sent = [];

  /**
   * Opens the page with a browser profile of its own, and waits until it is
   * connected.
   *
   * - `nick`: the nickname that the browser remembers
   * - `context`: options of the browser context (see Playwright)
   * - `path`: the address after the host
   * - `script`: runs in the page before its own scripts
   * - `prepare(page)`: runs before the page is loaded
   * - `proxy`: a `MessageProxy`
   * - `outage`: errors of the network are not a fault
   * - `isExpected(message)`: true for any other message on the console that is not a fault
   */
  static async open(browser, origin, { nick, context: options, ...tab } = {}) {
    const localStorage = [{ name: 'chinwag.nickname', value: JSON.stringify(nick) }];
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      storageState: nick && { origins: [{ origin, localStorage }] },
      ...options,
    });
    context.setDefaultTimeout(WAIT_MAX_MS);
    return PageUser.#open(context, origin, tab, []);
  }

  static async #open(context, origin, options, faults) {
    const { path = '/', script, prepare, proxy } = options;
    const user = new PageUser();
    user.page = await context.newPage();
    user.input = user.page.locator('#text');
    user.faults = faults;
    user.#options = options;
    await prepare?.(user.page);
    await proxy?.install(user.page);
    if (script) await user.page.addInitScript(script);
    await user.#watch(new URL(origin).host);
    await user.page.goto(origin + path);
    await user.waitForState('connected');
    return user;
  }

  /** Opens the page once more, in another tab of the same browser. */
  openTab() {
    const { outage, isExpected } = this.#options;
    return PageUser.#open(this.page.context(), new URL(this.page.url()).origin, { outage, isExpected }, this.faults);
  }

  async reload() {
    await this.page.reload();
    await this.waitForState('connected');
  }

  /** Closes all tabs. The second call does nothing. */
  async close() {
    await this.page.context().close();
  }

  async say(text) {
    await this.input.fill(text);
    await this.page.locator('#send').click();
  }

  /** Changes the nickname in its field, and waits until the server has agreed. */
  async rename(nick) {
    await this.page.locator('#me').click();
    await this.page.locator('#wish').fill(nick);
    await this.page.locator('#wish').press('Enter');
    await this.page.locator('#rename').waitFor({ state: 'hidden' });
  }

  /** Goes to an address like `#kitchen`, and waits until that room is shown. */
  async followLink(hash) {
    await this.page.evaluate((hash) => (location.hash = hash), hash);
    await this.waitForConversation(hash);
  }

  /** Clicks on a room or private conversation in the sidebar. */
  async select(title) {
    await this.page.locator('#rooms .place', { hasText: title }).click();
  }

  /** Makes the page think that it is hidden, or visible again. */
  async setHidden(isHidden) {
    await this.page.evaluate((isHidden) => {
      Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, isHidden);
  }

  nickname() {
    return this.page.locator('#nickname').textContent();
  }

  /** Returns the requests of a type that the page has sent. */
  requests(type) {
    return this.#sent.map((frame) => JSON.parse(frame)).filter((request) => request.type === type);
  }

  /** Returns all entries that are drawn, in order, with the messages that are not sent yet. */
  async timeline() {
    return (await this.#look()).timeline;
  }

  /** Returns the texts of the messages alone. */
  async texts() {
    return (await this.timeline()).map(({ text }) => text).filter((text) => text !== undefined);
  }

  /** The message `text` that is not sent yet, or was refused. */
  unsent(text) {
    return this.page.locator('#unsent li', { hasText: text });
  }

  /** Waits until all changes of the page are drawn. */
  async waitForDrawing() {
    await this.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  }

  /** Waits for a state of the connection: `connected` or `disconnected`. */
  async waitForState(state) {
    const status = this.page.locator(`#status[data-state="${state}"]`);
    await status.waitFor().catch((cause) => {
      throw new Error(`the page is not ${state}; its faults: ${JSON.stringify(this.faults)}`, { cause });
    });
  }

  /** Waits until the page shows a room or private conversation: `#lobby` or `@bo`. */
  async waitForConversation(title) {
    await this.#waitUntil(() => this.#look(), (seen) => seen.title === title, title);
  }

  /** Waits for a message, from `nick` if that is given. Our own message must have come back from the server. */
  async waitForMessage(text, nick) {
    await this.#waitForEntry({ text, state: '', ...(nick && { nick }) });
  }

  /** Waits until the server has sent back our own message. */
  async waitForOwnMessage(text) {
    await this.#waitForEntry({ text, state: '', own: true });
  }

  /** Waits for our own message in the state `pending` or `failed`. */
  async waitForUnsent(text, state) {
    await this.#waitForEntry({ text, state });
  }

  async waitForNotice(notice) {
    await this.#waitForEntry({ notice });
  }

  /** Waits for the button that counts the messages below those in view. */
  async waitForNewMessages(count) {
    await this.page.getByRole('button', { name: `${count} new message${count === 1 ? '' : 's'}`, exact: true }).waitFor();
  }

  /** Waits for the alert `text` at the input. */
  async waitForAlert(text) {
    await this.page.getByRole('alert').filter({ hasText: text }).waitFor();
  }

  /** Waits until the sidebar lists these rooms and conversations, with the number of unread messages: `#lobby 2`. */
  async waitForRooms(...expected) {
    const rooms = this.page.locator('#rooms .place');
    const look = () => rooms.evaluateAll((all) => all.map(({ children }) => [...children].map((part) => part.textContent).join(' ')));
    await this.#waitUntil(look, (seen) => String(seen) === String(expected), `the rooms ${expected}`);
  }

  /** Waits until these users are listed as members of the room. */
  async waitForMembers(...expected) {
    const look = () => this.page.locator('#people bdi').allTextContents();
    await this.#waitUntil(look, (seen) => String(seen) === String(expected), `the members ${expected}`);
  }

  async #waitForEntry(members) {
    const fits = (entry) => Object.entries(members).every(([name, value]) => entry[name] === value);
    await this.#waitUntil(() => this.timeline(), (seen) => seen.some(fits), JSON.stringify(members));
  }

  /** Repeats `look`, each time that the page has changed, until `isDone` returns true. */
  async #waitUntil(look, isDone, wanted) {
    const deadline = Date.now() + WAIT_MAX_MS;
    for (;;) {
      const markup = await this.page.evaluate(() => document.body.innerHTML);
      const seen = await look();
      if (isDone(seen)) return;
      const complaint = `${wanted} is not in ${JSON.stringify(seen, null, 1)}`;
      await within(deadline - Date.now(), this.#changeSince(markup), complaint);
    }
  }

  #changeSince(markup) {
    return this.page.evaluate(
      (markup) =>
        new Promise((resolve) => {
          if (document.body.innerHTML !== markup) return resolve();
          const changes = { childList: true, subtree: true, attributes: true, characterData: true };
          new MutationObserver(() => resolve()).observe(document.body, changes);
        }),
      markup,
    );
  }

  #look() {
    return this.page.evaluate(() => {
      const timeline = [...document.querySelectorAll('#messages > li, #unsent > li')].map((item) => {
        const part = (name) => item.querySelector(`.${name}`)?.textContent;
        const has = (name) => item.classList.contains(name);
        return {
          day: part('day'),
          divider: part('divider'),
          nick: part('author'),
          text: part('text'),
          // Without the characters that isolate the direction of nicknames.
          notice: part('notice')?.replace(/[\u2068\u2069]/gu, ''),
          own: has('own'),
          continues: has('continues'),
          state: ['pending', 'failed'].find(has) ?? '',
        };
      });
      return { timeline, title: document.querySelector('#title').textContent };
    });
  }

  async #watch(host) {
    const { outage = false, isExpected = () => false } = this.#options;
    this.page.on('console', (message) => {
      if (message.type() !== 'error' || isExpected(message)) return;
      if (!(outage && OUTAGE.test(message.text()))) this.faults.push(message.text());
    });
    this.page.on('pageerror', (error) => this.faults.push(String(error)));
    this.page.on('dialog', (dialog) => {
      this.faults.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    const check = (url) => {
      if (new URL(url).host !== host) this.faults.push(`request to ${url}`);
    };
    this.page.on('request', (request) => check(request.url()));
    this.page.on('websocket', (socket) => {
      check(socket.url());
      socket.on('framesent', ({ payload }) => this.#sent.push(payload));
    });
    await this.page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`);
      });
    });
  }
}
