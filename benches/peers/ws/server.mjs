// A chat on Node and ws, written for speed: it sends each text frame unchanged to all clients,
// including its sender.
//
// The texts of one turn of the event loop are framed once, and written once to each client. Usually
// a program sends each text to each client with a system call of its own, by
// `other.send(text, { binary: false })`. That is as fast with few texts at once. In a full room a
// delivery takes 100 to 400 times as long, or 10 to 50 times with the sockets corked until the end
// of the turn.
//
// It does nothing else, like the other peer.

import { Sender, WebSocket, WebSocketServer } from 'ws';

// Maximum number of clients that are about to connect.
const BACKLOG = 4096;
// Maximum backlog of a client. One with more does not read, and is cut.
const WAITING_BYTES_MAX = 1 << 20;
const TEXT = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true };

// All clients, each with the socket under its WebSocket.
const room = new Map();
// The frames of this turn.
let frames = [];

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
    if (frames.length === 0) setImmediate(send);
    frames.push(...Sender.frame(text, TEXT));
  });
});

function send() {
  const bytes = Buffer.concat(frames);
  frames = [];
  for (const [client, socket] of room) {
    // No frame may follow a close frame.
    if (client.readyState !== WebSocket.OPEN) continue;
    if (socket.writableLength > WAITING_BYTES_MAX) client.terminate();
    else socket.write(bytes);
  }
}
