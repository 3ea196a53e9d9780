// The server under test, and all clients of one test.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { HOST, sharedBrowser } from './browser.js';
import { ChatClient } from './client.js';
import { Network } from './network.js';
import { PageUser } from './user.js';
import { within } from './within.js';

const PROGRAM =
  process.env.CHINWAG_BIN ??
  fileURLToPath(new URL('../../../target/release/chinwag', import.meta.url));
/** A program with hooks around the library: `tests/testkit/src/bin/embedder.rs`. */
export const EMBEDDER = join(dirname(PROGRAM), 'embedder');
const START_MAX_MS = 10_000;
const STOP_MAX_MS = 5_000;

export class TestServer {
  /** The ports of loopback on which the server listens. */
  pagePort = 0;
  wsPort = 0;
  #args;
  #clients = [];
  #folder;
  #process;
  #program;
  #exited;

  /**
   * Starts the program, or another `program`, with more `args`, on free ports of
   * loopback. With `history` it stores messages in a file. When the test `t` ends,
   * its clients are closed and the server is stopped. The test fails if the exit
   * code is not 0, or if a page had a fault (see `PageUser`).
   */
  static async start(t, { args = [], history = false, program = PROGRAM } = {}) {
    const server = new TestServer();
    server.#program = program;
    t.after(() => server.#end());
    if (history) {
      server.#folder = await mkdtemp(join(tmpdir(), 'chinwag-'));
      args = [...args, '--history', join(server.#folder, 'history.db')];
    }
    await server.#run(args);
    return server;
  }

  /**
   * Opens the page with a browser profile of its own. The page is behind `network`,
   * if there is one. For the other options see `PageUser.open`.
   */
  async openPage({ browser, host = HOST, port, network, ...options } = {}) {
    const origin = `http://${host}:${port ?? network?.port ?? this.pagePort}`;
    const user = await PageUser.open(browser ?? (await sharedBrowser()), origin, { outage: Boolean(network), ...options });
    return this.#add(user);
  }

  /** Connects a client without a browser, which joins `room`. */
  async connect(nick, room) {
    return this.#add(await ChatClient.connect(this.wsPort, nick, room));
  }

  /** Returns a network between pages and this server. */
  async network() {
    return this.#add(await Network.to(this.pagePort));
  }

  /** Asks the server to stop, as a service manager does. Returns the exit code. */
  stop() {
    return this.#signal('SIGTERM');
  }

  /** Ends the server without any close frame. */
  kill() {
    return this.#signal('SIGKILL');
  }

  /** Suspends the server: its sockets stay open, and it does not respond. */
  freeze() {
    this.#process.kill('SIGSTOP');
  }

  /** Kills the server if it runs, and starts it on the same ports. */
  async restart({ args = this.#args } = {}) {
    await this.kill();
    await this.#run(args);
  }

  #add(client) {
    this.#clients.push(client);
    return client;
  }

  /** Runs the program on the ports of the last run, or on free ones. */
  async #run(args) {
    this.#args = args;
    const ports = ['--port', `${this.pagePort}`, '--ws-port', `${this.wsPort}`];
    const options = ['--bind', '127.0.0.1', ...ports, '--max-clients-per-address', '0'];
    if (!args.includes('--rate')) options.push('--rate', '0');
    this.#process = spawn(this.#program, [...options, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#exited = once(this.#process, 'exit');
    // A failed start is reported by `portsOf`.
    this.#exited.catch(() => {});
    Object.assign(this, await within(START_MAX_MS, portsOf(this.#process), 'the server did not print its addresses'));
  }

  async #signal(signal) {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill(signal);
    const [code] = await within(STOP_MAX_MS, this.#exited, `the server did not end after ${signal}`);
    return code;
  }

  async #end() {
    for (const client of this.#clients) await client.close();
    if (this.#process) assert.equal(await this.stop(), 0);
    if (this.#folder) await rm(this.#folder, { recursive: true });
    assert.deepEqual(this.#clients.flatMap(({ faults }) => faults ?? []), []);
  }
}

/** Reads from the output of the program on which ports it listens. */
function portsOf(program) {
  let printed = '';
  let logged = '';
  return new Promise((resolve, reject) => {
    program.on('error', reject);
    program.on('exit', (code) => reject(new Error(`the server exited with ${code}:\n${printed}${logged}`)));
    program.stderr.setEncoding('utf8').on('data', (chunk) => (logged += chunk));
    program.stdout.setEncoding('utf8').on('data', (chunk) => {
      printed += chunk;
      const page = /On this machine:\s+http:\/\/\S+?:(\d+)\//u.exec(printed);
      const ws = /WebSocket:\s+ws:\/\/\S+?:(\d+)\//u.exec(printed);
      if (page && ws) resolve({ pagePort: Number(page[1]), wsPort: Number(ws[1]) });
    });
  });
}
