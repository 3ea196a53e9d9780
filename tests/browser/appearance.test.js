// The page on every screen and for every reader: themes, little motion, a
// phone with its keyboard open, writing from right to left, five languages.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { House } from './support/page.js';

const PHONE = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

test('the theme is the one of the system, until another is chosen, and then for good', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { context: { colorScheme: 'light' } });
  const choose = async (theme) => {
    await ana.page.locator('#settings').click();
    await ana.page.getByLabel('Theme').selectOption({ label: theme });
    await ana.page.locator('#choices').getByRole('button', { name: 'Close' }).click();
    await ana.page.locator('#choices').waitFor({ state: 'hidden' });
  };
  const light = await ground(ana.page);
  await ana.page.emulateMedia({ colorScheme: 'dark' });
  const dark = await ground(ana.page);
  assert.notEqual(light, dark);

  await choose('Light');
  assert.equal(await ground(ana.page), light);
  await ana.page.reload();
  await ana.is('connected');
  assert.equal(await ground(ana.page), light);
  await ana.page.emulateMedia({ colorScheme: 'light' });
  await choose('Dark');
  assert.equal(await ground(ana.page), dark);
  await choose('Automatic');
  assert.equal(await ground(ana.page), light);
});

test('nothing moves, so that nobody has to ask for it', async (t) => {
  const house = await House.open(t);
  const moves = async (reducedMotion) => {
    const ana = await house.visit(browser, { context: { ...PHONE, reducedMotion } });
    await ana.page.locator('#menu').click();
    const times = await ana.page.evaluate(() =>
      [...document.querySelectorAll('*')].flatMap((element) => {
        const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(element);
        const isStill = /^(0s(, )?)+$/u.test(transitionDuration) && animationName === 'none' && scrollBehavior === 'auto';
        return isStill ? [] : [`${element.tagName} #${element.id}`];
      }),
    );
    await ana.leave();
    return times;
  };
  assert.deepEqual(await moves('no-preference'), []);
});

for (const height of [640, 300]) {
  test(`on a phone ${height} pixels high the composer stands at the foot, with nothing under it`, async (t) => {
    const house = await House.open(t);
    const ana = await house.visit(browser, { nick: 'a nickname of 24 letters', context: PHONE });
    for (const number of Array(20).keys()) await ana.say(`message ${number}\nwith two lines`);
    await ana.page.locator('#text').fill('one\ntwo\nthree\nfour\nfive\nsix\nseven');
    await ana.page.getByRole('button', { name: 'Send' }).click();
    await ana.reads('one\ntwo\nthree\nfour\nfive\nsix\nseven');
    await ana.page.setViewportSize({ width: 360, height });
    await ana.page.waitForFunction((height) => visualViewport.height === height, height);

    await ana.page.waitForFunction(() => {
      const timeline = document.querySelector('#timeline');
      return timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < 2;
    });
    const { scrollWidth, scrollHeight, foot, timeline, last, top } = await ana.page.evaluate(() => {
      const box = (selector) => document.querySelector(selector).getBoundingClientRect();
      const { scrollWidth, scrollHeight } = document.documentElement;
      const [row, timeline] = [box('#composer .row'), box('#timeline')];
      const last = document.querySelector('#messages').lastChild.getBoundingClientRect();
      const input = box('#text');
      const top = document.elementFromPoint(input.x + input.width / 2, input.y + input.height / 2);
      const below = last.bottom - timeline.bottom;
      return { scrollWidth, scrollHeight, foot: row.bottom, timeline: timeline.height, last: below, top: top?.id };
    });
    assert.deepEqual([scrollWidth, scrollHeight, top], [360, height, 'text']);
    assert.ok(foot <= height && foot > height - 40, `the composer ends at ${foot}`);
    assert.ok(timeline > 60, `${timeline} pixels are left to read`);
    assert.ok(last <= 1, `the last message ends ${last} below the timeline`);
    for (const name of ['#menu', '#me', '#invite', '#settings']) {
      const { x, width } = await ana.page.locator(name).boundingBox();
      assert.ok(x >= 0 && x + width <= 360, `${name} is from ${x}, ${width} wide`);
    }
  });
}

test('what is written from right to left stands so, and a name does not turn its neighbours', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana' });
  const other = await house.enter('שרה');
  other.say('שלום לכולם!');
  other.say('hello all');
  await ana.reads('hello all');
  const directions = await ana.page.locator('#messages .text').evaluateAll((texts) =>
    texts.map((text) => getComputedStyle(text).direction),
  );
  assert.deepEqual(directions, ['rtl', 'ltr']);
  assert.equal(await ana.page.locator('bdi.author', { hasText: 'שרה' }).count() > 0, true);
  // Who writes sees it as it will be read.
  await ana.input.fill('שלום');
  assert.equal(await ana.input.evaluate((input) => getComputedStyle(input).direction), 'rtl');
});

const LANGUAGES = {
  'en-US': ['en-US', 'Connected', 'Invite'],
  'de-AT': ['de-AT', 'Verbunden', 'Einladen'],
  'fr-FR': ['fr-FR', 'Connecté', 'Inviter'],
  'es-MX': ['es-MX', 'Conectado', 'Invitar'],
  'zh-CN': ['zh-CN', '已连接', '邀请'],
  'sw-KE': ['en', 'Connected', 'Invite'],
};

test('the page speaks the language of the browser, or English', async (t) => {
  const house = await House.open(t);
  for (const [locale, [lang, connected, invite]] of Object.entries(LANGUAGES)) {
    const { page } = await house.visit(browser, { context: { locale } });
    const said = [
      await page.locator('html').getAttribute('lang'),
      await page.getByRole('status').textContent(),
      await page.locator('#invite').textContent(),
    ];
    assert.deepEqual(said, [lang, connected, invite]);
    await page.context().close();
  }
});
