// The types in the comments of the page's modules are right.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { modules } from './support/modules.js';

const COMPILER = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
const CONFIG = fileURLToPath(new URL('tsconfig.json', import.meta.url));
const EDITOR_CONFIG = new URL('../../jsconfig.json', import.meta.url);
const WEB = new URL('../../web/', import.meta.url);
const TIME_MAX_MS = 120_000;

test('the compiler finds no type error in any module', async () => {
  const args = [COMPILER, '--project', CONFIG, '--listFiles'];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: TIME_MAX_MS });
  assert.equal(status, 0, stdout);
  for (const { path } of await modules()) assert.ok(stdout.includes(`/web/${path}\n`), `${path} is not checked`);
});

test('editors check the types, too', async () => {
  const { extends: path } = JSON.parse(await readFile(EDITOR_CONFIG, 'utf8'));
  assert.equal(fileURLToPath(new URL(path, EDITOR_CONFIG)), CONFIG);
});

test('no type of the page has the name of one of the browser, which would be merged with it', async () => {
  const ofBrowser = await readFile(new URL(import.meta.resolve('typescript/lib/lib.dom.d.ts')), 'utf8');
  let count = 0;
  for (const folder of ['net', 'model', 'view']) {
    const types = await readFile(new URL(`${folder}/types.d.ts`, WEB), 'utf8');
    for (const [, name] of types.matchAll(/^(?:type|interface) (\w+)/gmu)) {
      assert.doesNotMatch(ofBrowser, new RegExp(`^(?:interface|type|declare var) ${name}\\b`, 'mu'), name);
      count += 1;
    }
  }
  assert.ok(count > 30, `${count} types`);
});

test('type checks are not switched off anywhere', async () => {
  for (const { path, source } of await modules()) assert.doesNotMatch(source, /@ts-(?:ignore|nocheck|expect-error)/u, path);
});

/** Elements in HTML, by the name of their interface. */
const TAGS = {
  HTMLButtonElement: 'button',
  HTMLDialogElement: 'dialog',
  HTMLFormElement: 'form',
  HTMLImageElement: 'img',
  HTMLInputElement: 'input',
  HTMLLinkElement: 'link',
  HTMLSelectElement: 'select',
  HTMLTextAreaElement: 'textarea',
};

test('index.html has each element that the types promise', async () => {
  const html = await readFile(new URL('index.html', WEB), 'utf8');
  const types = await readFile(new URL('view/types.d.ts', WEB), 'utf8');
  const elements = [...types.matchAll(/^\t(\w+): (HTML\w*Element);$/gmu)];
  assert.ok(elements.length > 30);
  for (const [, id, type] of elements) {
    const tag = new RegExp(`<(\\w+)[^>]* id="${id}"`, 'u').exec(html)?.[1];
    assert.ok(tag, `#${id} is missing`);
    if (type !== 'HTMLElement') assert.equal(tag, TAGS[type], id);
  }
});
