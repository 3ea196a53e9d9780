// A client in JavaScript, for Node: node chat.mjs ws://localhost:12345/ lobby ana
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
// Node has had its own WebSocket since version 22. For an older one: npm install ws
const WebSocket = globalThis.WebSocket ?? createRequire(import.meta.url)('ws');
const [url, room, nick] = process.argv.slice(2);
// The members of hello and join. The server ignores those that a request does not use.
const state = { nick, room };
let socket, isJoined, pending, settle, timer;
const request = (type, members) => socket.send(JSON.stringify({ ...members, type, ref: type }));
// Repeats have the same id, so that the server recognises them.
const sendPending = () => isJoined && pending && request('say', pending);

function handle(event) {
  if (event.type === 'joined' || (event.type === 'message' && event.seq > state.after)) {
    for (const { nick, text } of event.messages ?? [event]) console.log(`${nick}: ${text}`);
    const { seq } = event.more ? event.messages.at(-1) : event;
    Object.assign(state, { epoch: event.epoch ?? state.epoch, after: seq });
  }
  if (event.type === 'welcome') state.session = event.session;
  // Missed messages may come in several parts.
  if (event.type === 'welcome' || event.more) request('join', state);
  else if (event.type === 'joined') sendPending(isJoined = true);
  else if (event.retry_ms) timer = setTimeout(() => request(event.ref, event.ref === 'say' ? pending : state), event.retry_ms);
  else if (event.type === 'error') console.error(event.message);
  if (pending && event.id === pending.id && !event.retry_ms) settle();
}
function connect() {
  socket = new WebSocket(url, 'chinwag.v1');
  socket.onopen = () => request('hello', state);
  socket.onmessage = ({ data }) => handle(JSON.parse(data));
  socket.onerror = () => {}; // onclose follows.
  socket.onclose = ({ code }) => {
    if (isJoined && [1002, 1007, 1009].includes(code)) settle?.(); // The message is refused for good.
    clearTimeout(timer, isJoined = false);
    timer = setTimeout(connect, 1000);
  };
}
connect();
for await (const text of createInterface({ input: process.stdin })) {
  pending = { room, text, id: randomUUID() };
  sendPending();
  await new Promise((resolve) => { settle = resolve; });
  pending = null;
}
clearTimeout(timer);
socket.onclose = null;
socket.close(1000);
