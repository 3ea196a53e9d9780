// Search: results, and the jump to a message in the history.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ATTACKS } from './support/attacks.js';
import { MessageProxy } from './support/network.js';
import { countEntries, distanceToEnd, scrollTo } from './support/scrolling.js';
import { jumpTo, results, search, waitUntilIndexed } from './support/search.js';
import { TestServer } from './support/server.js';
import { PHONE } from './support/user.js';
import { within } from './support/within.js';

const SCROLL_MAX_MS = 30_000;
const SCREENS = { desktop: {}, phone: PHONE };

/** Returns the numbers of the messages `line 1`, `line 2` … that are drawn. */
async function lines(user) {
  return (await user.texts()).filter((text) => /^line \d+$/u.test(text)).map((text) => Number(text.slice(5)));
}

/** Scrolls up or down until `text` is at that end of the timeline. No line may be missing on the way. */
async function scrollToText({ page }, text, isUp) {
  const scrolled = page.locator('#timeline').evaluate(
    async (timeline, [text, isUp]) => {
      const texts = () => [...timeline.querySelectorAll('#messages .text')].map((it) => it.textContent);
      const go = () => (timeline.scrollTop = isUp ? 0 : timeline.scrollHeight);
      for (go(); texts().at(isUp ? 0 : -1) !== text; go()) {
        await new Promise(requestAnimationFrame);
        const drawn = texts().filter((it) => /^line \d+$/u.test(it)).map((it) => Number(it.slice(5)));
        const broken = drawn.find((number, index) => index && number !== drawn[index - 1] + 1);
        if (broken) throw new Error(`line ${broken} is out of order in ${drawn}`);
      }
      go();
    },
    [text, isUp],
  );
  await within(SCROLL_MAX_MS, scrolled, `did not reach ${text}`);
}

for (const [screen, context] of Object.entries(SCREENS)) {
  test(`results are shown while typing, the newest first, on a ${screen}`, async (t) => {
    const server = await TestServer.start(t, { history: true });
    const bo = await server.connect('bo');
    const cy = await server.connect('cy', 'kitchen');
    await bo.say('The crème brûlée is gone');
    await cy.say('cream, and creme de la creme', { room: 'kitchen' });
    await bo.say('Scream!');
    await waitUntilIndexed(bo, 'cre', 2);
    const ana = await server.openPage({ nick: 'ana', context });
    const { page } = ana;
    if (screen === 'phone') await page.locator('#menu').tap();

    await search(ana, 'cre', '2');
    assert.deepEqual(await results(ana), [
      'cy #kitchen [cre]am, and [cre]me de la [cre]me',
      'bo #lobby The [crè]me brûlée is gone',
    ]);
    await search(ana, 'CREME gon', '1');
    assert.deepEqual(await results(ana), ['bo #lobby The [crème] brûlée is [gon]e']);
    assert.match(await page.locator('#results .soft').textContent(), /^#lobby · .*20\d\d.*\d:\d\d/u);
    assert.equal(await page.locator('#side').evaluate((side) => side.scrollWidth - side.clientWidth), 0);
    assert.equal(await page.getByRole('status').filter({ hasText: 'Messages: 1' }).count(), 1);

    await page.getByLabel('All rooms').uncheck();
    await search(ana, 'cream', '0');
    await search(ana, 'from:bo', '2');
    await page.getByLabel('All rooms').check();
    await search(ana, 'from:cy de', '1');
    assert.deepEqual(await results(ana), ['cy #kitchen cream, and creme [de] la creme']);
    assert.equal(await page.locator('#rooms').isVisible(), false);
    await page.getByRole('searchbox').fill('');
    await page.locator('#rooms').waitFor();

    await search(ana, 'la cr', '1');
    await jumpTo(ana, 'cream, and');
    await ana.waitForConversation('#kitchen');
    if (screen === 'phone') await page.locator('#side').waitFor({ state: 'hidden' });
    await cy.waitFor('arrived', { room: 'kitchen', nick: 'ana' });
  });
}

test('text in any script is found, and shown in its direction', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.sayAll(['今天一起吃午饭吗？', '昼ごはんです', 'มื้อเที่ยง', 'שלום לכולם', 'Straße, don’t', '𝒳 🎉']);
  await waitUntilIndexed(bo, '🎉');
  const ana = await server.openPage({ nick: 'ana' });
  const expected = {
    '午饭': '今天一起吃[午饭]吗？',
    'はん': '昼ご[はん]です',
    'เที่ยง': 'มื้อ[เที่ยง]',
    'ולם': 'שלום לכ[ולם]',
    'don’t': 'Straße, [don’t]',
    '🎉': '𝒳 [🎉]',
  };
  for (const [words, text] of Object.entries(expected)) {
    await search(ana, words, '1');
    assert.deepEqual(await results(ana), [`bo #lobby ${text}`]);
  }
  await search(ana, 'ולם', '1');
  assert.equal(await ana.page.locator('.excerpt').evaluate((text) => getComputedStyle(text).direction), 'rtl');
});

