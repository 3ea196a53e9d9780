/** For the `context` of a visit: a phone of modest size, without a keyboard. */
export const PHONE = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
