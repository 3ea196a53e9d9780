// How the timeline is put together: authors, days, times, comings and goings,
// and what becomes of texts.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';
import { withTimesOfDay } from './support/times.js';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

test('what one person says within five minutes stands together', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana', prepare: withTimesOfDay });
  const bo = await chat.join('bo');
  const cy = await chat.join('cy');

  await bo.say('10:00 one');
  await bo.say('10:04 two');
  await bo.say('10:09 three');
  await cy.say('10:09 four');
  await bo.say('10:09 five');
  await bo.say('10:10 waves', { kind: 'me' });
  await bo.say('10:10 six');
  await ana.reads('bo', 'six');
  const messages = (await ana.timeline()).filter((item) => item.nick);
  assert.deepEqual(
    messages.map(({ text, continues }) => [text, continues]),
    [['one', false], ['two', true], ['three', false], ['four', false], ['five', false], ['bo waves', false], ['six', false]],
  );
  const bylines = await ana.page
    .locator('.byline')
    .evaluateAll((all) => all.map((byline) => getComputedStyle(byline).clipPath === 'none'));
  assert.deepEqual(bylines, [true, false, true, true, true, true, true]);
  const times = await ana.page.locator('#messages time').allTextContents();
  assert.deepEqual(times.slice(0, 2).map((time) => time.replace(/\s/gu, ' ')), ['10:00 AM', '10:04 AM']);
});

test('each day begins with its name', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const name = (days) => new Date(Date.now() + days * 864e5).toLocaleDateString('en-US', { dateStyle: 'full' });
  await bo.say('-1 23:58 one');
  await bo.say('-1 23:59 two');
  await bo.say('00:01 three');
  await bo.say('00:02 four');
  const ana = await chat.visit(browser, { nick: 'ana', prepare: withTimesOfDay });

  await ana.reads('bo', 'four');
  const messages = await ana.timeline();
  assert.deepEqual(
    messages.map(({ day, text, continues }) => [day, text, continues]),
    [[name(-1), 'one', false], [undefined, 'two', true], [name(0), 'three', false], [undefined, 'four', true]],
  );
});

test('comings and goings between two messages are one quiet line', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const bo = await chat.join('bo');
  const cy = await chat.join('cy');
  await ana.readsNotice('bo, cy joined');
  await bo.say('hello');
  await cy.part('lobby');
  const dan = await chat.join('dan');
  await ana.readsNotice('dan joined · cy left');
  await dan.rename('Daniel');
  await ana.readsNotice('dan joined · cy left · dan is now Daniel');
  await cy.join('lobby');
  await ana.readsNotice('dan joined · dan is now Daniel');
  await bo.say('marker');
  await ana.reads('bo', 'marker');
  assert.deepEqual(
    (await ana.timeline()).map(({ notice, text }) => notice ?? text),
    ['bo, cy joined', 'hello', 'dan joined · dan is now Daniel', 'marker'],
  );
});

test('who only came and went leaves no line behind', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const bo = await chat.join('bo');
  await bo.say('hello');
  const cy = await chat.join('cy');
  await ana.readsNotice('cy joined');
  await cy.leave();
  await bo.hears('left', { nick: 'cy' });
  await bo.say('marker');
  await ana.reads('bo', 'marker');
  const heights = await ana.page.locator('#messages .changes').evaluateAll((all) => all.map((it) => it.offsetHeight));
  assert.equal(heights.at(-1), 0);
});

test('what is written becomes nodes: links, code, emphasis, emoji, actions and our nickname', async (t) => {
  const chat = await Chat.open(t);
  const bo = await chat.join('bo');
  const ana = await chat.visit(browser, { nick: 'ana' });

  await bo.say('ana: see http://a.example/ `x` *bold* _soft_ :tada:\n```js\nlet y;\n```');
  await bo.say('waves at _all_', { kind: 'me' });
  await ana.reads('bo', 'bo waves at all');
  const html = await ana.page.locator('#messages .text').evaluateAll((all) => all.map((text) => text.innerHTML));
  assert.deepEqual(html, [
    '<mark class="mention">ana</mark>: see ' +
      '<a href="http://a.example/" rel="noopener noreferrer nofollow" target="_blank">http://a.example/</a> ' +
      '<code>x</code> <strong>bold</strong> <em>soft</em> 🎉<pre><code>let y;</code></pre>',
    '<bdi>bo</bdi> waves at <em>all</em>',
  ]);
});

test('everybody has a colour of their own', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  for (const nick of ['bo', 'cy']) await (await chat.join(nick)).say('hello');
  await ana.reads('cy', 'hello');
  const colours = (selector) =>
    ana.page.locator(selector).evaluateAll((all) => all.map((name) => [name.textContent, getComputedStyle(name).color]));
  const said = Object.fromEntries(await colours('#messages .author'));
  assert.notEqual(said.bo, said.cy);
  const listed = Object.fromEntries(await colours('#people .author'));
  assert.deepEqual([listed.bo, listed.cy], [said.bo, said.cy]);
});
