// A server inside another program, which has commands, and decides about logins, rooms and texts.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import WebSocket from 'ws';

import { EMBEDDER, TestServer } from './support/server.js';
import { NO_PAUSES, PHONE } from './support/user.js';

const start = (t, ...args) => TestServer.start(t, { program: EMBEDDER, args });

/** The commands that are offered, with the chosen one between asterisks. */
const offered = ({ page }) =>
  page.locator('#offers:not([hidden]) button').evaluateAll((all) =>
    all.map(({ ariaCurrent, firstChild: { textContent } }) => (ariaCurrent ? `*${textContent}*` : textContent)),
  );

test('the commands of the server are offered, completed and carried out', async (t) => {
  const server = await start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  const { keyboard } = ana.page;
  assert.deepEqual(await offered(ana), []);
  await keyboard.type('/e');
  assert.deepEqual(await offered(ana), ['/echo', '/enter', '/exit']);
  await ana.page.getByRole('list', { name: 'Commands' }).getByText('shows you the text').waitFor();
  await keyboard.press('ArrowDown');
  await keyboard.press('ArrowDown');
  assert.deepEqual(await offered(ana), ['/echo', '*/enter*', '/exit']);
  assert.equal(await ana.input.inputValue(), '/enter ');
  await keyboard.press('ArrowUp');
  assert.equal(await ana.input.inputValue(), '/echo ');
  await keyboard.type('one  two');
  assert.deepEqual(await offered(ana), []);
  await keyboard.press('Enter');
  await ana.waitForNotice('one  two in lobby');
  assert.equal(await ana.input.inputValue(), '');
  await bo.say('marker');
  assert.deepEqual(bo.transcript(), ['bo: marker']);

  await ana.input.fill('/');
  assert.deepEqual((await offered(ana)).slice(-9), ['/close', '/nick', '/me', '/msg', '/join', '/part', '/who', '/rooms', '/help']);
  await keyboard.press('ArrowUp');
  assert.equal(await ana.input.inputValue(), '/help ');
  await keyboard.press('Enter');
  await ana.page.locator('.note', { hasText: '/exit takes you out of a room' }).waitFor();
  await ana.say('/who');
  await ana.waitForNotice('People: bo, ana');
});

test('the list of commands closes with Escape, without the focus, and for other texts', async (t) => {
  const server = await start(t);
  const ana = await server.openPage({ nick: 'ana' });
  for (const text of ['/dance', '//', '/ ', 'a /', '']) {
    await ana.input.fill('/');
    assert.notDeepEqual(await offered(ana), []);
    await ana.input.fill(text);
    assert.deepEqual(await offered(ana), [], text);
  }
  await ana.input.fill('/ec');
  await ana.input.press('Escape');
  assert.deepEqual(await offered(ana), []);
  await ana.input.press('h');
  assert.deepEqual(await offered(ana), ['/echo']);
  await ana.page.locator('#query, #room').last().focus();
  assert.deepEqual(await offered(ana), []);
  await ana.input.focus();
  assert.deepEqual(await offered(ana), ['/echo']);
  // A command of the server acts in a room.
  await ana.say('/msg ana');
  await ana.waitForConversation('@ana');
  await ana.input.fill('/e');
  assert.deepEqual(await offered(ana), []);
  await ana.say('/echo a');
  await ana.waitForAlert('There is no /echo.');
});

test('a command is chosen by touch, and the keyboard of the phone stays', async (t) => {
  const server = await start(t);
  const ana = await server.openPage({ nick: 'ana', context: PHONE });
  await ana.input.tap();
  await ana.page.keyboard.type('/');
  await ana.page.locator('#offers').getByRole('button', { name: '/echo' }).tap();
  assert.equal(await ana.input.inputValue(), '/echo ');
  assert.ok(await ana.input.evaluate((input) => document.activeElement === input));
  assert.deepEqual(await offered(ana), []);
  await ana.page.keyboard.type('hi');
  await ana.page.locator('#send').tap();
  await ana.waitForNotice('hi in lobby');
});

test('a command that is refused shows the sentence and stays in the input', async (t) => {
  const server = await start(t);
  const ana = await server.openPage({ nick: 'ana' });
  await ana.say('/fail now');
  await ana.waitForAlert('This always fails.');
  assert.equal(await ana.input.inputValue(), '/fail now');
  await ana.say('/fail');
  await ana.waitForAlert('This always fails.');
  assert.deepEqual(await offered(ana), []);
  await ana.say('/join attic');
  await ana.waitForAlert('attic is closed');
  await ana.waitForRooms('#lobby');
});

test('a refused text shows the sentence, and a text that the server takes disappears', async (t) => {
  const server = await start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana' });
  for (const text of ['refuse', 'swallow', 'marker']) await ana.say(text);
  await bo.waitFor('message', { text: 'marker' });
  await ana.waitForOwnMessage('marker');
  await ana.unsent('refuse').getByText(/^Refused: Please mind your language\. /u).waitFor();
  assert.deepEqual(await ana.texts(), ['marker', 'refuse']);
  assert.deepEqual(bo.transcript(), ['ana: marker']);
});

test('the text of a muted user is refused with the time, and not sent again by itself', async (t) => {
  const server = await start(t);
  const ana = await server.openPage({ nick: 'ana' });
  await ana.say('/mute');
  await ana.say('hello');
  await ana.unsent('hello').getByText(/^Refused: you cannot write before \w{3} \d+, \d{4}, \d+:\d\d.[AP]M /u).waitFor();
  await ana.say('/echo marker');
  await ana.waitForNotice('marker in lobby');
  assert.equal(ana.requests('say').length, 1);
});

