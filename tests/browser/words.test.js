// The phrases of the page in all languages.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

const WEB = new URL('../../web/', import.meta.url);
const { default: phrases } = await import(new URL('phrases.js', WEB));
const rows = phrases
  .trim()
  .split('\n')
  .map((row) => row.split('|'));

test('every phrase exists in every language, with the same placeholders', () => {
  const placesIn = (text) => [...new Set(text.match(/\{\w+\}/gu))].sort();
  for (const [key, ...phrases] of rows) {
    assert.equal(phrases.length, 5, key);
    for (const phrase of phrases) {
      const forms = phrase.split('~');
      assert.ok(forms.length <= 2, key);
      for (const form of forms) {
        assert.ok(form.trim(), key);
        assert.deepEqual(placesIn(form), placesIn(phrases[0].split('~')[0]), `${key}: ${form}`);
      }
    }
  }
  assert.equal(new Set(rows.map(([key]) => key)).size, rows.length);
});

test('the page uses exactly the phrases that exist', async () => {
  const sources = [];
  for (const name of await readdir(WEB)) {
    if (/\.(?:js|html)$/u.test(name) && name !== 'phrases.js') sources.push(await readFile(new URL(name, WEB), 'utf8'));
  }
  const source = sources.join('\n');
  const keys = rows.map(([key]) => key);
  const asked = [...source.matchAll(/\bsay\('(\w+)'|data-(?:say|label|title|hint)="(\w+)"/gu)].map(([, a, b]) => a ?? b);
  assert.ok(asked.length > 30);
  for (const key of asked) assert.ok(keys.includes(key), `no phrase for ${key}`);
  const isUsed = (key) => new RegExp(`\\b${key.replace(/^help_/u, '')}\\b`, 'u').test(source);
  assert.deepEqual(keys.filter((key) => !isUsed(key)), []);
});

test('the page uses the first preferred language that it has', async (t) => {
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
    const found = await page.evaluate(() => [document.documentElement.lang, document.querySelector('[name=send]').textContent]);
    assert.deepEqual(found, expected, languages);
  }
});

test('placeholders are replaced once, and numbers choose the plural form', async (t) => {
  const server = await TestServer.start(t);
  const { words } = await openIn(server, ['en']);
  assert.deepEqual(
    await words(({ say }) => [
      say('renamed', { from: '{to}', to: '$& {from}' }),
      say('n_new', { n: 1 }),
      say('n_new', { n: 1234 }),
    ]),
    ['{to} is now $& {from}', '1 new message', '1,234 new messages'],
  );
  const { words: french } = await openIn(server, ['fr']);
  assert.deepEqual(
    await french(({ say }) => [0, 1_000_000].map((n) => say('n_new', { n }).replace(/\s/gu, ' '))),
    ['0 nouveau message', '1 000 000 nouveaux messages'],
  );
  const { words: chinese } = await openIn(server, ['zh-CN']);
  assert.equal(await chinese(({ say }) => say('n_new', { n: 1 })), '1 条新消息');
});

test('elements are filled with the phrases that their data attributes name', async (t) => {
  const server = await TestServer.start(t);
  const { words } = await openIn(server, ['de']);
  const filled = await words(({ fillIn }) => {
    const [button, input] = [document.createElement('button'), document.createElement('input')];
    Object.assign(button.dataset, { say: 'send', title: 'copy' });
    Object.assign(input.dataset, { label: 'people', hint: 'write', other: 'save' });
    document.body.append(button, input);
    fillIn();
    return [button.textContent, button.title, input.getAttribute('aria-label'), input.placeholder];
  });
  assert.deepEqual(filled, ['Senden', 'Kopieren', 'Leute', 'Schreib etwas']);
});

test('times and days are formatted for the language', async (t) => {
  const server = await TestServer.start(t);
  const say = ({ day, time }) => {
    const then = new Date(2024, 2, 29, 15, 5).getTime();
    return [day(then), time(then).replace(/\s/gu, ' ')];
  };
  const { words: american } = await openIn(server, ['en-US']);
  assert.deepEqual(await american(say), ['Friday, March 29, 2024', '3:05 PM']);
  const { words: german } = await openIn(server, ['de']);
  assert.deepEqual(await german(say), ['Freitag, 29. März 2024', '15:05']);
});

/** Opens the page in a browser that prefers `languages`. `words` calls the module. */
async function openIn(server, languages) {
  const preference = JSON.stringify(languages);
  const script = `Object.defineProperty(Navigator.prototype, 'languages', { get: () => ${preference} });`;
  const { page } = await server.openPage({ script });
  return {
    page,
    async words(question, value) {
      const module = await page.evaluateHandle(() => import('/words.js'));
      return module.evaluate(question, value);
    },
  };
}
