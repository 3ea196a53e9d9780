// Takes screenshots of the main states of the page: `node screenshots.mjs FOLDER`.
// Three users on three screens chat through the real server.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { TestServer } from './support/server.js';
import { PHONE } from './support/user.js';

const folder = process.argv[2];
if (!folder) {
  console.error('Usage: node screenshots.mjs FOLDER');
  process.exit(2);
}

const DESKTOP = { viewport: { width: 1280, height: 800 }, locale: 'en-GB' };

const CONVERSATION = [
  ['Jonas', 'Is the printer on the *second floor* working again?'],
  ['Noor', 'Since this morning, yes. It was only out of cyan. :tada:'],
  ['Noor', 'For a letter in black and white, _of course_.'],
  ['Mira', 'It always is. The queue is at http://printer.lan/status'],
  ['Mira', '/me makes coffee. Who wants one?'],
  ['Jonas', 'Me, please, Mira! With a bit of milk.'],
  ['Noor', 'One for me too. I still have half of the lemon cake from yesterday.'],
  ['Jonas', 'By the way, this prints from the terminal:\n```\nlp -d second-floor letter.pdf\n```'],
  ['Mira', 'Best network message of the week.'],
];

async function takeScreenshot(user, name) {
  const path = join(folder, `${name}.png`);
  await user.waitForDrawing();
  await user.page.screenshot({ path });
  console.log(path);
}

test('the screenshots are taken', async (t) => {
  await mkdir(folder, { recursive: true });
  const server = await TestServer.start(t);
  const open = (nick, context) => server.openPage({ nick, context, outage: true });
  const users = {
    Mira: await open('Mira', { ...DESKTOP, colorScheme: 'light' }),
    Jonas: await open('Jonas', { ...DESKTOP, colorScheme: 'dark' }),
    Noor: await open('Noor', { ...DESKTOP, ...PHONE, colorScheme: 'light' }),
  };
  const { Mira, Jonas, Noor } = users;
  await Mira.say('/join kitchen');
  await Mira.waitForConversation('#kitchen');
  for (const [nick, text] of CONVERSATION) {
    if (nick === 'Mira') await Mira.say('/join lobby');
    await users[nick].say(text);
    await Noor.page.getByText(text.split(/[\n*_:.]/u)[0].replace('/me ', '')).first().waitFor();
  }
  await Jonas.say('/msg Mira Is there any cake left?');
  await Jonas.say('/join lobby');
  await Jonas.waitForConversation('#lobby');
  await Mira.page.locator('.badge').waitFor();

  await takeScreenshot(Mira, 'desktop-light');
  await takeScreenshot(Jonas, 'desktop-dark');
  await takeScreenshot(Noor, 'phone');
  await Noor.input.fill('Shall I bring it over to the kitchen?');
  await Noor.page.setViewportSize({ width: 360, height: 340 });
  await takeScreenshot(Noor, 'phone-keyboard');
  await Noor.page.setViewportSize(PHONE.viewport);
  await Noor.page.emulateMedia({ colorScheme: 'dark' });
  await Noor.page.locator('#menu').click();
  await takeScreenshot(Noor, 'phone-dark');
  await Mira.page.locator('#invite').click();
  await Mira.page.locator('#code').evaluate((code) => code.decode());
  await takeScreenshot(Mira, 'invite');
  await Mira.page.keyboard.press('Escape');
  await server.stop();
  await Mira.say('Is anybody still there?');
  await Mira.waitForState('disconnected');
  await takeScreenshot(Mira, 'disconnected');
});
