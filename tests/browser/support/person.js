// Somebody who chats without a browser: the JSON dialect, spoken by an
// independent WebSocket implementation.

import { once } from 'node:events';
import { setTimeout as passed } from 'node:timers/promises';
import WebSocket from 'ws';

import { within } from './server.js';

const HEAR_MAX_MS = 10_000;

/** Connects to `port` as `nick`, and joins `room`. */
export async function enter(port, { nick, room = 'lobby' }) {
  const person = new Person(new WebSocket(`ws://127.0.0.1:${port}/`, 'chinwag.v1'));
  await person.opened();
  person.ask({ type: 'hello', nick });
  person.nick = (await person.hears((event) => event.type === 'welcome')).nick;
  await person.join(room);
  return person;
}

class Person {
  events = [];
  #socket;
  #count = 0;
  #look = () => {};

  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      this.events.push(JSON.parse(data));
      this.#look();
    });
  }

  async opened() {
    await within(HEAR_MAX_MS, once(this.#socket, 'open'), 'could not connect');
  }

  ask(request) {
    this.#socket.send(JSON.stringify(request));
  }

  async join(room) {
    this.ask({ type: 'join', room });
    return this.hears((event) => event.type === 'joined' && event.room === room);
  }

  /** Says `text`. Who wants to know that it was said waits for it with `reads`. */
  say(text, room = 'lobby') {
    this.ask({ type: 'say', room, text, id: this.#id() });
  }

  tell(to, text) {
    this.ask({ type: 'tell', to, text, id: this.#id() });
  }

  /** Tells it as soon as that is not too much, which the server says. */
  async tellInTime(to, text) {
    for (;;) {
      const id = this.#id();
      this.ask({ type: 'tell', to, text, id });
      const answer = await this.hears((event) => event.id === id);
      if (answer.code !== 'rate_limited') return;
      await passed(answer.retry_ms);
    }
  }

  async reads(text) {
    return this.hears((event) => event.text === text);
  }

  /** The first event that `matches`, which may already be there. */
  async hears(matches) {
    let event;
    const heard = new Promise((resolve) => {
      this.#look = () => (event = this.events.find(matches)) && resolve();
      this.#look();
    });
    await within(HEAR_MAX_MS, heard, `${this.nick} did not hear it, but ${this.events.length} other events`);
    this.#look = () => {};
    return event;
  }

  /** The texts that were said, in the order in which they came. */
  get texts() {
    return this.events.filter(({ type }) => type === 'message').map(({ text }) => text);
  }

  /** Closes the connection. Once is enough, but twice does no harm. */
  async leave() {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.#socket, 'close');
    this.#socket.close(1000);
    await within(HEAR_MAX_MS, closed, `${this.nick} could not leave`);
  }

  #id() {
    return `${this.nick.replace(/[^a-z]/giu, '')}-${(this.#count += 1)}`;
  }
}
