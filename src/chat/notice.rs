//! Notices: the messages of the server to its clients, before they are encoded.

use std::sync::Arc;

use super::command::CommandError;
use super::message::{Id, Message};
use super::nickname::Nickname;
use super::room_name::RoomName;
use super::session::Token;
use super::text::Text;

/// A message of the server to clients. The plain dialect encodes only `Message` and `Left`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Message(Arc<Message>),
    Arrived {
        room: RoomName,
        nickname: Nickname,
    },
    Left {
        room: RoomName,
        nickname: Nickname,
        reason: LeaveReason,
    },
    Renamed {
        from: Nickname,
        to: Nickname,
        rooms: Vec<RoomName>,
    },
    Typing {
        room: RoomName,
        nickname: Nickname,
    },
    Private {
        from: Nickname,
        to: Nickname,
        time: u64,
        text: Text,
        id: Id,
    },
    Welcome {
        session: Token,
        nickname: Nickname,
        resumed: bool,
    },
    Joined(Box<Joined>),
    Parted {
        room: RoomName,
    },
    History {
        room: RoomName,
        messages: Vec<Arc<Message>>,
        more: bool,
    },
    /// The messages that a search found, newest first. `before` continues the search, if there are
    /// more.
    Results {
        messages: Vec<Arc<Message>>,
        before: Option<u64>,
    },
    Rooms {
        rooms: Vec<Listing>,
        more: bool,
    },
    Members {
        room: RoomName,
        members: Members,
        more: bool,
    },
    /// A message of the server itself.
    Announcement {
        text: Arc<str>,
        level: Level,
    },
    /// The answer to a request that the embedder has handled.
    Handled {
        text: Option<Text>,
    },
    Pong,
    Error(CommandError),
}

/// How serious an announcement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Warning,
}

/// The answer to a client that joins a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) room: RoomName,
    /// The number of the newest message when the client asked, or 0 if there was none yet.
    pub(crate) seq: u64,
    /// `messages` follow the one that the client named without a gap.
    pub(crate) recovered: bool,
    pub(crate) messages: Vec<Arc<Message>>,
    /// The client may have missed more messages, and must join again to get them. Until then it gets
    /// no new ones.
    pub(crate) more: bool,
    pub(crate) members: Members,
}

/// Members of a room, in the order of their arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    /// The nicknames of those that fit in one answer.
    pub(crate) nicknames: Vec<Nickname>,
    /// The number of all members.
    pub(crate) count: usize,
}

/// A room in a list of rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) room: RoomName,
    /// The number of members.
    pub(crate) members: usize,
    pub(crate) seq: u64,
}

/// The reason why a user left a room. It is part of [`Event::Left`](crate::Event::Left).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaveReason {
    /// Its client closed the connection, or left the room.
    Closed,
    /// Its client gave no sign of life.
    TimedOut,
    /// Its client read too slowly.
    TooSlow,
    /// Its connection broke, or its client violated the protocol.
    Error,
}
