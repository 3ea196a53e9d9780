// One WebSocket that is always there or on its way back. It knows nothing of
// chat: frames of text go in and out, and its owner hears when it opens and
// closes.

const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 10_000;
// A network that swallows packets would keep an attempt hanging for minutes.
const OPENING_MAX_MS = 10_000;
// A goodbye that gets no answer is not waited for longer than this.
const CLOSING_MAX_MS = 1_000;
// A connection that fell sooner than this does not count as a success, so a
// server that accepts and drops us is not asked again and again at once.
const SETTLED_MS = 5_000;

export class Connection {
  #address;
  #onOpen;
  #onClose;
  #onFrame;
  #socket = null;
  #timer = 0;
  #failures = 0;
  #openedAt = 0;
  #again = false;

  /**
   * `address` is asked anew for each attempt; `onClose` is told whether we
   * `wanted` it. Nothing opens before `start`.
   */
  constructor({ address, onOpen, onClose, onFrame }) {
    this.#address = address;
    this.#onOpen = onOpen;
    this.#onClose = onClose;
    this.#onFrame = onFrame;
  }

  start() {
    this.#open();
    // Each of these says that the network or the reader may just be back.
    addEventListener('online', () => this.#hurry());
    addEventListener('pageshow', () => this.#hurry());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#hurry();
    });
    // Leaving says goodbye, so that a reload finds its nickname free. The page
    // may be shown again later, as it was.
    addEventListener('pagehide', () => {
      this.#drop();
      this.#onClose({ wanted: false });
    });
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Hands `text` to the socket. Only for an open connection. */
  send(text) {
    this.#socket.send(text);
  }

  /** Closes the connection, if there is one, and opens another at once. */
  restart() {
    this.#failures = 0;
    const socket = this.#socket;
    if (socket?.readyState === WebSocket.CLOSING) {
      this.#again = true;
      this.#closed(socket);
      return;
    }
    if (!this.isOpen) {
      this.#drop();
      this.#open();
      return;
    }
    this.#again = true;
    socket.close(1000);
    this.#timer = setTimeout(() => this.#closed(socket), CLOSING_MAX_MS);
  }

  #open() {
    clearTimeout(this.#timer);
    this.#again = false;
    const socket = new WebSocket(this.#address());
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#closed(socket), OPENING_MAX_MS);
    socket.onopen = () => {
      clearTimeout(this.#timer);
      this.#openedAt = performance.now();
      this.#onOpen();
    };
    socket.onmessage = ({ data }) => this.#onFrame(data);
    socket.onclose = () => this.#closed(socket);
  }

  #closed(socket) {
    if (this.#openedAt && performance.now() - this.#openedAt > SETTLED_MS) this.#failures = 0;
    this.#drop();
    this.#onClose({ wanted: this.#again });
    if (this.#again) {
      this.#open();
    } else {
      this.#timer = setTimeout(() => this.#open(), this.#pause());
      this.#failures += 1;
    }
  }

  /** Forgets the socket: whatever it still does no longer concerns us. */
  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#openedAt = 0;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  // Full jitter: a hundred pages that lost the same server do not all come
  // back in the same instant.
  #pause() {
    return Math.random() * Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#failures);
  }

  /** Ends the pause before the next attempt, if we are in one. */
  #hurry() {
    if (this.#socket === null) this.#open();
  }
}
