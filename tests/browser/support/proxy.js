// A network between a browser and the server that can be made to fail: a proxy
// on loopback that breaks its connections, or silently swallows what they carry.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Network {
  #links = new Set();
  #server;
  #isUp = true;

  /** A network that leads to `target` on loopback. */
  static async to(target) {
    const network = new Network();
    network.#server = createServer((near) => network.#accept(near, target));
    network.#server.listen(0, '127.0.0.1');
    await once(network.#server, 'listening');
    network.port = network.#server.address().port;
    return network;
  }

  /** Every connection breaks, and none can be made. */
  drop() {
    this.#isUp = false;
    for (const { near } of this.#links) near.destroy();
  }

  /** What the connections carry is lost, and nobody is told. New ones are as good as ever. */
  swallow() {
    for (const link of this.#links) link.isSwallowing = true;
  }

  /** Connections can be made again. */
  restore() {
    this.#isUp = true;
  }

  async close() {
    this.drop();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #accept(near, target) {
    near.on('error', () => {});
    if (!this.#isUp) return near.destroy();
    const far = connect(target, '127.0.0.1');
    const link = { near, isSwallowing: false };
    this.#links.add(link);
    far.on('error', () => near.destroy());
    near.on('data', (bytes) => link.isSwallowing || far.write(bytes));
    far.on('data', (bytes) => link.isSwallowing || near.write(bytes));
    far.on('close', () => link.isSwallowing || near.end());
    near.on('close', () => {
      this.#links.delete(link);
      far.destroy();
    });
  }
}
