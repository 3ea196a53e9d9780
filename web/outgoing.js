// Our own messages that have not come back yet, oldest first. The server
// answers a message with its echo, in order, so the oldest one that was handed
// to the socket is the only one whose echo can arrive next.

import { asHeard, isEcho } from './plain.js';

export class Outgoing {
  #messages = [];

  /** Keeps `text` until it comes back; `entry` is its place in the timeline. */
  add(text, entry) {
    this.#messages.push({ text, heard: asHeard(text), entry, handed: false });
  }

  /** Passes to `send` every message that no socket has had yet. */
  handOver(send) {
    for (const message of this.#messages) {
      if (message.handed) continue;
      send(message.text);
      message.handed = true;
    }
  }

  /** If `message` is the echo of one of ours, takes that out: its entry. */
  takeEcho(message, wish) {
    const [oldest] = this.#messages;
    if (!oldest?.handed || !isEcho(message, oldest.heard, wish)) return null;
    this.#messages.shift();
    return oldest.entry;
  }

  /**
   * Takes out what a broken connection had and did not bring back. Nobody can
   * know whether the room heard it, so it is not sent a second time.
   */
  takeDoubtful() {
    const doubtful = this.#messages.filter((message) => message.handed);
    this.#messages = this.#messages.filter((message) => !message.handed);
    return doubtful.map((message) => message.entry);
  }
}
