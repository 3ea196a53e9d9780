// Bringing others along: an address that they can use, as a picture and to copy.

import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { House } from './support/page.js';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

async function open(page) {
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByRole('dialog').waitFor();
  return page.locator('#address').textContent();
}

test('an invitation shows the address of the room, as a picture too, and copies it', async (t) => {
  const house = await House.open(t);
  const ana = await house.visit(browser, { nick: 'ana', at: '/#küche' });
  await ana.page.locator('#title', { hasText: '#küche' }).waitFor();
  assert.equal(await ana.page.evaluate(() => isSecureContext), false);

  const address = await open(ana.page);
  assert.equal(address, `http://chat.lan:${house.server.pagePort}/#k%C3%BCche`);
  const code = ana.page.locator('#code');
  await ana.page.waitForFunction(() => document.querySelector('#code').naturalWidth > 0);
  assert.equal(new URL(await code.getAttribute('src'), ana.page.url()).pathname, '/invite.svg');
  const { width, height } = await code.boundingBox();
  assert.ok(width >= 200 && width === height, `a scanner sees ${width} by ${height}`);

  await ana.page.getByRole('button', { name: 'Copy' }).click();
  await ana.page.getByRole('button', { name: 'Copied' }).waitFor();
  await ana.page.keyboard.press('Escape');
  await ana.input.focus();
  await ana.page.keyboard.press('ControlOrMeta+v');
  assert.equal(await ana.input.inputValue(), address);

  // Who follows it is in that room.
  const bo = await house.visit(browser, { nick: 'bo', at: address.slice(address.indexOf('/#')) });
  await bo.say('here I am');
  await ana.reads('here I am');
});

for (const host of ['127.0.0.1', 'localhost']) {
  test(`nobody is invited to ${host}`, async (t) => {
    const lan = Object.values(networkInterfaces()).flat().find((it) => it.family === 'IPv4' && !it.internal);
    if (!lan) return t.skip('this machine has no network');
    const house = await House.open(t, { args: ['--bind', lan.address] });
    const ana = await house.visit(browser, { nick: 'ana', host });
    const address = await open(ana.page);
    assert.equal(address, `http://${lan.address}:${house.server.pagePort}/`);
    await ana.page.waitForFunction(() => document.querySelector('#code').naturalWidth > 0);
  });

  test(`without a network the page on ${host} says so, and shows no code`, async (t) => {
    const house = await House.open(t);
    const ana = await house.visit(browser, { nick: 'ana', host });
    assert.equal(await open(ana.page), 'No network address to share');
    assert.equal(await ana.page.locator('#code').isVisible(), false);
    assert.equal(await ana.page.locator('#copy').isVisible(), false);
  });
}
