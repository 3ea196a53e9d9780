// The dialogs, and the field for the nickname.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

test('a nickname is changed with the keyboard alone', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ nick: 'ana' });
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
  await ana.waitForNotice('ana is now cy');
});

test('settings are chosen, closed and remembered', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage();
  const dialog = ana.page.getByRole('dialog', { name: 'Settings' });
  const background = () => ana.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();

  await ana.page.getByRole('button', { name: 'Settings' }).click();
  await dialog.getByLabel('Theme').selectOption('Dark');
  await dialog.getByLabel('Sound').check();
  assert.equal(await dialog.getByLabel('Notifications').isVisible(), false, 'without a secure context');
  await dialog.getByRole('button', { name: 'Close' }).click();
  await dialog.waitFor({ state: 'hidden' });
  assert.notEqual(await background(), light);

  await ana.reload();
  assert.notEqual(await background(), light);
  await ana.page.getByRole('button', { name: 'Settings' }).click();
  assert.equal(await dialog.getByLabel('Sound').isChecked(), true);
  await ana.page.mouse.click(5, 5);
  await dialog.waitFor({ state: 'hidden' });
});

test('an invitation leads to the current room', async (t) => {
  const server = await TestServer.start(t);
  const ana = await server.openPage({ path: '/#kitchen' });
  await ana.page.getByRole('button', { name: 'Invite' }).click();
  const dialog = ana.page.getByRole('dialog');
  const address = `http://chat.lan:${server.pagePort}/#kitchen`;
  await dialog.getByText(address).waitFor();
  await ana.page.waitForFunction(() => document.querySelector('#code').naturalWidth > 0);
  await dialog.getByRole('button', { name: 'Copy' }).click();
  await dialog.getByRole('button', { name: 'Copied' }).waitFor();
  await dialog.getByRole('button', { name: 'Close' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await ana.input.press('Control+V');
  assert.equal(await ana.input.inputValue(), address);
});