test('a user is put into a room and taken out of it', async (t) => {
  const server = await start(t);
  const bo = await server.connect('bo', 'match');
  const ana = await server.openPage({ nick: 'ana' });
  await ana.say('/enter match');
  await ana.waitForNotice('You are now in #match, too.');
  await ana.waitForRooms('#lobby', '#match');
  await ana.waitForConversation('#lobby');
  await bo.say('go', { room: 'match' });
  await ana.waitForRooms('#lobby', '#match 1');
  await ana.select('#match');
  await ana.waitForMessage('go', 'bo');
  await ana.waitForMembers('ana', 'bo');
  await ana.say('/exit match');
  await bo.waitFor('left', { room: 'match', nick: 'ana' });
  await ana.waitForConversation('#lobby');
  await ana.waitForNotice('You are no longer in #match.');
  await ana.waitForRooms('#lobby');
});

test('a user that is taken out of its last room sees that, and is shown the next one', async (t) => {
  const server = await start(t);
  const network = await server.network();
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana', network, script: NO_PAUSES });
  await bo.say('hello');
  await ana.waitForMessage('hello', 'bo');
  await ana.say('/exit lobby');
  await ana.waitForNotice('You are no longer in #lobby.');
  await ana.waitForMembers();
  await ana.waitForRooms('#lobby');
  assert.deepEqual(await ana.texts(), ['hello']);
  // A connection that comes back does not bring the user back.
  network.break();
  await ana.waitForState('disconnected');
  network.repair();
  await ana.waitForState('connected');
  await ana.say('/enter match');
  await ana.waitForConversation('#match');
  await ana.waitForRooms('#match');
  await ana.waitForMembers('ana');
  assert.deepEqual(ana.requests('join').map(({ room }) => room), ['lobby']);

  await ana.say('/exit match');
  await ana.waitForNotice('You are no longer in #match.');
  await ana.select('#match');
  await ana.waitForMembers('ana');
  await ana.say('back again');
  await ana.waitForOwnMessage('back again');
});

test('a page that is closed with a code of the embedder shows the reason, and comes back', async (t) => {
  const server = await start(t);
  const bo = await server.connect('bo');
  const ana = await server.openPage({ nick: 'ana', script: NO_PAUSES });
  for (const [code, reason] of [[4321, 'The match is over.'], [1000, 'Good night.'], [3000, 'Until tomorrow.']]) {
    await ana.say(`/close ${code} ${reason}`);
    await ana.waitForNotice(reason);
    await ana.say(`after ${code}`);
    await bo.waitFor('message', { text: `after ${code}` });
    await ana.waitForOwnMessage(`after ${code}`);
  }
});

test('the message of the day is shown below the messages, once', async (t) => {
  const server = await start(t, '--motd', 'The cake is in the kitchen.');
  const network = await server.network();
  const bo = await server.connect('bo');
  await bo.say('hello');
  const ana = await server.openPage({ nick: 'ana', network, script: NO_PAUSES });
  const shown = async () => (await ana.timeline()).map(({ text, notice }) => text ?? notice);
  await ana.waitForNotice('The cake is in the kitchen.');
  assert.deepEqual(await shown(), ['hello', 'The cake is in the kitchen.']);
  network.break();
  await ana.waitForState('disconnected');
  network.repair();
  await ana.waitForState('connected');
  await ana.say('back');
  await ana.waitForOwnMessage('back');
  assert.deepEqual((await shown()).filter((text) => text.includes('cake')), ['The cake is in the kitchen.']);
});

const logIn = (page, value) => page.context().addCookies([{ name: 'login', value, domain: 'chat.lan', path: '/' }]);

test('a user with two tabs, to whom the server gives one session, is in the newer one', async (t) => {
  const server = await start(t, '--login');
  const first = await server.openPage({ prepare: (page) => logIn(page, 'ana'), script: NO_PAUSES });
  const second = await first.openTab();
  await first.page.getByRole('status').filter({ hasText: 'This chat is open in another tab or browser.' }).waitFor();
  await second.waitForState('connected');
  await first.reload();
  await second.page.getByRole('status').filter({ hasText: 'This chat is open in another tab or browser.' }).waitFor();
  await first.say('/echo hello');
  await first.waitForNotice('hello in members');
});

test('a page without a login shows the sentence of the refusal, and connects after the login', async (t) => {
  const server = await start(t, '--login');
  const refusals = /status of (?:401|403|500)|Unexpected response code: (?:403|500)|HTTP Authentication failed/u;
  const isExpected = (message) => refusals.test(message.text());
  const ana = await server.openPage({ prepare: (page) => logIn(page, 'ana'), isExpected, script: NO_PAUSES });
  assert.equal(await ana.nickname(), 'ana');
  // The lobby is closed to the user, and the room of the login is not.
  await ana.waitForConversation('#members');
  await ana.waitForRooms('#members');
  await ana.waitForMembers('ana');

  const status = (text) => ana.page.getByRole('status').filter({ hasText: text }).waitFor();
  await ana.page.context().clearCookies();
  await ana.page.reload();
  await status('Log in first. Trying again…');
  await logIn(ana.page, 'a:');
  await status('This login has ended. Trying again…');
  await logIn(ana.page, 'panic');
  await status('The program around this server failed. Trying again…');
  const plain = new WebSocket(`ws://127.0.0.1:${server.wsPort}/`, { headers: { Cookie: 'login=bo' } });
  await once(plain, 'open');
  await logIn(ana.page, 'bo');
  await status('bo is taken, or looks like a name that is. Trying again…');
  // Before the server would close the connection.
  await ana.page.waitForEvent('websocket', { timeout: 10_000 });
  plain.close();
  await ana.waitForState('connected');
  assert.equal(await ana.nickname(), 'bo');
});
