// Types of the JSON protocol, and of the modules that speak it. Browsers do not load this file.
// The types are global for the compiler that checks them. A module uses those of its own folder
// and of the folders below it.

type RequestError = import('./connection.js').RequestError;
type Session = import('./session.js').Session;

/** A message of a room. */
interface Message {
	room: string;
	/** Its number in its room. */
	seq: number;
	/** Unix time in milliseconds. */
	time: number;
	nick: string;
	text: string;
	/** Chosen by its author. */
	id: string;
	kind: 'say' | 'me';
}

interface Limits {
	text_bytes: number;
	nick_graphemes: number;
	rooms: number;
	burst: number;
	per_second: number;
}

interface WelcomeEvent {
	type: 'welcome';
	/** Token of the session, for the next connection. */
	session: string;
	nick: string;
	/** Whether the server can search. */
	search: boolean;
	limits: Limits;
	/** The commands of the server. */
	commands?: ServerCommand[];
}

interface ServerCommand {
	/** Without the slash. */
	name: string;
	/** A sentence for people. */
	help: string;
}

/** The server has carried out a command, or has taken a message without sending it. */
interface HandledEvent {
	type: 'handled';
	/** For this user only. */
	text?: string;
}

interface JoinedEvent {
	type: 'joined';
	room: string;
	/** The history that the numbers of messages belong to. */
	epoch: string;
	/** Number of the newest message. */
	seq: number;
	/** Whether `messages` are all that the client missed. */
	recovered: boolean;
	messages: Message[];
	/** Whether another part follows, for which the client joins again. */
	more?: boolean;
	/** The first page of members. */
	members: string[];
	members_count?: number;
}

interface PrivateEvent {
	type: 'private';
	from: string;
	to: string;
	time: number;
	text: string;
	id: string;
}

interface RenamedEvent {
	type: 'renamed';
	from: string;
	to: string;
	rooms: string[];
}

/** A page of messages, the oldest first. */
interface HistoryEvent {
	type: 'history';
	room: string;
	messages: Message[];
	/** Whether there are older messages. */
	more: boolean;
}

/** A page of search results, the newest first. */
interface ResultsEvent {
	type: 'results';
	messages: Message[];
	/** Where the next page begins, if there is one. */
	before?: number;
}

interface RoomsEvent {
	type: 'rooms';
	rooms: { room: string; members: number }[];
	/** Whether there are more rooms. */
	more: boolean;
}

interface MembersEvent {
	type: 'members';
	members: string[];
	members_count: number;
}

interface ErrorAnswer {
	type: 'error';
	/** See PROTOCOL.md. In the page also `closed`, if the connection ended before the answer. */
	code: string;
	/** A sentence for people. */
	message?: string;
	/** How long to wait before the same request is accepted, in milliseconds. */
	retry_ms?: number;
}

/** An event of the server. `ref` is that of the request which it answers. */
type ServerEvent = { ref?: string; id?: string } & (
	| WelcomeEvent
	| JoinedEvent
	| { type: 'parted'; room: string }
	| ({ type: 'message' } & Message)
	| PrivateEvent
	| { type: 'arrived'; room: string; nick: string }
	| { type: 'left'; room: string; nick: string }
	| RenamedEvent
	| HistoryEvent
	| ResultsEvent
	| { type: 'notice'; text: string }
	| HandledEvent
	| RoomsEvent
	| MembersEvent
	| ErrorAnswer
);

/** The answer to each type of request. */
interface Answers {
	hello: WelcomeEvent;
	join: JoinedEvent;
	part: { type: 'parted'; room: string };
	nick: RenamedEvent;
	history: HistoryEvent;
	search: ResultsEvent;
	rooms: RoomsEvent;
	members: MembersEvent;
	command: HandledEvent;
}

/** A message of the user that the server has not confirmed. */
interface UnsentMessage {
	/** Key of its conversation: the name of a room, or a nickname after an @. */
	key: string;
	text: string;
	kind: 'say' | 'me';
	id: string;
	time: number;
	/** Why it is not sent. Only its author sends it again then. */
	problem?: string;
	/** How many connections broke while it was in flight. */
	breaks?: number;
	/** Whether the room was joined again for it. */
	hasRejoined?: boolean;
}

interface ConnectionHandlers {
	onOpen(): void;
	onEvent(event: ServerEvent): void;
	/** Without `code`, the page gave the connection up. */
	onClose(code?: number, reason?: string): void;
	/** The handshake or `hello` failed. `reason` is empty if the server cannot be reached. */
	onRefused(reason: string): void;
}

interface SendQueueHandlers {
	send(request: object): void;
	/** Returns whether messages of a conversation can be sent now. */
	canSend(key: string): boolean;
	/** Joins a room again. Returns false if it is not one of the user's rooms. */
	rejoin(key: string): boolean;
	onChange(): void;
}

interface SessionHandlers {
	/** Joins the rooms. Messages are sent when it is done. */
	onWelcome(event: WelcomeEvent): Promise<void>;
	/** `isAnswer` is false for an event that no request of the page has asked for. */
	onEvent(event: ServerEvent, isAnswer: boolean): void;
	onClose: ConnectionHandlers['onClose'];
	/** The server accepts this client later. */
	onWait(): void;
	onRefused: ConnectionHandlers['onRefused'];
	onQueueChange(): void;
	canSend: SendQueueHandlers['canSend'];
	rejoin: SendQueueHandlers['rejoin'];
}

/** A request without an answer, or a pause before a request. */
interface Pending {
	resolve?(answer: any): void;
	reject(error: RequestError): void;
}
