// What opens over the page, or in place of the nickname, worked by hand.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { Chat } from './support/chat.js';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

test('a nickname is changed with the keyboard alone', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { nick: 'ana' });
  const { keyboard } = ana.page;

  await ana.page.locator('#me').focus();
  await keyboard.press('Enter');
  await keyboard.type('bo');
  await keyboard.press('Escape');
  assert.equal(await ana.page.locator('#rename').isVisible(), false);
  assert.equal(await ana.nickname(), 'ana');
  await keyboard.press('Enter');
  await keyboard.type('cy');
  await keyboard.press('Enter');
  await ana.readsNotice('ana is now cy');
});

test('settings are chosen, closed and remembered', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser);
  const dialog = ana.page.getByRole('dialog', { name: 'Settings' });
  const ground = () => ana.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();

  await ana.page.getByRole('button', { name: 'Settings' }).click();
  await dialog.getByLabel('Theme').selectOption('Dark');
  await dialog.getByLabel('Sound').check();
  assert.equal(await dialog.getByLabel('Notifications').isVisible(), false, 'not for a page that came over plain http');
  await dialog.getByRole('button', { name: 'Close' }).click();
  await dialog.waitFor({ state: 'hidden' });
  assert.notEqual(await ground(), light);

  await ana.page.reload();
  await ana.sees('connected');
  assert.notEqual(await ground(), light);
  await ana.page.getByRole('button', { name: 'Settings' }).click();
  assert.equal(await dialog.getByLabel('Sound').isChecked(), true);
  await ana.page.mouse.click(5, 5);
  await dialog.waitFor({ state: 'hidden' });
});

test('an invitation leads to the room that is shown', async (t) => {
  const chat = await Chat.open(t);
  const ana = await chat.visit(browser, { path: '/#kitchen' });
  await ana.page.getByRole('button', { name: 'Invite' }).click();
  const dialog = ana.page.getByRole('dialog');
  const address = `http://chat.lan:${chat.server.pagePort}/#kitchen`;
  await dialog.getByText(address).waitFor();
  await ana.page.waitForFunction(() => document.querySelector('#code').naturalWidth > 0);
  await dialog.getByRole('button', { name: 'Copy' }).click();
  await dialog.getByRole('button', { name: 'Copied' }).waitFor();
  await dialog.getByRole('button', { name: 'Close' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await ana.input.press('Control+V');
  assert.equal(await ana.input.inputValue(), address);
});
