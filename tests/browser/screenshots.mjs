// Takes the pictures of the page's main states: `node screenshots.mjs FOLDER`.
//
// Three people on three screens talk through the real server.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { startBrowser, visit } from './support/browser.js';
import { startServer } from './support/server.js';

const folder = process.argv[2];
if (!folder) {
  console.error('Say where the pictures shall go: node screenshots.mjs FOLDER');
  process.exit(2);
}

const DESKTOP = { viewport: { width: 1280, height: 800 }, locale: 'en-GB' };
const PHONE = { viewport: { width: 360, height: 640 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

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

const browser = await startBrowser();
const server = await startServer();

async function picture(person, name) {
  const path = join(folder, `${name}.png`);
  // Whatever is drawn in the next frame is drawn by the one after.
  await person.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await person.page.screenshot({ path });
  console.log(path);
}

try {
  await mkdir(folder, { recursive: true });
  const come = (nick, context) => visit(browser, server.pagePort, { nick, context, outage: true });
  const people = {
    Mira: await come('Mira', { ...DESKTOP, colorScheme: 'light' }),
    Jonas: await come('Jonas', { ...DESKTOP, colorScheme: 'dark' }),
    Noor: await come('Noor', { ...DESKTOP, ...PHONE, colorScheme: 'light' }),
  };
  const { Mira, Jonas, Noor } = people;
  await Mira.say('/join kitchen');
  await Mira.isIn('#kitchen');
  for (const [nick, text] of CONVERSATION) {
    if (nick === 'Mira') await Mira.say('/join lobby');
    await people[nick].say(text);
    await Noor.page.getByText(text.split(/[\n*_:.]/u)[0].replace('/me ', '')).first().waitFor();
  }
  await Jonas.say('/msg Mira Is there any cake left?');
  await Jonas.say('/join lobby');
  await Jonas.isIn('#lobby');
  await Mira.page.locator('.badge').waitFor();

  await picture(Mira, 'desktop-light');
  await picture(Jonas, 'desktop-dark');
  await picture(Noor, 'phone');
  await Noor.input.fill('Shall I bring it over to the kitchen?');
  await Noor.page.setViewportSize({ width: 360, height: 340 });
  await picture(Noor, 'phone-keyboard');
  await Noor.page.setViewportSize(PHONE.viewport);
  await Noor.page.emulateMedia({ colorScheme: 'dark' });
  await Noor.page.locator('#menu').click();
  await picture(Noor, 'phone-dark');
  await Mira.page.locator('#invite').click();
  await Mira.page.locator('#code').evaluate((code) => code.decode());
  await picture(Mira, 'invite');
  await Mira.page.keyboard.press('Escape');
  await server.kill();
  await Mira.say('Is anybody still there?');
  await Mira.sees('disconnected');
  await picture(Mira, 'disconnected');
  for (const person of Object.values(people)) await person.leave();
} finally {
  await browser.close();
  await server.stop();
}
