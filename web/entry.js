// One entry of the timeline as an element. What others wrote goes in as text.

import { author } from './colour.js';
import { button, create } from './elements.js';
import { fold } from './fold.js';
import { render } from './markup.js';
import { drawable, isBlank } from './visible.js';
import { day, say, time } from './words.js';

// Messages of one person within this time stand together.
const TOGETHER_MS = 5 * 60_000;
const NAMES_MAX = 5;

/** `before` is the item above; `nick` is ours. */
export function draw(item, before, nick, isDivided) {
	const { kind, text, isOwn } = item;
	const node = create('li', kind);
	const isNewDay = day(item.time) !== (before && day(before.time));
	if (isNewDay) node.append(create('p', 'day', day(item.time)));
	if (isDivided) node.append(create('p', 'divider', say('new')));
	if (item.nick) {
		const continues = kind === 'say' && before?.kind === 'say' && before.nick === item.nick;
		node.classList.add('message', isOwn ? 'own' : 'other');
		if (continues && !isNewDay && item.time - before.time < TOGETHER_MS) node.classList.add('continues');
		const content = isBlank(text) ? create('span', 'soft', say('blank')) : render(text, isOwn ? '' : nick);
		const body = create('div', 'text', content);
		if (kind === 'me') body.prepend(create('bdi', '', ...drawable(item.nick)), ' ');
		body.dir = 'auto';
		node.append(create('div', 'byline', author(item.nick), ' ', create('time', '', time(item.time))), create('div', 'bubble', body, ...fold(item, body)));
	} else {
		node.append(create('p', 'notice', text ?? (kind === 'gap' ? say('gap') : folded(item.changes))));
	}
	return node;
}

/** Our own message, on its way; `act` says what is to be done with it. */
export function drawUnsent(entry, act) {
	const { problem } = entry;
	const node = draw({ ...entry, nick: ' ', isOwn: true }, entry);
	const line = create('p', 'state', problem ?? say('sending'));
	for (const what of problem ? ['retry', 'withdraw'] : ['withdraw']) {
		line.append(' ', button('link', () => act(what, entry), say(what)));
	}
	node.classList.add(problem ? 'failed' : 'pending', 'continues');
	node.append(line);
	return node;
}

function list(changes) {
	const rest = changes.length - NAMES_MAX;
	// Each in its own direction.
	const shown = changes.slice(0, NAMES_MAX).map(({ nick }) => `\u2068${nick}\u2069`).join(', ');
	return rest > 0 ? `${shown}, ${say('others', { n: rest })}` : shown;
}

// "ana, bo joined · cy left"
function folded(changes) {
	const those = (what) => changes.filter((it) => it.what === what);
	const crowds = ['joined', 'left'].filter((what) => those(what).length);
	const renamed = those('renamed').map(({ nick, to }) => say('renamed', { from: nick, to }));
	return [...crowds.map((what) => say(what, { names: list(those(what)) })), ...renamed].join(' · ');
}
