// A network that can fail, and a proxy that changes messages, between a page and
// its server.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Forwards the bytes of a port of its own to the server, and back, until a test makes it fail. */
export class Network {
  #connections = new Set();
  #server;
  #isBroken = false;
  #reason;

  /** Returns a network that leads to `port`. */
  static async to(port) {
    const network = new Network();
    network.#server = createServer((client) => network.#join(client, connect(port, '127.0.0.1')));
    network.#server.listen(0, '127.0.0.1');
    await once(network.#server, 'listening');
    network.port = network.#server.address().port;
    return network;
  }

  /** Resets all connections, and each new connection until the repair. */
  break() {
    this.#isBroken = true;
    for (const { client, server } of this.#connections) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  /** Drops the data of the server on the WebSockets that are open. */
  dropServerData() {
    for (const { server, isWebSocket } of this.#connections) if (isWebSocket) drop(server);
  }

  /** Drops the data of both sides on the WebSockets that are open. */
  dropAllData() {
    this.dropServerData();
    for (const { client, isWebSocket } of this.#connections) if (isWebSocket) drop(client);
  }

  /** Resets all connections. Responds to each new WebSocket with status 503 and `reason`, as a full server does. */
  refuse(reason) {
    this.break();
    this.#isBroken = false;
    this.#reason = reason;
  }

  repair() {
    this.#isBroken = false;
    this.#reason = undefined;
  }

  async close() {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.break();
    await closed;
  }

  #join(client, server) {
    if (this.#isBroken) {
      server.destroy();
      return client.resetAndDestroy();
    }
    const connection = { client, server };
    this.#connections.add(connection);
    server.on('data', (bytes) => client.write(bytes));
    client.on('data', (bytes) => {
      const head = bytes.toString('latin1');
      connection.isWebSocket ||= /^upgrade: websocket/imu.test(head);
      const isRefused = this.#reason && (connection.isWebSocket || head.startsWith('GET /healthz?why='));
      if (isRefused) return client.end(refusal(this.#reason));
      server.write(bytes);
    });
    for (const [from, to] of [[client, server], [server, client]]) {
      from.on('error', () => {});
      from.on('end', () => to.end());
      from.on('close', () => {
        to.destroy();
        this.#connections.delete(connection);
      });
    }
  }
}

function drop(socket) {
  socket.removeAllListeners('data');
  socket.resume();
}

/** Returns the response of a server that is full. */
export function refusal(reason) {
  const head = ['HTTP/1.1 503 Service Unavailable', 'Content-Type: text/plain; charset=utf-8', 'Connection: close'];
  return `${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`;
}

/** Passes on the messages of a page and its server, and lets a test change them. */
export class MessageProxy {
  /** All requests of the page, in order. */
  requests = [];
  #handlers;

  /**
   * `request` and `event` are called for each message of the page and of the server.
   * They return true if the message is not to be passed on. Their second argument
   * has `toPage(event)`, `toServer(request)` and `close({ code, reason })`.
   */
  constructor({ request, event } = {}) {
    this.#handlers = { request, event };
  }

  /** Returns the number of requests with this text. */
  countOf(text) {
    return this.requests.filter((request) => request.text === text).length;
  }

  async install(page) {
    await page.routeWebSocket(/./u, (socket) => {
      const server = socket.connectToServer();
      const connection = {
        toPage: (event) => socket.send(JSON.stringify(event)),
        toServer: (request) => server.send(JSON.stringify(request)),
        async close(options) {
          await socket.close(options);
          await server.close();
        },
      };
      const { request, event } = this.#handlers;
      socket.onMessage((frame) => {
        this.requests.push(JSON.parse(frame));
        if (!request?.(JSON.parse(frame), connection)) server.send(frame);
      });
      server.onMessage((frame) => {
        if (!event?.(JSON.parse(frame), connection)) socket.send(frame);
      });
    });
  }
}
