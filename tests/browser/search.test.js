// What was said long ago is found, and read where it was said.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ATTACKS } from './support/attacks.js';
import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';
import { House } from './support/page.js';
import { PHONE } from './support/phone.js';
import { distanceToEnd, nodes, scrollTo } from './support/scrolling.js';
import { isFound, jumpTo, results, search, withHistory } from './support/searching.js';
import { within } from './support/server.js';

const READ_MAX_MS = 30_000;
const SCREENS = { desktop: {}, phone: PHONE };

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

/** The numbers of the `line`s that are drawn. */
async function lines(visitor) {
  return (await visitor.texts()).filter((text) => /^line \d+$/u.test(text)).map((text) => Number(text.slice(5)));
}

/** Reads back, or on, until `text` stands at that end of what is drawn; nothing may be missing on the way. */
async function readTo(visitor, text, isBack) {
  const read = visitor.page.locator('#timeline').evaluate(
    async (timeline, [text, isBack]) => {
      const texts = () => [...timeline.querySelectorAll('#messages .text')].map((it) => it.textContent);
      const go = () => (timeline.scrollTop = isBack ? 0 : timeline.scrollHeight);
      for (go(); texts().at(isBack ? 0 : -1) !== text; go()) {
        await new Promise(requestAnimationFrame);
        const drawn = texts().filter((it) => /^line \d+$/u.test(it)).map((it) => Number(it.slice(5)));
        const broken = drawn.find((number, index) => index && number !== drawn[index - 1] + 1);
        if (broken) throw new Error(`line ${broken} comes out of turn in ${drawn}`);
      }
      go();
    },
    [text, isBack],
  );
  await within(READ_MAX_MS, read, `did not come to ${text}`);
}

for (const [screen, context] of Object.entries(SCREENS)) {
  test(`what was said is found while one types, the newest first, on a ${screen}`, async (t) => {
    const chat = await Chat.open(t, ...(await withHistory(t)));
    const bo = await chat.join('bo');
    const cy = await chat.join('cy', 'kitchen');
    await bo.say('The crème brûlée is gone');
    await cy.say('cream, and creme de la creme', { room: 'kitchen' });
    await bo.say('Scream!');
    await isFound(bo, 'cre', 2);
    const ana = await chat.visit(browser, { nick: 'ana', context });
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
    await ana.isIn('#kitchen');
    if (screen === 'phone') await page.locator('#side').waitFor({ state: 'hidden' });
    await cy.hears('arrived', { room: 'kitchen', nick: 'ana' });
  });
}

test('any script is found, and stands in its direction', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  for (const text of ['今天一起吃午饭吗？', '昼ごはんです', 'มื้อเที่ยง', 'שלום לכולם', 'Straße, don’t', '𝒳 🎉']) await bo.say(text);
  await isFound(bo, '🎉');
  const ana = await chat.visit(browser, { nick: 'ana' });
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

test('of a long text one sees what was looked for', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.say(`${'before '.repeat(500)}needle ${'after '.repeat(500)}`);
  await isFound(bo, 'needle');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await search(ana, 'needle', '1');
  const mark = await ana.page.locator('#results mark').boundingBox();
  const result = await ana.page.locator('#results li').boundingBox();
  assert.ok(mark.y + mark.height <= result.y + result.height && result.height < 150, JSON.stringify([mark, result]));
});

test('what is found is text, whatever stands in it', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  for (const text of ATTACKS) await bo.say(`needle ${text}`);
  await isFound(bo, 'needle', ATTACKS.length);
  const ana = await chat.visit(browser, { nick: 'ana' });
  await search(ana, 'needle (', `${ATTACKS.length}`);
  const names = await ana.page.locator('#results li *').evaluateAll((all) => [...new Set(all.map(({ localName }) => localName))]);
  assert.deepEqual(names.toSorted(), ['bdi', 'button', 'mark', 'span']);
  assert.equal(await ana.page.evaluate(() => window.ran), undefined);
});

test('older results come as one scrolls', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.sayMany(120);
  await isFound(bo, 'line 120');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await search(ana, 'line', '50+');
  const scrolled = ana.page.locator('#side').evaluate(async (side) => {
    while (side.querySelectorAll('#results li').length < 120) {
      side.scrollTop = side.scrollHeight;
      await new Promise(requestAnimationFrame);
    }
  });
  await within(READ_MAX_MS, scrolled, 'older results did not come');
  await ana.page.locator('#matches', { hasText: /: 120$/u }).waitFor();
  const expected = Array.from({ length: 120 }, (_, index) => `bo #lobby [line] ${120 - index}`);
  assert.deepEqual(await results(ana), expected);
});

