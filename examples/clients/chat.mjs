// A client in JavaScript: node chat.mjs ws://localhost:12345/ lobby ana
//
// Each line is said when the one before it has come back. A lost connection is mended, with
// nothing lost and nothing twice.

import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

// Node has a WebSocket of its own since version 22. With an older one: npm install ws
const WebSocket = globalThis.WebSocket ?? createRequire(import.meta.url)('ws');
const LEAVE_IT = [4001, 4009]; // Replaced by a newer connection, or kicked.

const [url, room, nick] = process.argv.slice(2);
let me = { nick };
let since = {};
let socket;
let isIn = false;
const unsaid = [];

const ask = (type, members) => socket.send(JSON.stringify({ type, ...members }));

function sayFirst() {
  if (!isIn || unsaid.length === 0) return;
  if (unsaid[0]) ask('say', { room, ...unsaid[0] });
  else socket.close(1000);
}

function doneWith(id) {
  if (unsaid[0]?.id !== id) return;
  unsaid.shift();
  sayFirst();
}

function show(message) {
  if (message.seq > since.after) {
    since.after = message.seq;
    console.log(`${message.nick}: ${message.text}`);
  }
  doneWith(message.id);
}

const hear = {
  welcome(event) {
    me = { nick: event.nick, session: event.session };
    ask('join', { room, ...since });
  },
  joined(event) {
    if (since.epoch && !event.recovered) console.log('(something is missing here)');
    since = { epoch: event.epoch, after: event.recovered ? since.after : 0 };
    event.messages.forEach(show);
    since.after = event.seq;
    isIn = true;
    sayFirst();
  },
  message: show,
  error(event) {
    if (event.code === 'rate_limited') return setTimeout(sayFirst, event.retry_ms);
    console.error(event.message);
    doneWith(event.id);
  },
};

function connect() {
  socket = new WebSocket(url, 'chinwag.v1');
  socket.onopen = () => ask('hello', me);
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    hear[event.type]?.(event);
  };
  socket.onerror = () => {}; // onclose follows.
  socket.onclose = ({ code, reason }) => {
    isIn = false;
    if (LEAVE_IT.includes(code)) throw new Error(reason);
    if (unsaid[0] !== null) setTimeout(connect, 1000);
  };
}

function add(what) {
  unsaid.push(what);
  if (unsaid.length === 1) sayFirst();
}

createInterface({ input: process.stdin })
  .on('line', (text) => add({ text, id: randomUUID() }))
  .on('close', () => add(null)); // The end, when all is said.
connect();
