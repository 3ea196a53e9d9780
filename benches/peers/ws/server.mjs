// A chat on Node and ws, as one would write it for speed: a text frame goes as it is to everybody,
// its sender included.
//
// All that was said in one turn of the event loop is framed once, and written once to each. The
// usual way is to send each message to each client by itself, with a system call for each:
// `other.send(text, { binary: false })`. Where little is said at once that is as fast; in a full
// room a delivery takes 100 to 400 times as long, and with the sockets corked until the end of the
// turn still 10 to 50 times.
//
// What it leaves out is all but the way of a message, as the other peer does.

import { Sender, WebSocket, WebSocketServer } from 'ws';

// As many clients may be about to connect.
const BACKLOG = 4096;
// Whoever has so much waiting does not read, and is cut.
const WAITING_BYTES_MAX = 1 << 20;
const TEXT = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true };

// Everybody, with the socket under the WebSocket.
const room = new Map();
// The frames of this turn.
let said = [];

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  backlog: BACKLOG,
  perMessageDeflate: false,
  clientTracking: false,
});
server.on('listening', () => console.log(`WebSocket: ws://127.0.0.1:${server.address().port}/`));
server.on('connection', (client, request) => {
  room.set(client, request.socket);
  client.on('close', () => room.delete(client));
  // The close event follows.
  client.on('error', () => {});
  client.on('message', (text, isBinary) => {
    if (isBinary) return;
    if (said.length === 0) setImmediate(tell);
    said.push(...Sender.frame(text, TEXT));
  });
});

function tell() {
  const frames = Buffer.concat(said);
  said = [];
  for (const [client, socket] of room) {
    // After a close frame nothing may follow.
    if (client.readyState !== WebSocket.OPEN) continue;
    if (socket.writableLength > WAITING_BYTES_MAX) client.terminate();
    else socket.write(frames);
  }
}