test('while one types there is one request at a time, and the last one counts', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.say('abcdefgh');
  await isFound(bo, 'abcdefgh');
  const asked = [];
  let answer;
  const prepare = (page) =>
    page.routeWebSocket(/./u, (socket) => {
      const server = socket.connectToServer();
      socket.onMessage((frame) => {
        const request = JSON.parse(frame);
        if (request.type !== 'search') return server.send(frame);
        asked.push(request.query);
        answer = () => server.send(frame);
      });
    });
  const ana = await chat.visit(browser, { nick: 'ana', prepare });
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

test('what comes too fast is asked again, and what cannot be searched for is explained', async (t) => {
  // Joining counts as a text.
  const chat = await Chat.open(t, ...(await withHistory(t)), '--rate', '2', '--burst', '2');
  const bo = await chat.join('bo');
  await bo.say('needle');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await search(ana, 'needles', '0');
  for (const word of ['needle', 'needles', 'needle']) await search(ana, word, word === 'needle' ? '1' : '0');
  await ana.page.getByRole('searchbox').fill('?!');
  await ana.page.locator('#matches', { hasText: 'nothing to search for' }).waitFor();
  assert.deepEqual(await results(ana), []);
});

test('a message that is there is scrolled to, and the way back is plain', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.sayMany(90);
  await isFound(bo, '"line 20"');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await ana.reads('bo', 'line 90');
  await search(ana, '"line 20"', '1');
  await jumpTo(ana, 'line 20');
  const { top, bottom } = await ana.page.locator('li:focus').evaluate((item) => item.getBoundingClientRect());
  assert.ok(top > 100 && bottom < 700, `it stands from ${top} to ${bottom}`);
  const ground = (selector) => ana.page.locator(selector).first().evaluate((it) => getComputedStyle(it).backgroundColor);
  assert.notEqual(await ground('li:focus .bubble'), await ground('li:not(:focus) .bubble'));
  assert.deepEqual(ana.sent.filter((frame) => JSON.parse(frame).type === 'history'), []);

  await bo.say('meanwhile');
  await ana.page.getByRole('button', { name: '1 new message', exact: true }).click();
  await ana.reads('bo', 'meanwhile');
  assert.equal(await distanceToEnd(ana), 0);
  await ana.page.locator('#newer').waitFor({ state: 'hidden' });
});

test('a message from long ago stands among its neighbours, and one reads on from there', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.sayMany(900);
  await isFound(bo, '"line 400"');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await ana.reads('bo', 'line 900');
  await search(ana, '"line 400"', '1');
  await jumpTo(ana, 'line 400');
  const drawn = await lines(ana);
  assert.ok(drawn.includes(390) && drawn.includes(405) && !drawn.includes(850), String(drawn));

  await bo.say('line 901');
  await bo.say('ana: line 902');
  await ana.page.getByRole('button', { name: '2 new messages', exact: true }).waitFor();
  assert.equal(await ana.page.title(), '(2) #lobby · chinwag');
  assert.ok(!(await lines(ana)).includes(901));

  await readTo(ana, 'line 1', true);
  assert.equal(await ana.page.locator('li:focus').count(), 0);
  await readTo(ana, 'ana: line 902', false);
  assert.ok((await nodes(ana)) <= 310);
  await ana.page.locator('#newer').waitFor({ state: 'hidden' });
  assert.equal(await ana.page.title(), '#lobby · chinwag');
  await bo.say('line 903');
  await ana.reads('bo', 'line 903');
  assert.equal(await distanceToEnd(ana), 0);
});

test('what is found keeps its mark while more is drawn around it', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.sayMany(400);
  await isFound(bo, '"line 200"');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await search(ana, '"line 200"', '1');
  await jumpTo(ana, 'line 200');
  await ana.reads('bo', 'line 210');
  await scrollTo(ana, 0);
  await ana.reads('bo', 'line 150');
  assert.equal(await ana.page.locator('li:focus .text').textContent(), 'line 200');
});

test('one press leads back to now, and so does saying something', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.sayMany(400);
  await isFound(bo, '"line 100"');
  const ana = await chat.visit(browser, { nick: 'ana' });
  await search(ana, '"line 100"', '1');
  await jumpTo(ana, 'line 100');
  await ana.page.getByRole('button', { name: 'Jump to latest' }).click();
  await ana.reads('bo', 'line 400');
  assert.equal(await distanceToEnd(ana), 0);

  await jumpTo(ana, 'line 100');
  await bo.say('line 401');
  await ana.say('hello from the past');
  await ana.readsOwn('hello from the past');
  assert.deepEqual((await ana.texts()).slice(-3), ['line 400', 'line 401', 'hello from the past']);
  assert.equal(await distanceToEnd(ana), 0);

  await jumpTo(ana, 'line 100');
  await ana.say('/who');
  await ana.readsNotice('People: bo, ana');
  assert.equal((await lines(ana)).at(-1), 401);
});