test('the excerpt of a long text contains the match', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.say(`${'before '.repeat(500)}needle ${'after '.repeat(500)}`);
  await waitUntilIndexed(bo, 'needle');
  const ana = await server.openPage({ nick: 'ana' });
  await search(ana, 'needle', '1');
  const mark = await ana.page.locator('#results mark').boundingBox();
  const result = await ana.page.locator('#results li').boundingBox();
  assert.ok(mark.y + mark.height <= result.y + result.height && result.height < 150, JSON.stringify([mark, result]));
});

test('markup in results is shown as text', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.sayAll(ATTACKS.map((text) => `needle ${text}`));
  await waitUntilIndexed(bo, 'needle', ATTACKS.length);
  const ana = await server.openPage({ nick: 'ana' });
  await search(ana, 'needle (', `${ATTACKS.length}`);
  const names = await ana.page.locator('#results li *').evaluateAll((all) => [...new Set(all.map(({ localName }) => localName))]);
  assert.deepEqual(names.toSorted(), ['bdi', 'button', 'mark', 'span']);
  assert.equal(await ana.page.evaluate(() => window.ran), undefined);
});

test('older results are loaded while scrolling', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.sayLines(120);
  await waitUntilIndexed(bo, 'line 120');
  const ana = await server.openPage({ nick: 'ana' });
  await search(ana, 'line', '50+');
  const scrolled = ana.page.locator('#side').evaluate(async (side) => {
    while (side.querySelectorAll('#results li').length < 120) {
      side.scrollTop = side.scrollHeight;
      await new Promise(requestAnimationFrame);
    }
  });
  await within(SCROLL_MAX_MS, scrolled, 'older results were not loaded');
  await ana.page.locator('#matches', { hasText: /: 120$/u }).waitFor();
  const expected = Array.from({ length: 120 }, (_, index) => `bo #lobby [line] ${120 - index}`);
  assert.deepEqual(await results(ana), expected);
});

test('while typing, one request is open at a time, and the last text is searched for', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.say('abcdefgh');
  await waitUntilIndexed(bo, 'abcdefgh');
  const asked = [];
  let answer;
  const proxy = new MessageProxy({
    request(request, { toServer }) {
      if (request.type !== 'search') return false;
      asked.push(request.query);
      answer = () => toServer(request);
      return true;
    },
  });
  const ana = await server.openPage({ nick: 'ana', proxy });
  const { page } = ana;
  const box = page.getByRole('searchbox');
  await page.clock.install();
  await box.pressSequentially('abcd');
  await page.clock.runFor(240);
  assert.deepEqual(asked, []);
  await page.clock.runFor(20);
  await box.pressSequentially('ef');
  await page.clock.runFor(2000);
  await box.pressSequentially('gh');
  await page.clock.runFor(2000);
  assert.deepEqual(asked, ['abcd']);
  answer();
  await page.locator('#results li').waitFor();
  await page.clock.runFor(300);
  assert.deepEqual(asked, ['abcd', 'abcdefgh']);
  answer();
  await page.locator('#results mark', { hasText: 'abcdefgh' }).waitFor();
});

test('a search beyond the rate limit is repeated, and an invalid one is explained', async (t) => {
  // A join counts as a message.
  const server = await TestServer.start(t, { history: true, args: ['--rate', '2', '--burst', '2'] });
  const bo = await server.connect('bo');
  await bo.say('needle');
  const ana = await server.openPage({ nick: 'ana' });
  await search(ana, 'needles', '0');
  for (const word of ['needle', 'needles', 'needle']) await search(ana, word, word === 'needle' ? '1' : '0');
  await ana.page.getByRole('searchbox').fill('?!');
  await ana.page.locator('#matches', { hasText: 'nothing to search for' }).waitFor();
  assert.deepEqual(await results(ana), []);
});

