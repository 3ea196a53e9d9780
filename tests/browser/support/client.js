// A chat client without a browser: the plain dialect, spoken by an independent
// WebSocket implementation. What it hears is kept as raw frames.

import { once } from 'node:events';
import WebSocket from 'ws';

import { within } from './server.js';

const HEAR_MAX_MS = 10_000;

/** Connects, and makes sure that the room knows the nickname. */
export async function joinAs(nick, port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/?nick=${encodeURIComponent(nick)}`);
  const frames = [];
  let waiting = () => {};
  socket.on('message', (data) => {
    frames.push(data.toString());
    waiting();
  });
  await within(HEAR_MAX_MS, once(socket, 'open'), `${nick} could not connect`);

  const client = {
    nick,
    frames,
    say(text) {
      socket.send(text);
    },
    /** Waits for the frame `expected`, which may already be there. */
    async hears(expected) {
      const heard = new Promise((resolve) => {
        waiting = () => frames.includes(expected) && resolve();
        waiting();
      });
      await within(HEAR_MAX_MS, heard, `${nick} heard ${JSON.stringify(frames)}, not ${JSON.stringify(expected)}`);
    },
    /** Closes the connection. Once is enough, but twice does no harm. */
    async leave() {
      if (socket.readyState === WebSocket.CLOSED) return;
      const closed = once(socket, 'close');
      socket.close(1000);
      await within(HEAR_MAX_MS, closed, `${nick} could not leave`);
    },
  };

  // The handshake ends before the broadcaster has let us in; our own words
  // come back only afterwards.
  client.say(`${nick} is here`);
  await client.hears(`${nick}: ${nick} is here`);
  return client;
}
