// Long texts are folded, so that one cannot push all others out of sight.

import { button, page } from './elements.js';
import { say } from './words.js';

/** Maximum number of lines of a folded text. The style sheet has it, too. */
const LINES_MAX = 40;
// A shorter text has fewer lines on the narrowest screen.
const SHORT_MAX = 400;
const LINE_FEED = 10;

// The items whose text was unfolded stay so, however often they are drawn.
const unfolded = new WeakSet();
const watcher = new ResizeObserver((entries) => entries.forEach(({ target }) => measured(target)));

/** Folds `body`, which shows the text of `item`. Returns the button that unfolds it, if it may need one. */
export function fold(item, body) {
	if (item.text.length + LINE_FEED * item.text.split('\n').length < SHORT_MAX) return [];
	const toggle = button('unfold', () => set(!unfolded.has(item)));
	const set = (isUnfolded) => {
		const before = toggle.getBoundingClientRect().top;
		if (isUnfolded) unfolded.add(item);
		else unfolded.delete(item);
		show();
		// The reader goes on where the text was cut, or stays where it was folded.
		if (!isUnfolded) page.timeline.scrollTop += toggle.getBoundingClientRect().top - before;
		body.dispatchEvent(new Event('fold', { bubbles: true }));
	};
	const show = () => {
		const isUnfolded = unfolded.has(item);
		body.classList.toggle('folded', !isUnfolded);
		toggle.ariaExpanded = String(isUnfolded);
		toggle.textContent = say(isUnfolded ? 'show_less' : 'show_all');
	};
	show();
	toggle.hidden = true;
	// The browser scrolls to a link that gets the focus, and to what it finds in the page.
	body.onscroll = () => {
		set(true);
		if (body.contains(document.activeElement)) document.activeElement.scrollIntoView({ block: 'nearest' });
	};
	watcher.observe(body);
	return [toggle];
}

/** Unfolds the text in an entry of the timeline. Returns a range at its character `offset`. */
export function unfoldAt(node, offset) {
	node.querySelector('.unfold[aria-expanded=false]')?.click();
	const range = new Range();
	range.selectNode(node);
	const walker = document.createTreeWalker(node.querySelector('.text') ?? node, NodeFilter.SHOW_TEXT);
	for (let rest = offset; walker.nextNode(); rest -= walker.currentNode.length) {
		if (rest < walker.currentNode.length) {
			range.setStart(walker.currentNode, rest);
			range.setEnd(walker.currentNode, rest + 1);
			return range;
		}
	}
	return range;
}

// The button lies over the last lines, so that nothing moves when it appears.
function measured(body) {
	const { lineHeight } = getComputedStyle(body);
	body.nextSibling.hidden = body.scrollHeight <= LINES_MAX * parseFloat(lineHeight) + 1;
}
