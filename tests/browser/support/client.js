// A client without a browser. It speaks JSON over an independent implementation
// of WebSocket.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as passed } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import WebSocket from 'ws';

import { within } from './within.js';

const WAIT_MAX_MS = 10_000;

// No two requests of a test file have the same id.
let ids = 0;
const nextId = () => `m${(ids += 1)}`;

export class ChatClient {
  /** All events that the server has sent, in order. */
  events = [];
  #socket;
  #waiting = new Set();

  /** Connects with the nickname `nick`, and joins `room`. */
  static async connect(port, nick, room = 'lobby') {
    const client = new ChatClient();
    client.nick = nick;
    client.#socket = new WebSocket(`ws://127.0.0.1:${port}/`, 'chinwag.v1');
    client.#socket.on('message', (data) => client.#receive(JSON.parse(data)));
    await within(WAIT_MAX_MS, once(client.#socket, 'open'), `${nick} could not connect`);
    const welcome = await client.request('hello', { nick });
    assert.equal(welcome.nick, nick);
    await client.join(room);
    return client;
  }

  join(room) {
    return this.request('join', { room });
  }

  part(room) {
    return this.request('part', { room });
  }

  rename(nick) {
    return this.request('nick', { nick });
  }

  /** Sends a message to a room, and waits until the server has sent it to the room. */
  say(text, options) {
    return this.sayAll([text], options);
  }

  /** Sends messages to a room without a pause, and waits for the last. */
  async sayAll(texts, { room = 'lobby', kind = 'say' } = {}) {
    let id;
    for (const text of texts) {
      id = nextId();
      this.send({ type: 'say', room, text, kind, id });
    }
    await this.waitFor('message', { id });
  }

  /** Sends `line 1` to `line n` to a room. */
  sayLines(count, options) {
    return this.sayAll(Array.from({ length: count }, (_, index) => `line ${index + 1}`), options);
  }

  /** Sends a private message, as soon as the rate limit of the server allows it. */
  async tell(to, text) {
    for (;;) {
      const answer = await this.#ask({ type: 'tell', to, text, id: nextId() });
      if (answer.type === 'private') return;
      assert.equal(answer.code, 'rate_limited');
      await passed(answer.retry_ms);
    }
  }

  /** Returns the answer to a request. It must not be an error. */
  async request(type, members) {
    const answer = await this.#ask({ type, ...members });
    assert.notEqual(answer.type, 'error', `${this.nick}: ${answer.message}`);
    return answer;
  }

  /** Sends a request, and does not wait for the answer. */
  send(request) {
    this.#socket.send(JSON.stringify(request));
  }

  /** Waits for an event of this type with these members, which may have arrived already. Returns it. */
  waitFor(type, members) {
    return this.#waitFor({ type, ...members });
  }

  /** Returns the events of a type that the server has sent so far. */
  received(type) {
    return this.events.filter((event) => event.type === type);
  }

  /** Returns the messages of a room so far, as `ana: hello`. */
  transcript(room = 'lobby') {
    return this.received('message')
      .filter((message) => message.room === room)
      .map(({ nick, text }) => `${nick}: ${text}`);
  }

  /** Closes the connection. The second call does nothing. */
  async close() {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.#socket, 'close');
    this.#socket.close(1000);
    await within(WAIT_MAX_MS, closed, `${this.nick} could not close the connection`);
  }

  #ask(request) {
    const ref = nextId();
    this.send({ ...request, ref });
    return this.#waitFor({ ref });
  }

  async #waitFor(members) {
    const fits = (event) => Object.entries(members).every(([name, value]) => isDeepStrictEqual(event[name], value));
    const past = this.events.find(fits);
    if (past) return past;
    const arrived = new Promise((resolve) => this.#waiting.add({ fits, resolve }));
    return within(WAIT_MAX_MS, arrived, `${this.nick} did not receive ${JSON.stringify(members)}`).catch((cause) => {
      throw new Error(`The last events were ${JSON.stringify(this.events.slice(-20))}`, { cause });
    });
  }

  #receive(event) {
    this.events.push(event);
    for (const waiting of this.#waiting) {
      if (!waiting.fits(event)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(event);
    }
  }
}
