// @ts-check
// Types of the changes that the model reports to the view.

/** @import { RequestError } from '../net/protocol.js' */
/** @import { Conversation, GapChange } from './conversation.js' */
/** @import { Item, MessageItem } from './items.js' */

/** @typedef {'connected' | 'disconnected' | 'waiting' | 'refused'} Status */

/** @typedef {{ type: 'joined', conversation: Conversation }} JoinEvent */
/** @typedef {{ type: 'appended', conversation: Conversation, isChange: boolean }} AppendEvent a new last item, or a change of it */
/** @typedef {{ type: 'extended', olderCount: number }} ExtendEvent older or newer items of what is shown */
/** @typedef {{ type: 'filled', change: GapChange }} FillEvent items in a gap of what is shown */
/** @typedef {JoinEvent | AppendEvent | ExtendEvent | FillEvent} ItemsEvent */

/**
 * A change that the view shows. `list` stands for conversations, members and unread counts.
 * @typedef {{ type: 'status', status: Status, reason?: string }
 *   | { type: 'renamed' }
 *   | { type: 'shown', found?: Item }
 *   | ItemsEvent
 *   | { type: 'mentioned', conversation: Conversation, item: MessageItem }
 *   | { type: 'queue' }
 *   | { type: 'failed', error: RequestError }
 *   | { type: 'search', query: string }
 *   | { type: 'list' }} ChatEvent
 */

export {};
