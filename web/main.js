// Puts the page together. Each part knows only itself; what concerns two of
// them is said here.

import { Composer } from './composer.js';
import { Connection } from './connection.js';
import { Nickname } from './nickname.js';
import { Outgoing } from './outgoing.js';
import { asHeard, parse } from './plain.js';
import { Timeline } from './timeline.js';

const status = document.querySelector('#status');
const timeline = new Timeline();
const outgoing = new Outgoing();
let missed = false;

const nickname = new Nickname({
  onChange: () => connection.restart(),
});

const connection = new Connection({
  // Always the host and port that the page came from, whoever serves it.
  address: () => {
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    return `${scheme}//${location.host}/?nick=${encodeURIComponent(nickname.wish)}`;
  },

  onOpen: () => {
    showStatus('connected', 'Connected');
    // Each connection asks for the wish anew; only an echo tells what we got.
    nickname.show(nickname.wish);
    if (missed) timeline.addNotice('Connected again. What was said in the meantime is not shown.');
    missed = false;
    outgoing.handOver((text) => connection.send(text));
  },

  onClose: ({ wanted }) => {
    missed ||= !wanted && status.dataset.state === 'connected';
    if (wanted) showStatus('connecting', 'Connecting…');
    else showStatus('reconnecting', 'Disconnected. Trying again…');
    for (const entry of outgoing.takeDoubtful()) timeline.doubt(entry);
  },

  onFrame: (frame) => {
    const { left, nick, text } = parse(frame);
    if (left) {
      timeline.addNotice(`${left} has left.`);
      return;
    }
    const own = outgoing.takeEcho({ nick, text }, nickname.wish);
    if (own) showEcho(own, nick);
    else timeline.addMessage(nick, text);
  },
});

const composer = new Composer({
  onSend: (text) => {
    outgoing.add(text, timeline.addPending(nickname.current, asHeard(text)));
    if (connection.isOpen) outgoing.handOver((handed) => connection.send(handed));
  },
});

function showEcho(entry, nick) {
  timeline.confirm(entry, nick);
  if (nick === nickname.current) return;
  timeline.addNotice(`${nickname.current} is taken or not allowed here. You are ${nick}.`);
  nickname.show(nick);
}

function showStatus(state, text) {
  status.dataset.state = state;
  status.textContent = text;
}

function showAddressToShare() {
  const here = /^(localhost|127\..*|\[::1\])$/u.test(location.hostname);
  const share = document.querySelector('#share');
  if (here) {
    share.textContent = 'Others join at the address that chinwag printed when it started.';
    return;
  }
  const address = document.createElement('strong');
  address.textContent = `${location.origin}/`;
  share.append('Others on this network join at ', address);
}

showAddressToShare();
showStatus('connecting', 'Connecting…');
connection.start();
// On a phone, focus would raise the keyboard before anyone wants to write.
if (matchMedia('(hover: hover)').matches) composer.focus();
