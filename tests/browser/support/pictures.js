// The comparison of screenshots.

import { sharedBrowser } from './browser.js';

/** Maximum difference of a colour, of 255, that is noise of the browser. */
const NOISE_MAX = 24;

/** Returns the number of pixels in which two screenshots of the same size differ. */
export async function differences(one, other) {
  const page = await (await sharedBrowser()).newPage();
  const count = await page.evaluate(
    async ([pictures, noise]) => {
      const pixels = async (picture) => {
        const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
        const bitmap = await createImageBitmap(new Blob([bytes]));
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
        context.drawImage(bitmap, 0, 0);
        return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
      };
      const [one, other] = await Promise.all(pictures.map(pixels));
      let count = 0;
      for (let index = 0; index < one.length; index += 4) {
        count += [0, 1, 2].some((part) => Math.abs(one[index + part] - other[index + part]) > noise);
      }
      return count;
    },
    [[one, other].map((picture) => picture.toString('base64')), NOISE_MAX],
  );
  await page.close();
  return count;
}
