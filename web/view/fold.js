// @ts-check
// Folds long texts, so that one cannot push all others out of sight.

import { translate } from '../i18n/translate.js';
import { button, page } from './elements.js';

/** @import { MessageItem } from '../model/items.js' */

/** Maximum number of lines of a folded text. The style sheet has it, too. */
const LINES_MAX = 40;
/** A text of fewer characters has fewer lines on the narrowest screen. */
const SHORT_MAX = 400;
/** How many characters a line feed counts for. */
const LINE_FEED = 10;

/** Items whose text was unfolded. They stay so when they are drawn again. @type {WeakSet<MessageItem>} */
const unfolded = new WeakSet();

const resizeObserver = new ResizeObserver((entries) => {
	for (const { target } of entries) hideToggleIfShort(/** @type {HTMLElement} */ (target));
});

/**
 * Folds `body`, which shows the text of `item`. Returns the button that unfolds it, if it may need one.
 * @param {MessageItem} item
 * @param {HTMLElement} body
 * @returns {HTMLElement[]}
 */
export function fold(item, body) {
	if (item.text.length + LINE_FEED * item.text.split('\n').length < SHORT_MAX) return [];
	const toggle = button('unfold', () => setUnfolded(!unfolded.has(item)));

	/** @param {boolean} isUnfolded */
	function setUnfolded(isUnfolded) {
		const before = toggle.getBoundingClientRect().top;
		if (isUnfolded) unfolded.add(item);
		else unfolded.delete(item);
		show();
		// An unfolded text continues where it was cut, and the button of a folded one stays in place.
		if (!isUnfolded) page.timeline.scrollTop += toggle.getBoundingClientRect().top - before;
		body.dispatchEvent(new Event('fold', { bubbles: true }));
	}

	function show() {
		const isUnfolded = unfolded.has(item);
		body.classList.toggle('folded', !isUnfolded);
		toggle.ariaExpanded = String(isUnfolded);
		toggle.textContent = translate(isUnfolded ? 'show_less' : 'show_all');
	}

	show();
	toggle.hidden = true;
	// The browser scrolls to a link with the focus, and to what it finds in the page.
	body.onscroll = () => {
		setUnfolded(true);
		const { activeElement } = document;
		if (body.contains(activeElement)) activeElement?.scrollIntoView({ block: 'nearest' });
	};
	resizeObserver.observe(body);
	return [toggle];
}

/**
 * Unfolds the text of an entry of the timeline. Returns the range of its character at `offset`.
 * @param {HTMLElement} entry
 * @param {number} offset
 */
export function unfoldAt(entry, offset) {
	/** @type {HTMLElement | null} */ (entry.querySelector('.unfold[aria-expanded=false]'))?.click();
	const range = new Range();
	range.selectNode(entry);
	const walker = document.createTreeWalker(entry.querySelector('.text') ?? entry, NodeFilter.SHOW_TEXT);
	let rest = offset;
	while (walker.nextNode()) {
		const node = /** @type {Text} */ (walker.currentNode);
		if (rest < node.length) {
			range.setStart(node, rest);
			range.setEnd(node, rest + 1);
			return range;
		}
		rest -= node.length;
	}
	return range;
}

/**
 * The button lies over the last lines, so that nothing moves when it appears.
 * @param {HTMLElement} body
 */
function hideToggleIfShort(body) {
	const lineHeight = parseFloat(getComputedStyle(body).lineHeight);
	const toggle = /** @type {HTMLElement} */ (body.nextSibling);
	toggle.hidden = body.scrollHeight <= LINES_MAX * lineHeight + 1;
}
