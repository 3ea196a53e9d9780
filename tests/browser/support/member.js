// Somebody without a browser: the JSON dialect, spoken by an independent
// WebSocket implementation.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import WebSocket from 'ws';

import { within } from './server.js';

const HEAR_MAX_MS = 10_000;

// No two requests of anybody have the same id.
let count = 0;

export class Member {
  /** Every event, in order. */
  events = [];
  #socket;
  #wake = () => {};

  /** Connects as `nick`, and joins the room. */
  static async join(nick, port, room = 'lobby') {
    const member = new Member();
    member.nick = nick;
    member.#socket = new WebSocket(`ws://127.0.0.1:${port}/`, 'chinwag.v1');
    member.#socket.on('message', (data) => {
      member.events.push(JSON.parse(data.toString()));
      member.#wake();
    });
    await within(HEAR_MAX_MS, once(member.#socket, 'open'), `${nick} could not connect`);
    const welcome = await member.ask('hello', 'welcome', { nick });
    assert.equal(welcome.nick, nick);
    await member.join(room);
    return member;
  }

  join(room) {
    return this.ask('join', 'joined', { room });
  }

  part(room) {
    return this.ask('part', 'parted', { room });
  }

  rename(nick) {
    return this.ask('nick', 'renamed', { nick });
  }

  tell(to, text) {
    return this.ask('tell', 'private', { to, text, id: this.#id() });
  }

  /** Says something, and waits until everybody has been told. */
  async say(text, { room = 'lobby', kind = 'say' } = {}) {
    const id = this.#id();
    this.#send({ type: 'say', room, text, kind, id });
    return this.hears('message', { id });
  }

  /** Says `line 1` to `line n` in one go. */
  async sayMany(count, room = 'lobby') {
    for (let line = 1; line < count; line += 1) {
      this.#send({ type: 'say', room, text: `line ${line}`, id: this.#id() });
    }
    await this.say(`line ${count}`, { room });
  }

  async ask(type, answer, members) {
    const ref = this.#id();
    this.#send({ type, ref, ...members });
    return this.hears(answer, { ref });
  }

  /** Waits for an event with these members, which may already be there. */
  async hears(type, members = {}) {
    const fits = (event) =>
      event.type === type && Object.entries(members).every(([name, value]) => isDeepStrictEqual(event[name], value));
    const heard = new Promise((resolve) => {
      this.#wake = () => {
        const event = this.events.find(fits);
        if (event) resolve(event);
      };
      this.#wake();
    });
    const complaint = `${this.nick} heard no ${type} ${JSON.stringify(members)} in ${JSON.stringify(this.events.slice(-20))}`;
    return within(HEAR_MAX_MS, heard, complaint);
  }

  /** What was said in a room, as `ana: hello`. */
  heard(room = 'lobby') {
    const messages = this.events.filter((event) => event.type === 'message' && event.room === room);
    return messages.map(({ nick, text }) => `${nick}: ${text}`);
  }

  /** Closes the connection. Once is enough, but twice does no harm. */
  async leave() {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.#socket, 'close');
    this.#socket.close(1000);
    await within(HEAR_MAX_MS, closed, `${this.nick} could not leave`);
  }

  #send(request) {
    this.#socket.send(JSON.stringify(request));
  }

  #id() {
    return `m${(count += 1)}`;
  }
}
