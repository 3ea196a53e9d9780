// The list of what was said. It follows the newest message while the reader is
// at its end, and holds still while they read further up. Everything that
// others wrote goes in as text, never as markup.
//
// Own messages that are still on their way stay below all others; the echo
// fixes their place.

const NODES_MAX = 300;
const AT_END_PX = 48;
const HUES = 8;

const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });

export class Timeline {
  #scroller = document.querySelector('#timeline');
  #list = document.querySelector('#messages');
  #silence = document.querySelector('#silence');
  #newer = document.querySelector('#newer');
  #following = true;

  constructor() {
    this.#scroller.addEventListener('scroll', () => {
      this.#following = this.#distanceToEnd() < AT_END_PX;
      if (this.#following) this.#newer.hidden = true;
    });
    this.#newer.addEventListener('click', () => this.#scrollToEnd());
    // The keyboard of a phone, a growing input or a turned screen change our
    // height; the reader at the end stays there.
    new ResizeObserver(() => {
      if (this.#following) this.#scrollToEnd();
    }).observe(this.#scroller);
  }

  /** Somebody else's message. */
  addMessage(nick, text) {
    const entry = messageEntry(nick, text);
    this.#insert(entry.node, this.#list.querySelector('.pending'));
  }

  /** Our own message, on its way. The answer is for `confirm` or `doubt`. */
  addPending(nick, text) {
    const entry = messageEntry(nick, text);
    entry.node.classList.add('own', 'pending');
    entry.state.textContent = 'waiting…';
    this.#following = true;
    this.#insert(entry.node, null);
    return entry;
  }

  /** Our message came back, under `nick`. */
  confirm(entry, nick) {
    entry.author.textContent = nick;
    this.#settle(entry, '');
  }

  /** The connection broke before our message came back. */
  doubt(entry) {
    entry.node.classList.add('doubtful');
    this.#settle(entry, 'may not have arrived');
  }

  /** A line about the room or the connection. */
  addNotice(text) {
    const node = create('li', 'notice', text);
    node.dir = 'auto';
    this.#insert(node, this.#list.querySelector('.pending'));
  }

  #settle(entry, state) {
    entry.node.classList.remove('pending');
    entry.state.textContent = state;
    entry.time.textContent = clock.format(Date.now());
    group(entry.node);
    group(entry.node.nextElementSibling);
    if (this.#following) this.#scrollToEnd();
  }

  #insert(node, before) {
    this.#silence.hidden = true;
    this.#list.insertBefore(node, before);
    group(node);
    group(node.nextElementSibling);
    this.#trim();
    if (this.#following) this.#scrollToEnd();
    else this.#newer.hidden = false;
  }

  // What goes at the top must not move what is being read.
  #trim() {
    while (this.#list.children.length > NODES_MAX) {
      const height = this.#scroller.scrollHeight;
      this.#list.firstElementChild.remove();
      group(this.#list.firstElementChild);
      this.#scroller.scrollTop -= height - this.#scroller.scrollHeight;
    }
  }

  #distanceToEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #scrollToEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

function messageEntry(nick, text) {
  const entry = {
    node: create('li', 'message'),
    author: create('bdi', 'author', nick),
    time: create('time', '', clock.format(Date.now())),
    text: create('p', 'text', text),
    state: create('small', 'state'),
  };
  entry.node.dataset.hue = hueOf(nick);
  entry.text.dir = 'auto';
  const byline = create('div', 'byline');
  byline.append(entry.author, ' ', entry.time);
  const bubble = create('div', 'bubble');
  bubble.append(entry.text, entry.state);
  entry.node.append(byline, bubble);
  return entry;
}

function create(name, className, text = '') {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

// A message goes on where the one before it left off, without a byline of its
// own, if that would say the same: the author and the minute.
function group(node) {
  if (!node?.classList.contains('message')) return;
  const byline = (message) => message.querySelector('.byline').textContent;
  const previous = node.previousElementSibling;
  const continues =
    previous?.classList.contains('message') &&
    previous.classList.contains('own') === node.classList.contains('own') &&
    byline(previous) === byline(node);
  node.classList.toggle('continues', Boolean(continues));
}

// Everybody has a colour, the same on every screen (FNV-1a, folded).
function hueOf(nick) {
  let hash = 0x811c9dc5;
  for (const character of nick) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % HUES;
}
