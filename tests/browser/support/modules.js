// The JavaScript modules in `web/`.

import { readdir, readFile } from 'node:fs/promises';
import { posix } from 'node:path';

const WEB = new URL('../../../web/', import.meta.url);

/** Returns each module: its `path` in `web/`, its `source`, and the paths that it `imports`. */
export async function modules() {
  const paths = (await readdir(WEB, { recursive: true })).filter((path) => path.endsWith('.js'));
  return Promise.all(paths.sort().map(async (path) => moduleAt(path, await readFile(new URL(path, WEB), 'utf8'))));
}

function moduleAt(path, source) {
  const specifiers = [...source.matchAll(/^import [^;]*?'([^']+)';$/gmu)].map(([, specifier]) => specifier);
  return { path, source, imports: specifiers.map((specifier) => posix.join(posix.dirname(path), specifier)) };
}
