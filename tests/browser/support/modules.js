// The JavaScript modules in `web/`.

import { readdir, readFile } from 'node:fs/promises';
import { posix } from 'node:path';

const WEB = new URL('../../../web/', import.meta.url);

/** Returns each module: its `path` in `web/`, its `source`, and the paths that it `imports`, at run time or for types. */
export async function modules() {
  const paths = (await readdir(WEB, { recursive: true })).filter((path) => path.endsWith('.js'));
  return Promise.all(paths.sort().map(async (path) => moduleAt(path, await readFile(new URL(path, WEB), 'utf8'))));
}

function moduleAt(path, source) {
  const resolved = (pattern) => [...source.matchAll(pattern)].map(([, specifier]) => posix.join(posix.dirname(path), specifier));
  return {
    path,
    source,
    imports: resolved(/^import [^;]*?'([^']+)';$/gmu),
    typeImports: resolved(/@import [^;]*? from '([^']+)'/gu),
  };
}
