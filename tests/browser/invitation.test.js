// The invitation: an address for others, as a QR code and to copy.

import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

async function open(page) {
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByRole('dialog').waitFor();
  return page.locator('#address').textContent();
}

test('an invitation shows the address of the room and its QR code, and copies the address', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana', path: '/#küche' });
  await ana.waitForConversation('#küche');
  assert.equal(await ana.page.evaluate(() => isSecureContext), false);

  const address = await open(ana.page);
  assert.equal(address, `http://chat.lan:${server.pagePort}/#k%C3%BCche`);
  const code = ana.page.locator('#code');
  await ana.page.waitForFunction(() => document.querySelector('#code').naturalWidth > 0);
  assert.equal(new URL(await code.getAttribute('src'), ana.page.url()).pathname, '/invite.svg');
  const { width, height } = await code.boundingBox();
  assert.ok(width >= 200 && width === height, `the code is ${width} by ${height}`);

  await ana.page.getByRole('button', { name: 'Copy' }).click();
  await ana.page.getByRole('button', { name: 'Copied' }).waitFor();
  await ana.page.keyboard.press('Escape');
  await ana.input.focus();
  await ana.page.keyboard.press('ControlOrMeta+v');
  assert.equal(await ana.input.inputValue(), address);

  // The address leads to that room.
  const bo = await server.openPage({ nick: 'bo', path: address.slice(address.indexOf('/#')) });
  await bo.say('here I am');
  await ana.waitForMessage('here I am');
});

for (const host of ['127.0.0.1', 'localhost']) {
  test(`an invitation from ${host} has the address of this machine in the network`, async (t) => {
    const lan = Object.values(networkInterfaces()).flat().find((it) => it.family === 'IPv4' && !it.internal);
    if (!lan) return t.skip('this machine has no network');
    const server = await TestServer.start(t, { args: ['--bind', lan.address] });
    const ana = await server.openPage({ nick: 'ana', host });
    const address = await open(ana.page);
    assert.equal(address, `http://${lan.address}:${server.pagePort}/`);
    await ana.page.waitForFunction(() => document.querySelector('#code').naturalWidth > 0);
  });

  test(`without a network, an invitation from ${host} says so and has no code`, async (t) => {
    const server = await TestServer.start(t);
    // Without an address to join from, the response is 404.
    const isExpected = (message) => new URL(message.location().url).pathname === '/invite';
    const ana = await server.openPage({ nick: 'ana', host, isExpected });
    assert.equal(await open(ana.page), 'No network address to share');
    assert.equal(await ana.page.locator('#code').isVisible(), false);
    assert.equal(await ana.page.locator('#copy').isVisible(), false);
  });
}
