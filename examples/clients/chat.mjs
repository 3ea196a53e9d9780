// A client in JavaScript, for Node: node chat.mjs ws://localhost:12345/ lobby ana
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
// Node has a WebSocket of its own since version 22. With an older one: npm install ws
const WebSocket = globalThis.WebSocket ?? createRequire(import.meta.url)('ws');
const [url, room, nick] = process.argv.slice(2);
const me = { nick, room }; // hello and join take from it what they know.
let socket, unsaid, settle, retry;
const ask = (type, members) => socket.send(JSON.stringify({ type, ...members }));
const say = () => unsaid && socket.readyState === WebSocket.OPEN && ask('say', unsaid);

function hear(event) {
  if (event.type === 'welcome') me.session = event.session;
  if (event.type === 'joined' || (event.type === 'message' && event.seq > me.after)) {
    for (const { nick, text } of event.messages ?? [event]) console.log(`${nick}: ${text}`);
    Object.assign(me, { epoch: event.epoch ?? me.epoch, after: event.seq });
  }
  if (event.type === 'joined') say(); // With the same id, however often.
  if (event.code === 'rate_limited') return setTimeout(say, event.retry_ms);
  if (event.type === 'error') console.error(event.message);
  if (unsaid && event.id === unsaid.id) settle();
}
function connect() {
  socket = new WebSocket(url, 'chinwag.v1');
  socket.onopen = () => ['hello', 'join'].forEach((type) => ask(type, me));
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onerror = () => {}; // onclose follows.
  socket.onclose = () => { retry = setTimeout(connect, 1000); };
}
connect();
for await (const text of createInterface({ input: process.stdin })) {
  unsaid = { room, text, id: randomUUID() };
  say();
  await new Promise((resolve) => { settle = resolve; });
  unsaid = null;
}
clearTimeout(retry);
socket.onclose = null;
socket.close(1000);
