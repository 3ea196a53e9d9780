// @ts-check
// Recognises the messages of this tab, also after a reload and under an earlier nickname.

import { isReload, tab } from '../storage/storage.js';

const random = () => crypto.getRandomValues(new Uint32Array(2)).join('-');

/** Prefix of the ids of all messages of this tab. @type {string} */
const ID_PREFIX = (isReload && tab.get('mark')) || random();
tab.set('mark', ID_PREFIX);

/** Nicknames of this tab. Another client could use the prefix, but not under these. @type {Set<string>} */
const ownNicks = new Set(isReload ? tab.get('nicks', []) : []);

export const newMessageId = () => `${ID_PREFIX}.${random()}`;

/**
 * Records a nickname that this tab has.
 * @param {string} nick
 */
export function addOwnNick(nick) {
	tab.set('nicks', [...ownNicks.add(nick)]);
}

/**
 * Returns whether a message was sent by this tab.
 * @param {{ id: string, nick: string }} message
 */
export const isOwn = ({ id, nick }) => id.startsWith(ID_PREFIX) && ownNicks.has(nick);
