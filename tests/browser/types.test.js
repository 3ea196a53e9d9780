// The types in the comments of the page's modules are right.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { modules } from './support/modules.js';

const COMPILER = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
const CONFIG = fileURLToPath(new URL('tsconfig.json', import.meta.url));
const TIME_MAX_MS = 120_000;

const check = (...args) => spawnSync(process.execPath, [COMPILER, '--project', CONFIG, ...args], { encoding: 'utf8', timeout: TIME_MAX_MS });

test('the compiler finds no type error in any module', async () => {
  const { status, stdout } = check('--listFiles');
  assert.equal(status, 0, stdout);
  for (const module of await modules()) {
    assert.ok(stdout.includes(`/web/${module.path}\n`), `${module.path} is not checked`);
    assert.match(module.source, /^\/\/ @ts-check\n/u, `${module.path} does not ask editors to check it`);
  }
});

test('type checks are not switched off anywhere', async () => {
  for (const { path, source } of await modules()) assert.doesNotMatch(source, /@ts-(?:ignore|nocheck|expect-error)/u, path);
});