test('the unread of a room stay unread when one jumps past them', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.join('kitchen');
  await bo.sayMany(300, 'kitchen');
  const ana = await chat.visit(browser, { nick: 'ana', path: '/#kitchen' });
  await ana.reads('bo', 'line 300');
  await ana.say('/join lobby');
  await ana.isIn('#lobby');
  await bo.say('unread', { room: 'kitchen' });
  await ana.seesRooms('#lobby', '#kitchen 1');
  await isFound(bo, '"line 50"');
  await search(ana, '"line 50"', '1');
  await jumpTo(ana, 'line 50');
  await ana.isIn('#kitchen');
  await ana.page.getByRole('searchbox').fill('');
  await ana.seesRooms('#lobby', '#kitchen 1');
  await ana.page.locator('#rooms .place', { hasText: '#kitchen' }).click();
  await ana.reads('bo', 'unread');
  await ana.seesRooms('#lobby', '#kitchen');
});

test('a connection that breaks does not disturb who reads the past, and loses nothing', async (t) => {
  const house = await House.open(t, { args: await withHistory(t) });
  const network = await house.network();
  const bo = await house.enter('bo');
  for (const number of Array(400).keys()) bo.say(`line ${number + 1}`);
  await bo.reads('line 400');
  const ana = await house.visit(browser, { nick: 'ana', network });
  await ana.page.getByRole('searchbox').fill('"line 100"');
  await jumpTo(ana, 'line 100');
  network.break();
  await ana.is('disconnected');
  bo.say('missed');
  await bo.reads('missed');
  network.mend();
  await ana.is('connected');
  await ana.page.getByRole('button', { name: '1 new message', exact: true }).waitFor();
  assert.ok((await ana.texts()).includes('line 100'));
  await readTo(ana, 'missed', false);
  assert.equal(await ana.page.locator('.gap').count(), 0);
  // What was looked for is looked for again.
  await search(ana, 'missed', '1');
});

test('a server with another history, or none, has no such past', async (t) => {
  const house = await House.open(t, { args: await withHistory(t) });
  const bo = await house.visit(browser, { nick: 'bo' });
  const ana = await house.visit(browser, { nick: 'ana' });
  for (const number of Array(5).keys()) await bo.say(`word ${number}`);
  await ana.reads('word 4');
  const cy = await house.enter('cy');
  for (const number of Array(400).keys()) cy.say(`line ${number + 1}`);
  await cy.reads('line 400');
  await ana.page.getByRole('searchbox').fill('"word 1"');
  await ana.page.locator('#results button').waitFor();
  await ana.page.reload();
  await ana.is('connected');
  await ana.page.getByRole('searchbox').fill('"word 1"');
  await jumpTo(ana, 'word 1');
  house.args = [];
  await house.restart();
  await ana.is('connected');
  await ana.page.locator('.gap').waitFor();
  assert.equal(await ana.page.locator('#query').isVisible(), false);
  assert.equal(await ana.page.locator('#rooms').isVisible(), true);
  await bo.say('a new beginning');
  await ana.reads('a new beginning');
});

test('a command searches, where the server can', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.say('needle');
  await isFound(bo, 'needle');
  const ana = await chat.visit(browser, { nick: 'ana', context: PHONE });
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

test('a server that keeps nothing offers no search', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  assert.equal(await ana.page.getByRole('searchbox').count(), 0);
  await ana.say('/help');
  await ana.readsNotice('/nick ana\n/me waves\n/msg bo psst\n/join kitchen\n/part\n/who\n/rooms');
  await ana.say('/search needle');
  await ana.page.getByRole('alert').filter({ hasText: 'There is no /search.' }).waitFor();
  await ana.input.fill('/se');
  await ana.input.press('Tab');
  assert.equal(await ana.input.inputValue(), '/se');
});

test('with the keyboard alone one searches, jumps and comes back', async (t) => {
  const chat = await Chat.open(t, ...(await withHistory(t)));
  const bo = await chat.join('bo');
  await bo.sayMany(300);
  await isFound(bo, '"line 7"');
  const ana = await chat.visit(browser, { nick: 'ana' });
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
  await ana.reads('bo', 'line 300');
});
