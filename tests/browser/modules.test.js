// The modules of the page import each other in one direction.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { modules } from './support/modules.js';

const WEB = new URL('../../web/', import.meta.url);
/** The folders of `web/`, from the lowest. A module imports from its own folder and those below it. */
const LAYERS = ['i18n', 'storage', 'net', 'model', 'view'];
/** Maximum number of lines of a module. */
const LINES_MAX = 260;

const layerOf = (path) => (path.includes('/') ? LAYERS.indexOf(path.split('/')[0]) : LAYERS.length);

test('each folder imports only from those below it', async () => {
  let count = 0;
  for (const { path, imports } of await modules()) {
    assert.notEqual(layerOf(path), -1, `${path} is in no known folder`);
    for (const imported of imports) {
      assert.ok(layerOf(imported) <= layerOf(path), `${path} imports ${imported}`);
      count += 1;
    }
  }
  assert.ok(count > 40, `${count} imports`);
});

test('each folder uses only its own types and those of the folders below it', async () => {
  const sources = (await modules()).map(({ path, source }) => [path, typesIn(source)]);
  const folderOf = new Map();
  for (const folder of LAYERS.slice(LAYERS.indexOf('net'))) {
    const path = `${folder}/types.d.ts`;
    const declarations = await readFile(new URL(path, WEB), 'utf8');
    sources.push([path, declarations.replace(/\/\*[^]*?\*\/|\/\/.*/gu, '')]);
    for (const [, name] of declarations.matchAll(/^(?:type|interface) (\w+)/gmu)) folderOf.set(name, folder);
  }
  let count = 0;
  for (const [path, types] of sources) {
    for (const [name] of types.matchAll(/\b[A-Z]\w+/gu)) {
      if (!folderOf.has(name)) continue;
      assert.ok(LAYERS.indexOf(folderOf.get(name)) <= layerOf(path), `${path} uses the type ${name}`);
      count += 1;
    }
  }
  assert.ok(count > 100, `${count} uses of types`);
});

/** Returns what stands in braces in the comments of a module. */
const typesIn = (source) => (source.match(/\/\*\*[^]*?\*\//gu) ?? []).map((comment) => comment.match(/\{[^]*\}/u)?.[0]).join('\n');

test('no module imports itself by way of others', async () => {
  const importsOf = new Map((await modules()).map(({ path, imports }) => [path, imports]));
  const done = new Set();
  const visit = (path, trail) => {
    assert.ok(!trail.includes(path), [...trail, path].join(' → '));
    if (done.has(path)) return;
    assert.ok(importsOf.has(path), `${trail.at(-1)} imports ${path}, which does not exist`);
    for (const imported of importsOf.get(path)) visit(imported, [...trail, path]);
    done.add(path);
  };
  for (const path of importsOf.keys()) visit(path, []);
});

test('each module is imported, and index.html tells the browser to load it at once', async () => {
  const all = await modules();
  const imported = new Set(all.flatMap(({ imports }) => imports));
  const others = all.map(({ path }) => path).filter((path) => path !== 'main.js');
  assert.deepEqual([...imported].sort(), others);
  const html = await readFile(new URL('index.html', WEB), 'utf8');
  const preloaded = [...html.matchAll(/<link rel="modulepreload" href="([^"]+)">/gu)].map(([, path]) => path);
  assert.deepEqual(preloaded, others);
});

test('modules are short', async () => {
  for (const { path, source } of await modules()) {
    const lines = source.split('\n').length - 1;
    assert.ok(lines <= LINES_MAX, `${path} has ${lines} lines`);
  }
});
