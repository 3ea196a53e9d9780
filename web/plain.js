// The plain dialect: what a text frame means, and what the room will hear of
// a text that we send. Pure functions; nothing here touches socket or page.
//
// A frame is `nick: text`, or ` .... nick has left.` with a leading space. No
// nickname starts with a space or has a colon before one, so neither can be
// taken for the other, nor the nickname for the text.

const FAREWELL = /^ \.{4} (.+) has left\.$/su;
const LINE_BREAK = /\r\n|[\r\n\u2028\u2029]/gu;
// Control characters other than tab, and overrides of the writing direction.
const REMOVED = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202d\u202e]/gu;
const GIVEN = /^user-\p{N}+$/iu;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The most UTF-8 bytes that a message may have; the server cuts us off for more. */
export const TEXT_BYTES_MAX = 8192;

/** The size of `text` on the wire. */
export function sizeInBytes(text) {
  return encoder.encode(text).length;
}

/** `text` as the room hears it: on one line, without control characters. */
export function asHeard(text) {
  const wellFormed = decoder.decode(encoder.encode(text));
  return wellFormed.replace(LINE_BREAK, ' ').replace(REMOVED, '');
}

/** Whether `nick` has the shape of the names that only the server gives. */
export function isGiven(nick) {
  return GIVEN.test(nick);
}

/** What a frame says: `{ left }`, or `{ nick, text }`. */
export function parse(frame) {
  const farewell = FAREWELL.exec(frame);
  if (farewell) return { left: farewell[1] };
  const colon = frame.indexOf(': ');
  if (colon < 0) return { nick: '', text: frame };
  return { nick: frame.slice(0, colon), text: frame.slice(colon + 2) };
}

/**
 * Whether a message of `nick` that says `text` may be our own `heard` come back.
 *
 * The dialect never tells us our name. It is the one that we wished for or,
 * where that was taken or not allowed, one that the server gives. Whoever else
 * says the very same words at the same moment is thus rarely taken for us, and
 * then only until our next message.
 */
export function isEcho({ nick, text }, heard, wish) {
  return text === heard && (nick === wish || isGiven(nick));
}
