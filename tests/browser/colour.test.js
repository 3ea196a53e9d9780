// The colours of nicknames are legible, in either theme, on each background.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TestServer } from './support/server.js';

const CONTRAST_MIN = 4.5;
const BACKGROUNDS = ['--ground', '--raised', '--own'];

for (const theme of ['light', 'dark']) {
  test(`every hue of a nickname is legible in the ${theme} theme`, async (t) => {
    const server = await TestServer.start(t);
    const { page } = await server.openPage({ context: { colorScheme: theme } });
    const { colours, backgrounds, outside } = await page.evaluate(paint, BACKGROUNDS);

    assert.equal(new Set(backgrounds.map(String)).size, BACKGROUNDS.length);
    // With eight bits some neighbouring hues are equal.
    assert.ok(new Set(colours.map(String)).size > 300, 'the hues differ');
    for (const [index, background] of backgrounds.entries()) {
      const contrasts = colours.map((colour) => contrast(colour, background));
      const least = Math.min(...contrasts);
      t.diagnostic(`${BACKGROUNDS[index]}: at least ${least.toFixed(2)}`);
      assert.ok(least >= CONTRAST_MIN, `hue ${contrasts.indexOf(least)} on ${BACKGROUNDS[index]}: ${least}`);
    }
    assert.deepEqual(outside, [], 'hues outside of sRGB');
  });
}

test('a nickname has the same colour everywhere, in every letter case', async (t) => {
  const server = await TestServer.start(t);
  const { page } = await server.openPage();
  const hues = (nicks) =>
    page.evaluate(async (nicks) => {
      const { hueOf } = await import('/view/elements.js');
      return nicks.map(hueOf);
    }, nicks);

  assert.deepEqual(await hues(['ana', 'Ana', 'bo', '小明', '']), [246, 246, 41, 260, 284]);
  const many = await hues(Array.from({ length: 3600 }, (_, index) => `user-${index}`));
  const perSixth = [0, 1, 2, 3, 4, 5].map((sixth) => many.filter((hue) => Math.floor(hue / 60) === sixth).length);
  assert.equal(many.every(Number.isInteger), true);
  assert.ok(perSixth.every((count) => count > 500 && count < 700), String(perSixth));
});

/** In the page: returns the colour of each hue and background as bytes of sRGB, and the hues outside of sRGB. */
async function paint(names) {
  const { author } = await import('/view/elements.js');
  const canvas = document.createElement('canvas');
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const drawn = (color) => {
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const element = author('ana');
  document.body.append(element);
  const style = getComputedStyle(element);

  const backgrounds = names.map((name) => {
    element.style.setProperty('background-color', `var(${name})`);
    return drawn(style.backgroundColor);
  });
  const colours = [];
  const outside = [];
  for (let hue = 0; hue < 360; hue += 1) {
    element.style.setProperty('--hue', hue);
    colours.push(drawn(style.color));
    element.style.setProperty('outline-color', `color(from ${style.color} srgb r g b)`);
    const parts = style.outlineColor.match(/-?[\d.]+(?:e-\d+)?/gu).map(Number);
    if (parts.length < 3 || parts.some((part) => part < -0.001 || part > 1.001)) outside.push([hue, style.outlineColor]);
  }
  return { colours, backgrounds, outside };
}

// Web Content Accessibility Guidelines 2.2, "contrast ratio".
function contrast(...colours) {
  const [dark, light] = colours.map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(bytes) {
  const [red, green, blue] = bytes.map((byte) => {
    const part = byte / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
