// The texts of the page in all languages.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { modules } from './support/modules.js';
import { TestServer } from './support/server.js';

const WEB = new URL('../../web/', import.meta.url);
// Node 20 has no navigator.
globalThis.navigator ??= { languages: [] };
const { LANGUAGES, STRINGS } = await import(new URL('i18n/texts.js', WEB));
const keys = Object.keys(STRINGS);

test('every text is there in every language, with the same names for values', () => {
  const namesIn = (text) => [...new Set(text.match(/\{\w+\}/gu))].sort();
  for (const key of keys) {
    const texts = STRINGS[key].split('|');
    assert.equal(texts.length, LANGUAGES.length, key);
    for (const form of texts.flatMap((text) => text.split('~'))) {
      assert.ok(form.trim(), key);
      assert.deepEqual(namesIn(form), namesIn(texts[0].split('~')[0]), `${key}: ${form}`);
    }
  }
});

test('the page has a text for each key that it uses, and uses all of them', async () => {
  const sources = (await modules()).filter(({ path }) => path !== 'i18n/texts.js').map(({ source }) => source);
  const source = [await readFile(new URL('index.html', WEB), 'utf8'), ...sources].join('\n');
  const used = [...source.matchAll(/\btranslate\('(\w+)'|data-(?:text|label|title|placeholder)="(\w+)"/gu)].map(([, a, b]) => a ?? b);
  assert.ok(used.length > 30);
  for (const key of used) assert.ok(keys.includes(key), `there is no text for ${key}`);
  assert.deepEqual(keys.filter((key) => !new RegExp(`['"]${key}['"]`, 'u').test(source)), []);
});

test('the page uses the first language of the reader that it has texts for', async (t) => {
  const server = await TestServer.start(t);
  const spoken = {
    'de-CH': ['de-CH', 'Senden'],
    fr: ['fr', 'Envoyer'],
    'es-419, en': ['es-419', 'Enviar'],
    'zh-TW': ['zh-TW', '发送'],
    'pt-BR, fr-CA, en': ['fr-CA', 'Envoyer'],
    'en-GB, de': ['en-GB', 'Send'],
    'est, deu': ['en', 'Send'],
    '': ['en', 'Send'],
  };
  for (const [languages, expected] of Object.entries(spoken)) {
    const { page } = await openIn(server, languages ? languages.split(', ') : []);
    const found = await page.evaluate(() => [document.documentElement.lang, document.querySelector('#send').textContent]);
    assert.deepEqual(found, expected, languages);
  }
});

test('values replace their names, once, and numbers select the plural form', async (t) => {
  const server = await TestServer.start(t);
  const { words } = await openIn(server, ['en']);
  assert.deepEqual(
    await words(({ translate }) => [
      translate('renamed', { from: '{to}', to: '$& {from}' }),
      translate('n_new_messages', { n: 1 }),
      translate('n_new_messages', { n: 1234 }),
    ]),
    ['{to} is now $& {from}', '1 new message', '1,234 new messages'],
  );
  const { words: french } = await openIn(server, ['fr']);
  assert.deepEqual(
    await french(({ translate }) => [0, 1_000_000].map((n) => translate('n_new_messages', { n }).replace(/\s/gu, ' '))),
    ['0 nouveau message', '1 000 000 nouveaux messages'],
  );
  const { words: chinese } = await openIn(server, ['zh-CN']);
  assert.equal(await chinese(({ translate }) => translate('n_new_messages', { n: 1 })), '1 条新消息');
});

test('elements get the texts that their attributes name', async (t) => {
  const server = await TestServer.start(t);
  const { words } = await openIn(server, ['de']);
  const filled = await words(({ translatePage }) => {
    const [button, input] = [document.createElement('button'), document.createElement('input')];
    Object.assign(button.dataset, { text: 'send', title: 'copy' });
    Object.assign(input.dataset, { label: 'people', placeholder: 'write', other: 'save' });
    document.body.append(button, input);
    translatePage();
    return [button.textContent, button.title, input.getAttribute('aria-label'), input.placeholder];
  });
  assert.deepEqual(filled, ['Senden', 'Kopieren', 'Leute', 'Schreib etwas']);
});

test('times and days have the format of the language', async (t) => {
  const server = await TestServer.start(t);
  const format = ({ formatDay, formatTime }) => {
    const then = new Date(2024, 2, 29, 15, 5).getTime();
    return [formatDay(then), formatTime(then).replace(/\s/gu, ' ')];
  };
  const { words: american } = await openIn(server, ['en-US']);
  assert.deepEqual(await american(format), ['Friday, March 29, 2024', '3:05 PM']);
  const { words: german } = await openIn(server, ['de']);
  assert.deepEqual(await german(format), ['Freitag, 29. März 2024', '15:05']);
});

/** Opens the page in a browser that prefers `languages`. `words` calls a function with the module. */
async function openIn(server, languages) {
  const preference = JSON.stringify(languages);
  const script = `Object.defineProperty(Navigator.prototype, 'languages', { get: () => ${preference} });`;
  const { page } = await server.openPage({ script });
  return {
    page,
    async words(question, value) {
      const module = await page.evaluateHandle(() => import('/i18n/texts.js'));
      return module.evaluate(question, value);
    },
  };
}
