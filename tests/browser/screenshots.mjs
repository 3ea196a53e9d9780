// Takes the pictures for the README: `node screenshots.mjs FOLDER`.
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

const SCREENS = {
  Mira: { picture: 'desktop-light.png', viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  Jonas: { picture: 'desktop-dark.png', viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  Noor: {
    picture: 'phone.png',
    viewport: { width: 360, height: 640 },
    deviceScaleFactor: 2,
    colorScheme: 'light',
    isMobile: true,
    hasTouch: true,
  },
};

const CONVERSATION = [
  ['Jonas', 'Is the printer on the second floor working again?'],
  ['Noor', 'Since this morning, yes. It was only out of cyan.'],
  ['Noor', 'For a letter in black and white, of course.'],
  ['Mira', 'It always is.'],
  ['Mira', 'I am making coffee. Who wants one?'],
  ['Jonas', 'Me, please! With a bit of milk.'],
  ['Noor', 'One for me too. I still have half of the lemon cake from yesterday, shall I bring it over to the kitchen?'],
  ['Mira', 'Best network message of the week.'],
  ['Jonas', 'See you there in five minutes.'],
];

const server = await startServer();
const browser = await startBrowser();
try {
  const people = {};
  for (const [nick, { picture, ...context }] of Object.entries(SCREENS)) {
    people[nick] = await visit(browser, server.pagePort, { nick, context: { locale: 'en-GB', ...context } });
  }
  for (const [nick, text] of CONVERSATION) {
    await people[nick].say(text);
    for (const person of Object.values(people)) await person.reads(nick, text);
  }
  await mkdir(folder, { recursive: true });
  for (const [nick, { picture }] of Object.entries(SCREENS)) {
    const path = join(folder, picture);
    await people[nick].page.screenshot({ path });
    console.log(path);
  }
  for (const person of Object.values(people)) await person.leave();
} finally {
  await browser.close();
  await server.stop();
}
