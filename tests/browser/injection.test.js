// Scripts in texts, nicknames and room names are shown and never run.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

const RUN = 'window.runs++';
const PAYLOADS = [
  `<script>${RUN}</script>`,
  `"><script>${RUN}</script>`,
  `'><script>${RUN}</script>`,
  `</textarea><script>${RUN}</script>`,
  `</title><script>${RUN}</script>`,
  `<scr<script>ipt>${RUN}</scr</script>ipt>`,
  `<img src=x onerror=${RUN}>`,
  `<img src=x onerror="${RUN}">`,
  `<IMG SRC=x ONERROR=${RUN}>`,
  `<svg onload=${RUN}>`,
  `<svg/onload=${RUN}>`,
  `<svg><script>${RUN}</script></svg>`,
  `<svg><animate onbegin=${RUN} attributeName=x dur=1s>`,
  `<body onload=${RUN}>`,
  `<input autofocus onfocus=${RUN}>`,
  `<details open ontoggle=${RUN}>`,
  `<video><source onerror=${RUN}></video>`,
  `<iframe src="javascript:parent.${RUN}"></iframe>`,
  `<iframe srcdoc="<script>parent.${RUN}</script>"></iframe>`,
  `<object data="javascript:${RUN}"></object>`,
  `<a href="javascript:${RUN}">x</a>`,
  `<math><mtext><style><img src=x onerror=${RUN}></style></mtext></math>`,
  `<noscript><p title="</noscript><img src=x onerror=${RUN}>">`,
  `<style>@import 'data:text/css,*{color:red}'</style>`,
  `javascript:${RUN}`,
  `https://example.org/"onmouseover="${RUN}`,
  `https://example.org/'onmouseover='${RUN}`,
  `*<img src=x onerror=${RUN}>* _<svg onload=${RUN}>_`,
  `\`<img src=x onerror=${RUN}>\` \`\`\`<script>${RUN}</script>\`\`\``,
  `{{constructor.constructor('${RUN}')()}} \${${RUN}} <%= ${RUN} %>`,
];
const NICKNAMES = ['<b onclick=runs++>', '<svg/onload=runs++>', '"><img src onerror=a', '__proto__', 'constructor', '<script>runs++'];

/** In the page: each payload that runs raises this number. */
const script = () => (window.runs = 0);

/** Checks that no payload has run, or has become an element. */
async function checkHarmless({ page, faults }) {
  const links = page.locator('#messages a');
  // Some payloads run when the pointer is over them.
  for (let index = 0; index < (await links.count()); index += 1) await links.nth(index).hover();
  const { runs, unexpected } = await page.evaluate(() => {
    const isUnexpected = ({ tagName, attributes, href }) =>
      /^(SCRIPT|IMG|SVG|IFRAME|OBJECT|VIDEO|STYLE|MATH|DETAILS)$/iu.test(tagName) ||
      [...attributes].some(({ name }) => name.startsWith('on')) ||
      (href && !/^https?:/u.test(href));
    const elements = [...document.querySelectorAll('#messages *, #side *, header *')];
    return { runs: window.runs, unexpected: elements.filter(isUnexpected).map((it) => it.outerHTML) };
  });
  assert.deepEqual({ runs, unexpected, faults }, { runs: 0, unexpected: [], faults: [] });
}

test('scripts in texts are not run: live, after a reload, and in private messages', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', script });
  const mallory = await server.connect('mallory');
  await mallory.sayAll([...PAYLOADS, 'marker']);
  await ana.waitForMessage('marker');
  assert.equal((await ana.texts()).length, PAYLOADS.length + 1);
  assert.equal((await ana.texts())[0], PAYLOADS[0]);
  await checkHarmless(ana);

  // Our own messages, and all of them after a reload.
  await ana.say(`/me ${PAYLOADS[6]}`);
  await ana.say(PAYLOADS[9]);
  await ana.waitForMessage(PAYLOADS[9]);
  await ana.reload();
  await ana.waitForMessage(PAYLOADS[9]);
  assert.equal((await ana.texts()).length, PAYLOADS.length + 3);
  await checkHarmless(ana);

  for (const payload of [...PAYLOADS, 'marker']) await mallory.tell('ana', payload);
  await ana.page.locator('#rooms', { hasText: '@mallory' }).locator('.badge', { hasText: String(PAYLOADS.length + 1) }).waitFor();
  await ana.say('/msg mallory');
  await ana.waitForMessage('marker');
  assert.equal((await ana.texts()).length, PAYLOADS.length + 1);
  await checkHarmless(ana);
});

test('scripts in nicknames are not run', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: '<img src onerror=runs++>', script });
  assert.equal(await ana.nickname(), '<img src onerror=runs++>');
  for (const nick of NICKNAMES) {
    const mallory = await server.connect(nick);
    await mallory.say(`I am ${nick}`);
    await mallory.tell('<img src onerror=runs++>', 'psst');
    await ana.waitForMessage(`I am ${nick}`);
    await ana.page.locator('#people .author').getByText(nick, { exact: true }).waitFor();
    await ana.page.locator('#rooms bdi').getByText(`@${nick}`, { exact: true }).waitFor();
  }
  await ana.say('/nick <svg onload=runs++>');
  await ana.page.locator('#nickname', { hasText: '<svg onload=runs++>' }).waitFor();
  await checkHarmless(ana);
});

test('scripts in room names are not run, from the address or the input', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', script });
  for (const payload of PAYLOADS) {
    await ana.page.evaluate((room) => (location.hash = encodeURIComponent(room)), payload);
    await ana.page.waitForFunction(() => document.querySelector('#objection').textContent);
    await ana.page.locator('#join input').evaluate((input, room) => {
      input.value = room;
      input.form.requestSubmit();
    }, payload);
    await ana.waitForConversation('#lobby');
  }
  await checkHarmless(ana);
  await ana.say('/join kitchen');
  await ana.waitForConversation('#kitchen');
  await checkHarmless(ana);
});

test('an address with an incomplete escape leads to the lobby', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', path: '/#%' });
  await ana.waitForConversation('#lobby');
  await ana.say('here');
  await ana.waitForMessage('here');
});

test('a room can have the name of a property of all JavaScript objects', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  for (const room of ['constructor', '__proto__', 'tostring']) {
    await ana.say(`/join ${room}`);
    await ana.waitForConversation(`#${room}`);
    assert.equal(await ana.input.inputValue(), '');
    await ana.say(`in ${room}`);
    await ana.waitForMessage(`in ${room}`);
  }
});
