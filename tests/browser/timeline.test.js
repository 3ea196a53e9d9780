// The timeline: authors, days, times, arrivals and departures, and texts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MessageProxy } from './support/network.js';
import { TestServer } from './support/server.js';

/**
 * Changes the times of messages for the page. A text `10:02 text` was sent today
 * at that time, and `-1 10:02 text` on the day before. The page gets only `text`.
 */
const proxyWithTimes = () =>
  new MessageProxy({
    event(event, { toPage }) {
      toPage(withTime(event));
      return true;
    },
  });

function withTime(event) {
  const messages = event.messages?.map(withTime);
  const [, day = 0, hour, minute, text] = /^(?:(-\d+) )?(\d\d):(\d\d) (.*)$/u.exec(event.text) ?? [];
  if (!text) return { ...event, messages };
  const date = new Date();
  date.setDate(date.getDate() + Number(day));
  return { ...event, text, time: date.setHours(hour, minute, 0, 0) };
}

test('messages of one user within five minutes are grouped', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', proxy: proxyWithTimes() });
  const bo = await server.connect('bo');
  const cy = await server.connect('cy');

  await bo.sayAll(['10:00 one', '10:04 two', '10:09 three']);
  await cy.say('10:09 four');
  await bo.say('10:09 five');
  await bo.say('10:10 waves', { kind: 'me' });
  await bo.say('10:10 six');
  await ana.waitForMessage('six', 'bo');
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

test('each day begins with its date', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const name = (days) => new Date(Date.now() + days * 864e5).toLocaleDateString('en-US', { dateStyle: 'full' });
  await bo.sayAll(['-1 23:58 one', '-1 23:59 two', '00:01 three', '00:02 four']);
  const ana = await server.openPage({ nick: 'ana', proxy: proxyWithTimes() });

  await ana.waitForMessage('four', 'bo');
  const messages = await ana.timeline();
  assert.deepEqual(
    messages.map(({ day, text, continues }) => [day, text, continues]),
    [[name(-1), 'one', false], [undefined, 'two', true], [name(0), 'three', false], [undefined, 'four', true]],
  );
});

test('arrivals, departures and renames between two messages share one line', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const bo = await server.connect('bo');
  const cy = await server.connect('cy');
  await ana.waitForNotice('bo, cy joined');
  await bo.say('hello');
  await cy.part('lobby');
  const dan = await server.connect('dan');
  await ana.waitForNotice('dan joined · cy left');
  await dan.rename('Daniel');
  await ana.waitForNotice('dan joined · cy left · dan is now Daniel');
  await cy.join('lobby');
  await ana.waitForNotice('dan joined · dan is now Daniel');
  await bo.say('marker');
  await ana.waitForMessage('marker', 'bo');
  assert.deepEqual(
    (await ana.timeline()).map(({ notice, text }) => notice ?? text),
    ['bo, cy joined', 'hello', 'dan joined · dan is now Daniel', 'marker'],
  );
});

test('a user that arrives and leaves between two messages adds no line', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const bo = await server.connect('bo');
  await bo.say('hello');
  const cy = await server.connect('cy');
  await ana.waitForNotice('cy joined');
  await cy.close();
  await bo.waitFor('left', { nick: 'cy' });
  await bo.say('marker');
  await ana.waitForMessage('marker', 'bo');
  const heights = await ana.page.locator('#messages .changes').evaluateAll((all) => all.map((it) => it.offsetHeight));
  assert.equal(heights.at(-1), 0);
});

test('a message is rendered with links, code, emphasis, emoji, actions and mentions', async (t) => {
  const server = await TestServer.start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });

  await bo.say('ana: see http://a.example/ `x` *bold* _soft_ :tada:\n```js\nlet y;\n```');
  await bo.say('waves at _all_', { kind: 'me' });
  await ana.waitForMessage('bo waves at all', 'bo');
  const html = await ana.page.locator('#messages .text').evaluateAll((all) => all.map((text) => text.innerHTML));
  assert.deepEqual(html, [
    '<mark class="mention">ana</mark>: see ' +
      '<a href="http://a.example/" rel="noopener noreferrer nofollow" target="_blank">http://a.example/</a> ' +
      '<code>x</code> <strong>bold</strong> <em>soft</em> 🎉<pre><code>let y;</code></pre>',
    '<bdi>bo</bdi> waves at <em>all</em>',
  ]);
});

test('nicknames have different colours, the same in messages and in the list', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  for (const nick of ['bo', 'cy']) await (await server.connect(nick)).say('hello');
  await ana.waitForMessage('hello', 'cy');
  const colours = (selector) =>
    ana.page.locator(selector).evaluateAll((all) => all.map((name) => [name.textContent, getComputedStyle(name).color]));
  const said = Object.fromEntries(await colours('#messages .author'));
  assert.notEqual(said.bo, said.cy);
  const listed = Object.fromEntries(await colours('#people .author'));
  assert.deepEqual([listed.bo, listed.cy], [said.bo, said.cy]);
});
