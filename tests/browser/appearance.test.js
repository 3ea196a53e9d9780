// Themes, motion, small screens, text direction and languages.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';
import { PHONE } from './support/user.js';

const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

test('the theme follows the system until the user chooses another, which is remembered', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ context: { colorScheme: 'light' } });
  const choose = async (theme) => {
    await ana.page.locator('#settings').click();
    await ana.page.getByLabel('Theme').selectOption({ label: theme });
    await ana.page.locator('#choices').getByRole('button', { name: 'Close' }).click();
    await ana.page.locator('#choices').waitFor({ state: 'hidden' });
  };
  const light = await background(ana.page);
  await ana.page.emulateMedia({ colorScheme: 'dark' });
  const dark = await background(ana.page);
  assert.notEqual(light, dark);

  await choose('Light');
  assert.equal(await background(ana.page), light);
  await ana.reload();
  assert.equal(await background(ana.page), light);
  await ana.page.emulateMedia({ colorScheme: 'light' });
  await choose('Dark');
  assert.equal(await background(ana.page), dark);
  await choose('Automatic');
  assert.equal(await background(ana.page), light);
});

test('the page has no animations and transitions, with or without reduced motion', async (t) => {
  const server = await TestServer.start(t);
  const movingElements = async (reducedMotion) => {
    const ana = await server.openPage({ context: { ...PHONE, reducedMotion } });
    await ana.page.locator('#menu').click();
    const moving = await ana.page.evaluate(() =>
      [...document.querySelectorAll('*')].flatMap((element) => {
        const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(element);
        const isStill = /^(0s(, )?)+$/u.test(transitionDuration) && animationName === 'none' && scrollBehavior === 'auto';
        return isStill ? [] : [`${element.tagName} #${element.id}`];
      }),
    );
    await ana.close();
    return moving;
  };
  for (const reducedMotion of ['no-preference', 'reduce']) assert.deepEqual(await movingElements(reducedMotion), []);
});

for (const height of [640, 300]) {
  test(`on a phone ${height} pixels high the composer is at the bottom edge and everything fits`, async (t) => {
    const server = await TestServer.start(t);
    const ana = await server.openPage({ nick: 'a nickname of 24 letters', context: PHONE });
    for (const number of Array(20).keys()) await ana.say(`message ${number}\nwith two lines`);
    await ana.say('one\ntwo\nthree\nfour\nfive\nsix\nseven');
    await ana.waitForMessage('one\ntwo\nthree\nfour\nfive\nsix\nseven');
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

test('a text has its own direction, and a nickname does not change that of its neighbours', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
  const other = await server.connect('שרה');
  await other.sayAll(['שלום לכולם!', 'hello all']);
  await ana.waitForMessage('hello all');
  const directions = await ana.page.locator('#messages .text').evaluateAll((texts) =>
    texts.map((text) => getComputedStyle(text).direction),
  );
  assert.deepEqual(directions, ['rtl', 'ltr']);
  assert.ok((await ana.page.locator('bdi.author', { hasText: 'שרה' }).count()) > 0);
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

test('the page is in the language of the browser, or in English', async (t) => {
  const server = await TestServer.start(t);
  for (const [locale, [lang, connected, invite]] of Object.entries(LANGUAGES)) {
    const { page } = await server.openPage({ context: { locale } });
    const shown = [
      await page.locator('html').getAttribute('lang'),
      await page.getByRole('status').textContent(),
      await page.locator('#invite').textContent(),
    ];
    assert.deepEqual(shown, [lang, connected, invite]);
    await page.context().close();
  }
});
