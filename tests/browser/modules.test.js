// The modules of the page import each other in one direction.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { modules } from './support/modules.js';

/** The folders of `web/`, from the lowest. A module imports from its own folder and those below it. */
const LAYERS = ['i18n', 'storage', 'net', 'model', 'view'];
/** Maximum number of lines of a module. */
const LINES_MAX = 260;

const layerOf = (path) => (path.includes('/') ? LAYERS.indexOf(path.split('/')[0]) : LAYERS.length);

test('each folder imports only from those below it, for types as well', async () => {
  let count = 0;
  for (const { path, imports, typeImports } of await modules()) {
    assert.notEqual(layerOf(path), -1, `${path} is in no known folder`);
    for (const imported of [...imports, ...typeImports]) {
      assert.ok(layerOf(imported) <= layerOf(path), `${path} imports ${imported}`);
      count += 1;
    }
  }
  assert.ok(count > 50, `${count} imports`);
});

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

test('each module is imported, at least for its types', async () => {
  const all = await modules();
  const imported = new Set(all.flatMap(({ imports, typeImports }) => [...imports, ...typeImports]));
  assert.deepEqual(all.map(({ path }) => path).filter((path) => !imported.has(path)), ['main.js']);
});

test('modules are short', async () => {
  for (const { path, source } of await modules()) {
    const lines = source.split('\n').length - 1;
    assert.ok(lines <= LINES_MAX, `${path} has ${lines} lines`);
  }
});
