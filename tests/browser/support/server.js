// The program under test, as a child process on free ports.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM =
  process.env.CHINWAG_BIN ??
  fileURLToPath(new URL('../../../target/release/chinwag', import.meta.url));
const BANNER_MAX_MS = 10_000;
const STOP_MAX_MS = 5_000;

/**
 * Starts the server on loopback and reads from its banner where it listens.
 * Ports are free ones unless given.
 */
export async function startServer({ pagePort = 0, wsPort = 0, args = [] } = {}) {
  const child = spawn(
    PROGRAM,
    [
      '--bind', '127.0.0.1',
      '--port', String(pagePort),
      '--ws-port', String(wsPort),
      '--max-clients-per-address', '0',
      ...(args.includes('--rate') ? [] : ['--rate', '0']),
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = once(child, 'exit');
  // Awaited by `stop`; until then a failed start is reported by `bannerOf`.
  exited.catch(() => {});
  const ports = await bannerOf(child);

  return {
    ...ports,
    /** What a service manager does: ask to stop, and wait for the exit code. */
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const [code] = await within(STOP_MAX_MS, exited, 'the server did not stop');
      return code;
    },
    /** The server still has its sockets, but answers nobody. */
    freeze() {
      child.kill('SIGSTOP');
    },
    /** The server is gone without a goodbye. */
    async kill() {
      child.kill('SIGKILL');
      await within(STOP_MAX_MS, exited, 'the server survived SIGKILL');
    },
  };
}

function bannerOf(child) {
  let printed = '';
  let logged = '';
  const ports = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the server exited with ${code}:\n${printed}${logged}`)));
    child.stderr.setEncoding('utf8').on('data', (chunk) => (logged += chunk));
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      printed += chunk;
      const page = /On this machine:\s+http:\/\/\S+?:(\d+)\//u.exec(printed);
      const ws = /WebSocket:\s+ws:\/\/\S+?:(\d+)\//u.exec(printed);
      if (page && ws) resolve({ pagePort: Number(page[1]), wsPort: Number(ws[1]) });
    });
  });
  return within(BANNER_MAX_MS, ports, 'the server printed no banner');
}

/** `promise`, or an error that says `complaint` when it takes too long. */
export async function within(milliseconds, promise, complaint) {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${complaint} within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
