// Types of the model, and the events that tell the view of its changes.

type Chat = typeof import('./chat.js').chat;
type Conversation = import('./conversation.js').Conversation;
type PastItems = import('./conversation.js').PastItems;

/** A message of a room, or a private one, which has neither number nor kind. */
interface ReceivedMessage {
	room?: string;
	seq?: number;
	time: number;
	nick: string;
	text: string;
	id: string;
	kind?: 'say' | 'me';
}

/** A page of messages, the oldest first. */
type MessagePage = Pick<HistoryEvent, 'messages' | 'more'>;

interface ItemBase {
	time: number;
	seq?: number;
	id?: string;
	nick?: string;
	text?: string;
}

interface MessageItem extends ItemBase {
	kind: 'say' | 'me';
	id: string;
	nick: string;
	text: string;
	isOwn: boolean;
}

/** A line for this user only. */
interface NoteItem extends ItemBase {
	kind: 'note';
	text: string;
}

/** Changes of the members between two messages. */
interface ChangesItem extends ItemBase {
	kind: 'changes';
	changes: MemberChange[];
}

/** Messages that the page does not have. */
interface GapItem extends ItemBase {
	kind: 'gap';
	/** Number of the last message before the gap, or 0. */
	floor: number;
	/** Whether the server may have some of the messages. */
	hasMore: boolean;
	/** Whether no message is lost, as far as is known. */
	isWhole: boolean;
}

/** An item of the timeline. */
type Item = MessageItem | NoteItem | ChangesItem | GapItem;

interface MemberChange {
	type: 'joined' | 'left' | 'renamed';
	nick: string;
	/** The new nickname, if the member was renamed. */
	to?: string;
}

/** Items that were added in a gap. */
interface GapChange {
	/** Index of the gap before the change. */
	at: number;
	added: MessageItem[];
	/** Whether the gap is gone. */
	isClosed: boolean;
}

interface Attention {
	/** Whether the page is visible. */
	isVisible: boolean;
	/** Whether the end of the timeline is in sight. */
	isAtEnd: boolean;
}

type Status = 'connected' | 'disconnected' | 'waiting' | 'refused' | 'kicked' | 'elsewhere';

/** A change of the items of a conversation. */
type ItemsEvent =
	| { type: 'joined'; conversation: Conversation }
	/** A new last item, or a change of the last item. */
	| { type: 'appended'; conversation: Conversation; isChange: boolean }
	/** Older or newer items of the conversation that is shown. */
	| { type: 'extended'; olderCount: number }
	| { type: 'filled'; change: GapChange };

/** A change that the view shows. */
type ChatEvent =
	/** `reason` is that of `refused` and `kicked`, and may be empty. */
	| { type: 'status'; status: Status; reason?: string }
	/** The user, or the partner in a private conversation, has another nickname. */
	| { type: 'renamed' }
	/** Another conversation, or other messages of it, are shown, from `found` on. */
	| { type: 'shown'; found?: Item }
	| ItemsEvent
	/** An unread message that is private or has the user's nickname. */
	| { type: 'mentioned'; conversation: Conversation; item: MessageItem }
	/** The messages that are not sent have changed. */
	| { type: 'queue' }
	| { type: 'failed'; error: RequestError }
	| { type: 'search'; query: string }
	/** Conversations, members or unread counts have changed. */
	| { type: 'list' };

/** A piece of a message after parsing. */
type Token =
	| { type: 'text' | 'code' | 'block' | 'mention'; text: string }
	| { type: 'link'; text: string; href: string }
	| { type: 'bold' | 'italic'; content: Token[] };