test('a result that is already loaded is scrolled to, without a request', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.sayLines(90);
  await waitUntilIndexed(bo, '"line 20"');
  const ana = await server.openPage({ nick: 'ana' });
  await ana.waitForMessage('line 90', 'bo');
  await search(ana, '"line 20"', '1');
  await jumpTo(ana, 'line 20');
  const { top, bottom } = await ana.page.locator('li:focus').evaluate((item) => item.getBoundingClientRect());
  assert.ok(top > 100 && bottom < 700, `the message is from ${top} to ${bottom}`);
  const background = (selector) => ana.page.locator(selector).first().evaluate((it) => getComputedStyle(it).backgroundColor);
  assert.notEqual(await background('li:focus .bubble'), await background('li:not(:focus) .bubble'));
  assert.deepEqual(ana.requests('history'), []);

  await bo.say('meanwhile');
  await ana.page.getByRole('button', { name: '1 new message', exact: true }).click();
  await ana.waitForMessage('meanwhile', 'bo');
  assert.equal(await distanceToEnd(ana), 0);
  await ana.page.locator('#newer').waitFor({ state: 'hidden' });
});

test('an old result is shown with its neighbours, and scrolling continues from there', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.sayLines(900);
  await waitUntilIndexed(bo, '"line 400"');
  const ana = await server.openPage({ nick: 'ana' });
  await ana.waitForMessage('line 900', 'bo');
  await search(ana, '"line 400"', '1');
  await jumpTo(ana, 'line 400');
  const drawn = await lines(ana);
  assert.ok(drawn.includes(390) && drawn.includes(405) && !drawn.includes(850), String(drawn));

  await bo.sayAll(['line 901', 'ana: line 902']);
  await ana.waitForNewMessages(2);
  assert.equal(await ana.page.title(), '(2) #lobby · chinwag');
  assert.ok(!(await lines(ana)).includes(901));

  await scrollToText(ana, 'line 1', true);
  assert.equal(await ana.page.locator('li:focus').count(), 0);
  await scrollToText(ana, 'ana: line 902', false);
  assert.ok((await countEntries(ana)) <= 310);
  await ana.page.locator('#newer').waitFor({ state: 'hidden' });
  assert.equal(await ana.page.title(), '#lobby · chinwag');
  await bo.say('line 903');
  await ana.waitForMessage('line 903', 'bo');
  assert.equal(await distanceToEnd(ana), 0);
});

test('a result keeps the focus while more messages are loaded', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.sayLines(400);
  await waitUntilIndexed(bo, '"line 200"');
  const ana = await server.openPage({ nick: 'ana' });
  await search(ana, '"line 200"', '1');
  await jumpTo(ana, 'line 200');
  await ana.waitForMessage('line 210', 'bo');
  await scrollTo(ana, 0);
  await ana.waitForMessage('line 150', 'bo');
  assert.equal(await ana.page.locator('li:focus .text').textContent(), 'line 200');
});

test('a button leads back to the newest messages, and so does sending one', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.sayLines(400);
  await waitUntilIndexed(bo, '"line 100"');
  const ana = await server.openPage({ nick: 'ana' });
  await search(ana, '"line 100"', '1');
  await jumpTo(ana, 'line 100');
  await ana.page.getByRole('button', { name: 'Jump to latest' }).click();
  await ana.waitForMessage('line 400', 'bo');
  assert.equal(await distanceToEnd(ana), 0);

  await jumpTo(ana, 'line 100');
  await bo.say('line 401');
  await ana.say('hello from the past');
  await ana.waitForOwnMessage('hello from the past');
  assert.deepEqual((await ana.texts()).slice(-3), ['line 400', 'line 401', 'hello from the past']);
  assert.equal(await distanceToEnd(ana), 0);

  await jumpTo(ana, 'line 100');
  await ana.say('/who');
  await ana.waitForNotice('People: bo, ana');
  assert.equal((await lines(ana)).at(-1), 401);
});

