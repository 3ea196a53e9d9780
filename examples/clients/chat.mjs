// A client in JavaScript, for Node: node chat.mjs ws://localhost:12345/ lobby ana
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
// Node has a WebSocket of its own since version 22. With an older one: npm install ws
const WebSocket = globalThis.WebSocket ?? createRequire(import.meta.url)('ws');
const [url, room, nick] = process.argv.slice(2);
const me = { nick, room }; // hello and join take from it what they know.
let socket, isIn, unsaid, settle, timer;
const ask = (type, members) => socket.send(JSON.stringify({ ...members, type, ref: type }));
const say = () => isIn && unsaid && ask('say', unsaid); // With the same id, however often.

function hear(event) {
  if (event.type === 'joined' || (event.type === 'message' && event.seq > me.after)) {
    for (const { nick, text } of event.messages ?? [event]) console.log(`${nick}: ${text}`);
    const { seq } = event.more ? event.messages.at(-1) : event;
    Object.assign(me, { epoch: event.epoch ?? me.epoch, after: seq });
  }
  if (event.type === 'welcome') me.session = event.session;
  if (event.type === 'welcome' || event.more) ask('join', me); // What was missed may come in parts.
  else if (event.type === 'joined') say(isIn = true);
  else if (event.retry_ms) timer = setTimeout(() => ask(event.ref, event.ref === 'say' ? unsaid : me), event.retry_ms);
  else if (event.type === 'error') console.error(event.message);
  if (unsaid && event.id === unsaid.id && !event.retry_ms) settle();
}
function connect() {
  socket = new WebSocket(url, 'chinwag.v1');
  socket.onopen = () => ask('hello', me);
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onerror = () => {}; // onclose follows.
  socket.onclose = ({ code }) => {
    if (isIn && [1002, 1007, 1009].includes(code)) settle?.(); // That was refused for good.
    clearTimeout(timer, isIn = false);
    timer = setTimeout(connect, 1000);
  };
}
connect();
for await (const text of createInterface({ input: process.stdin })) {
  unsaid = { room, text, id: randomUUID() };
  say();
  await new Promise((resolve) => { settle = resolve; });
  unsaid = null;
}
clearTimeout(timer);
socket.onclose = null;
socket.close(1000);
