// Whatever people call themselves and their rooms, and whatever they write, is
// shown and never run.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { House } from './support/page.js';

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
const NAMES = ['<b onclick=runs++>', '<svg/onload=runs++>', '"><img src onerror=a', '__proto__', 'constructor', '<script>runs++'];

/** In the page: whoever runs a payload is counted. */
function countRuns() {
  window.runs = 0;
}

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

/** Nothing of what was written became an element that one has not expected, and nothing ran. */
async function isHarmless({ page, faults }) {
  const links = page.locator('#messages a');
  // What waits for the pointer gets it.
  for (let index = 0; index < (await links.count()); index += 1) await links.nth(index).hover();
  const { runs, strange } = await page.evaluate(() => {
    const isStrange = ({ tagName, attributes, href }) =>
      /^(SCRIPT|IMG|SVG|IFRAME|OBJECT|VIDEO|STYLE|MATH|DETAILS)$/iu.test(tagName) ||
      [...attributes].some(({ name }) => name.startsWith('on')) ||
      (href && !/^https?:/u.test(href));
    const elements = [...document.querySelectorAll('#messages *, #side *, header *')];
    return { runs: window.runs, strange: elements.filter(isStrange).map((it) => it.outerHTML) };
  });
  assert.deepEqual({ runs, strange, faults }, { runs: 0, strange: [], faults: [] });
}

test('texts are not run, as they come, replayed or in private', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana', script: countRuns });
  const mallory = await house.enter('mallory');
  for (const payload of PAYLOADS) mallory.say(payload);
  mallory.say('marker');
  await ana.reads('marker');
  assert.equal((await ana.texts()).length, PAYLOADS.length + 1);
  assert.equal((await ana.texts())[0], PAYLOADS[0]);
  await isHarmless(ana);

  // Her own words, and the ones that are recalled from what was.
  await ana.say(`/me ${PAYLOADS[6]}`);
  await ana.say(PAYLOADS[9]);
  await ana.reads(PAYLOADS[9]);
  await ana.page.reload();
  await ana.is('connected');
  await ana.reads(PAYLOADS[9]);
  assert.equal((await ana.texts()).length, PAYLOADS.length + 3);
  await isHarmless(ana);

  // In parts, since so much may be told at once.
  for (const payload of [...PAYLOADS, 'marker']) await mallory.tellInTime('ana', payload);
  await ana.page.locator('#rooms', { hasText: '@mallory' }).locator('.badge', { hasText: String(PAYLOADS.length + 1) }).waitFor();
  await ana.say('/msg mallory');
  await ana.reads('marker');
  assert.equal((await ana.texts()).length, PAYLOADS.length + 1);
  await isHarmless(ana);
});

test('nicknames are not run', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: '<img src onerror=runs++>', script: countRuns });
  assert.equal(await ana.nickname(), '<img src onerror=runs++>');
  for (const nick of NAMES) {
    const mallory = await house.enter(nick);
    assert.equal(mallory.nick, nick);
    mallory.say(`I am ${nick}`);
    mallory.tell('<img src onerror=runs++>', 'psst');
    await ana.reads(`I am ${nick}`);
    await ana.page.locator('#people .author').getByText(nick, { exact: true }).waitFor();
    await ana.page.locator('#rooms bdi').getByText(`@${nick}`, { exact: true }).waitFor();
  }
  await ana.say('/nick <svg onload=runs++>');
  await ana.page.locator('#nickname', { hasText: '<svg onload=runs++>' }).waitFor();
  await isHarmless(ana);
});

test('rooms are not run, from the address or from the input', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana', script: countRuns });
  for (const payload of PAYLOADS) {
    await ana.page.evaluate((room) => (location.hash = encodeURIComponent(room)), payload);
    await ana.page.waitForFunction(() => document.querySelector('#objection').textContent);
    await ana.page.locator('#join input').evaluate((input, room) => {
      input.value = room;
      input.form.requestSubmit();
    }, payload);
    await ana.page.locator('#title', { hasText: '#lobby' }).waitFor();
  }
  await isHarmless(ana);
  await ana.say('/join kitchen');
  await ana.page.locator('#title', { hasText: '#kitchen' }).waitFor();
  await isHarmless(ana);
});

test('an address with half an escape leads to the lobby', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana', at: '/#%' });
  await ana.page.locator('#title', { hasText: '#lobby' }).waitFor();
  await ana.say('here');
  await ana.reads('here');
});

test('a room may have a name that means something to JavaScript', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana' });
  for (const room of ['constructor', '__proto__', 'tostring']) {
    await ana.say(`/join ${room}`);
    await ana.page.locator('#title', { hasText: `#${room}` }).waitFor();
    assert.equal(await ana.input.inputValue(), '');
    await ana.say(`in ${room}`);
    await ana.reads(`in ${room}`);
  }
});