test('a jump to an older message leaves the unread ones of the room unread', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.join('kitchen');
  await bo.sayLines(300, { room: 'kitchen' });
  const ana = await server.openPage({ nick: 'ana', path: '/#kitchen' });
  await ana.waitForMessage('line 300', 'bo');
  await ana.say('/join lobby');
  await ana.waitForConversation('#lobby');
  await bo.say('unread', { room: 'kitchen' });
  await ana.waitForRooms('#lobby', '#kitchen 1');
  await waitUntilIndexed(bo, '"line 50"');
  await search(ana, '"line 50"', '1');
  await jumpTo(ana, 'line 50');
  await ana.waitForConversation('#kitchen');
  await ana.page.getByRole('searchbox').fill('');
  await ana.waitForRooms('#lobby', '#kitchen 1');
  await ana.select('#kitchen');
  await ana.waitForMessage('unread', 'bo');
  await ana.waitForRooms('#lobby', '#kitchen');
});

test('a broken connection keeps the scroll position in the past and loses nothing', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const network = await server.network();
  const bo = await server.connect('bo');
  await bo.sayLines(400);
  const ana = await server.openPage({ nick: 'ana', network });
  await ana.page.getByRole('searchbox').fill('"line 100"');
  await jumpTo(ana, 'line 100');
  network.break();
  await ana.waitForState('disconnected');
  await bo.say('missed');
  network.repair();
  await ana.waitForState('connected');
  await ana.waitForNewMessages(1);
  assert.ok((await ana.texts()).includes('line 100'));
  await scrollToText(ana, 'missed', false);
  assert.equal(await ana.page.locator('.gap').count(), 0);
  // The search works again.
  await search(ana, 'missed', '1');
});

test('a server without the history shows no messages of an earlier one', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.openPage({ nick: 'bo', outage: true });
  const ana = await server.openPage({ nick: 'ana', outage: true });
  for (const number of Array(5).keys()) await bo.say(`word ${number}`);
  await ana.waitForMessage('word 4');
  const cy = await server.connect('cy');
  await cy.sayLines(400);
  await ana.page.getByRole('searchbox').fill('"word 1"');
  await ana.page.locator('#results button').waitFor();
  await ana.reload();
  await ana.page.getByRole('searchbox').fill('"word 1"');
  await jumpTo(ana, 'word 1');
  await server.restart({ args: [] });
  await ana.waitForState('connected');
  await ana.page.locator('.gap').waitFor();
  assert.equal(await ana.page.locator('#query').isVisible(), false);
  assert.equal(await ana.page.locator('#rooms').isVisible(), true);
  await bo.say('a new beginning');
  await ana.waitForMessage('a new beginning');
});

test('the command /search searches', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.say('needle');
  await waitUntilIndexed(bo, 'needle');
  const ana = await server.openPage({ nick: 'ana', context: PHONE });
  await ana.input.fill('/se');
  await ana.input.press('Tab');
  assert.equal(await ana.input.inputValue(), '/search ');
  await ana.say('/help');
  await ana.page.getByText('/search').waitFor();
  await ana.say('/search needle');
  await ana.page.locator('#results li').waitFor();
  assert.deepEqual(await results(ana), ['bo #lobby [needle]']);
  assert.equal(await ana.page.evaluate(() => document.activeElement.id), 'query');
  await jumpTo(ana, 'needle');
});

test('without a history on disk no search is offered', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  assert.equal(await ana.page.getByRole('searchbox').count(), 0);
  await ana.say('/help');
  await ana.waitForNotice('/nick ana\n/me waves\n/msg bo psst\n/join kitchen\n/part\n/who\n/rooms');
  await ana.say('/search needle');
  await ana.waitForAlert('There is no /search.');
  await ana.input.fill('/se');
  await ana.input.press('Tab');
  assert.equal(await ana.input.inputValue(), '/se');
});

test('search, jump and the way back work with the keyboard alone', async (t) => {
  const server = await TestServer.start(t, { history: true });
  const bo = await server.connect('bo');
  await bo.sayLines(300);
  await waitUntilIndexed(bo, '"line 7"');
  const ana = await server.openPage({ nick: 'ana' });
  const { keyboard } = ana.page;
  await ana.page.getByRole('searchbox').focus();
  await keyboard.type('"line 7"');
  await ana.page.locator('#results li').waitFor();
  await keyboard.press('Tab');
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  await ana.page.locator('#messages li:focus', { hasText: 'line 7' }).waitFor();
  await keyboard.press('Tab');
  assert.equal(await ana.page.evaluate(() => document.activeElement.id), 'newer');
  await keyboard.press('Enter');
  await ana.waitForMessage('line 300', 'bo');
});
