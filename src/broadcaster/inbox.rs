//! The inbox of the broadcaster, to which the other threads send.

use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::close_reason::CloseReason;
use super::event::{EventSink, Request};
use super::outbox::{Frames, Outbox};
use crate::chat::{ClientId, Listing, Nickname, NicknameTaken, Notice, RoomName, Search, Text};
use crate::protocol::Handshake;
use crate::protocol::json::ParsedRequest;

/// Maximum capacity of the inbox (inputs); the server makes it smaller if memory is short. When
/// the inbox is full, a thread that sends to it waits. A connection reads no more from its client then.
pub(crate) const INBOX_MAX: usize = 1024;

/// An item of the inbox.
pub(crate) enum Input {
    /// A client has connected.
    Connected(Box<Arrival>),
    /// Messages of one client, in their order.
    Messages { client: ClientId, messages: Vec<ClientMessage> },
    /// The history has answered a query of a client.
    LookupDone {
        client: ClientId,
        /// The number of the query ([`ClientRecipient`](super::history::ClientRecipient)).
        number: u64,
        answer: Frames,
        /// A room, and the message after which the history has nothing that the client missed.
        gap_after: Option<(RoomName, u64)>,
    },
    /// A client is gone. Its connection sends this exactly once.
    Disconnected { client: ClientId, reason: CloseReason },
    /// The embedder posts a message.
    Post {
        room: RoomName,
        nickname: Nickname,
        text: Text,
        answer: Sender<Result<(), NicknameTaken>>,
    },
    /// The embedder reserves a nickname for itself.
    Reserve { nickname: Nickname, answer: Sender<Result<(), NicknameTaken>> },
    /// The embedder closes the connection of a client. The answer is whether it was connected.
    Kick { client: ClientId, reason: String, answer: Sender<bool> },
    /// The embedder subscribes to events.
    Subscribe { sink: EventSink, answer: Sender<()> },
    /// The embedder asks for the rooms and their members.
    ListRooms(Sender<Vec<(Listing, Vec<Nickname>)>>),
    /// The embedder reads a page of older messages.
    History { room: RoomName, before: Option<u64>, limit: usize, answer: Sender<Notice> },
    /// The embedder searches the history.
    Search { search: Search, answer: Sender<Notice> },
    /// A health check. Its answer shows that the broadcaster takes turns.
    Probe(Sender<()>),
    /// The server stops. Every connection is closed, and no client is accepted.
    Stop,
    /// Every connection has ended.
    End,
}

/// One message of a client.
pub(crate) enum ClientMessage {
    /// A text of a plain client.
    Text(Text),
    /// A request of a JSON client.
    Request(ParsedRequest),
    /// Frames that are sent back to the client alone, in the build for the conformance suite.
    #[cfg(conformance)]
    Echo(Frames),
}

/// A client that has connected.
pub(crate) struct Arrival {
    pub(crate) client: ClientId,
    pub(crate) address: IpAddr,
    pub(crate) handshake: Handshake,
    pub(crate) request: Arc<Request>,
    pub(crate) outbox: Arc<Outbox>,
}
