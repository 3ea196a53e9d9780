//! The inbox of the broadcaster, to which the other threads send.

use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::Broadcaster;
use super::close_reason::CloseReason;
use super::event::Request;
use super::outbox::{Frames, Outbox};
use crate::chat::{ClientId, Grant, RoomName, Text};
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
    /// A call of the embedder. It answers through a channel of its own.
    Call(Box<dyn FnOnce(&mut Broadcaster) + Send>),
    /// A request was refused before it reached the chat. Sent only if the embedder gets events.
    Refused { address: IpAddr, status: u16, reason: String },
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
    /// What a hook of the embedder decided about it.
    pub(crate) grant: Option<Box<Grant>>,
    pub(crate) outbox: Arc<Outbox>,
}
