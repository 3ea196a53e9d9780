// Somebody at the page: what they do, and what they see in it.

import { within } from './server.js';

const WAIT_MAX_MS = 15_000;

export class Visitor {
  constructor({ page, faults, sent, policy }) {
    this.page = page;
    this.faults = faults;
    this.sent = sent;
    this.policy = policy;
    this.input = page.locator('#text');
  }

  async say(text) {
    await this.input.fill(text);
    await this.page.locator('[name=send]').click();
  }

  /** Changes the nickname in place, and waits until the server has agreed. */
  async rename(nick) {
    await this.page.locator('#me').click();
    await this.page.locator('#wish').fill(nick);
    await this.page.locator('#wish').press('Enter');
    await this.page.locator('#rename').waitFor({ state: 'hidden' });
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

  /** Waits until this room or conversation is shown, as in `#lobby` or `@bo`. */
  async isIn(title) {
    await this.#waitFor((_, shown) => shown === title, title);
  }

  /** Waits for a message of `nick` that says `text`. */
  async reads(nick, text) {
    await this.#waitFor((message) => message.nick === nick && message.text === text, `${nick}: ${text}`);
  }

  /** Waits until our own message has come back. */
  async readsOwn(text) {
    await this.#waitFor((message) => message.own && message.text === text && message.state === '', `own ${text}`);
  }

  /** Waits for our own message in this state: `pending` or `failed`. */
  async readsUnsent(text, state) {
    await this.#waitFor((message) => message.text === text && message.state === state, `${state} ${text}`);
  }

  async readsNotice(text) {
    await this.#waitFor((message) => message.notice === text, text);
  }

  /** Everything that is drawn of the timeline, in order, with what is on its way. */
  async timeline() {
    return (await this.#look()).timeline;
  }

  /** The texts of the messages alone. */
  async texts() {
    return (await this.timeline()).filter((item) => !item.notice).map((item) => item.text);
  }

  /** The rooms and conversations at the side, each with its count: `#lobby 2`. */
  async rooms() {
    return this.page
      .locator('#rooms .place')
      .evaluateAll((places) => places.map((place) => [...place.children].map((part) => part.textContent).join(' ')));
  }

  /** Waits until the side lists these. */
  async seesRooms(...expected) {
    await this.#waitUntilSame(() => this.rooms(), expected);
  }

  /** Waits until these are listed as the people here. */
  async seesPeople(...expected) {
    await this.#waitUntilSame(() => this.page.locator('#people bdi').allTextContents(), expected);
  }

  /** Closes the window with all its tabs. Once is enough, but twice does no harm. */
  async leave() {
    await this.page.context().close();
  }

  // Looks, and looks again whenever the page has changed since.
  async #waitFor(matches, wanted) {
    let seen;
    const check = async () => {
      seen = await this.#look();
      return seen.timeline.some((item) => matches(item, seen.title)) || matches({}, seen.title);
    };
    await this.#waitUntil(check, wanted, () => JSON.stringify(seen, null, 1));
  }

  async #waitUntilSame(look, expected) {
    let seen;
    const check = async () => {
      seen = await look();
      return String(seen) === String(expected);
    };
    await this.#waitUntil(check, expected.join(), () => `but: ${seen}`);
  }

  async #waitUntil(check, wanted, describe) {
    const deadline = Date.now() + WAIT_MAX_MS;
    for (;;) {
      const markup = await this.page.evaluate(() => document.body.innerHTML);
      if (await check()) return;
      await within(deadline - Date.now(), this.#changeSince(markup), `not seen: ${wanted}`).catch((error) => {
        throw new Error(`${error.message}\n${describe()}`);
      });
    }
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
          // Without the marks around names, for their direction.
          notice: part('notice')?.replace(/[\u2068\u2069]/gu, ''),
          own: has('own'),
          continues: has('continues'),
          state: ['pending', 'failed'].find(has) ?? '',
        };
      });
      return { timeline, title: document.querySelector('#title').textContent };
    });
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
}
