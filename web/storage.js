// What the browser remembers for us. Private windows and strict settings
// refuse, by throwing; then we simply do not remember.

/** The remembered text, or an empty one. */
export function recall(key) {
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

export function remember(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch {
    // Nothing is lost but the memory of it.
  }
}
