// The network between a page and its server, which can be broken: a port of its
// own that hands on what it gets, until it is told otherwise.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Network {
  #pairs = new Set();
  #server;
  #isBroken = false;
  #sentence;

  /** A network that leads to `port`. */
  static async to(port) {
    const network = new Network();
    network.#server = createServer((near) => network.#join(near, connect(port, '127.0.0.1')));
    network.#server.listen(0, '127.0.0.1');
    await once(network.#server, 'listening');
    network.port = network.#server.address().port;
    return network;
  }

  /** Every connection ends without a goodbye, and no new one comes about. */
  break() {
    this.#isBroken = true;
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** From now on what the server says over a WebSocket does not arrive. */
  swallow() {
    for (const { far, isWebSocket } of this.#pairs) if (isWebSocket) lose(far);
  }

  /** Nor does what the page says. New connections are as good as ever. */
  silence() {
    this.swallow();
    for (const { near, isWebSocket } of this.#pairs) if (isWebSocket) lose(near);
  }

  mend() {
    this.#isBroken = false;
    this.#sentence = undefined;
  }

  /** Every connection ends. Nobody is let in from now on, and `sentence` says why. */
  fill(sentence) {
    this.break();
    this.#isBroken = false;
    this.#sentence = sentence;
  }

  /** Everything ends. */
  async leave() {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.break();
    await closed;
  }

  #join(near, far) {
    if (this.#isBroken) {
      far.destroy();
      return near.resetAndDestroy();
    }
    const pair = { near, far };
    this.#pairs.add(pair);
    far.on('data', (bytes) => near.write(bytes));
    near.on('data', (bytes) => {
      const head = bytes.toString('latin1');
      pair.isWebSocket ||= /^upgrade: websocket/imu.test(head);
      const isRefused = this.#sentence && (pair.isWebSocket || head.startsWith('GET /healthz?why='));
      if (isRefused) return near.end(refusal(this.#sentence));
      far.write(bytes);
    });
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on('error', () => {});
      one.on('end', () => other.end());
      one.on('close', () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}

/** What comes out of `socket` goes nowhere. */
function lose(socket) {
  socket.removeAllListeners('data');
  socket.resume();
}

/** As the server answers where it is full. */
function refusal(sentence) {
  const head = ['HTTP/1.1 503 Service Unavailable', 'Content-Type: text/plain; charset=utf-8', 'Connection: close'];
  return `${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(sentence)}\r\n\r\n${sentence}`;
}
