// The network between a page and its server, which can be broken: a port of its
// own that hands on what it gets, until it is told otherwise.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Network {
  #pairs = new Set();
  #server;
  #isBroken = false;

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
      pair.isWebSocket ||= /^upgrade: websocket/imu.test(bytes.toString('latin1'));
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
