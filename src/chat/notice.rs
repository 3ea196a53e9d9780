//! Notices: what clients are told.

use std::sync::Arc;
use std::time::Duration;

use super::message::{Id, Message};
use super::{Nickname, RoomName, Text, Token};

/// Something that people are told. The plain dialect has words only for messages and goodbyes.
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
    /// What was found, the newest first. There is more before the one of this number.
    #[cfg_attr(not(feature = "history"), allow(dead_code, reason = "only a kept history has it"))]
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
    /// The server has something to say.
    Announcement {
        text: &'static str,
        level: Level,
    },
    Pong,
    Refused(Refused),
}

/// How serious a word of the server is.
#[cfg_attr(not(feature = "history"), expect(dead_code, reason = "only a kept history has it"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Warning,
}

/// A room, as somebody finds it who comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) room: RoomName,
    /// The number of the newest message; 0 where nothing was said yet.
    pub(crate) seq: u64,
    /// `messages` are all that were said since the one that the client named.
    pub(crate) recovered: bool,
    pub(crate) messages: Vec<Arc<Message>>,
    /// There are more that the client missed. It is to join again, and is not told yet what is said.
    pub(crate) more: bool,
    pub(crate) members: Members,
}

/// Members of a room, in the order of their arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    /// As many as one answer holds.
    pub(crate) nicknames: Vec<Nickname>,
    /// How many there are.
    pub(crate) count: usize,
}

/// A room, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) room: RoomName,
    pub(crate) members: usize,
    pub(crate) seq: u64,
}

/// Why somebody is in a room no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaveReason {
    /// It closed its connection, or left the room.
    Closed,
    /// It gave no sign of life.
    TimedOut,
    /// It did not read what it was sent.
    TooSlow,
    /// Its connection broke, or it broke a rule.
    Error,
}

/// Why a client does not get what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("say hello first")]
    NotReady,
    #[error("hello is said once")]
    HelloAgain,
    #[error("{0} is taken, or looks like a name that is")]
    NickTaken(Nickname),
    #[error("you are not in {0}")]
    NotInRoom(RoomName),
    #[error("you are in {0} rooms already, which is as many as can be")]
    TooManyRooms(usize),
    #[error("there are too many rooms already; join one that is there")]
    RoomsFull,
    #[error("too much at once; try again in {retry_ms} ms")]
    RateLimited { retry_ms: u64 },
    #[error("nobody here is called {0}")]
    NoSuchNick(Nickname),
    #[error("{0} has a simple client, which cannot get private messages")]
    CannotHear(Nickname),
    #[error("nothing is kept that could be searched")]
    NothingKept,
    #[error("what is kept cannot be read just now; try again")]
    CannotRead,
    #[error("the search is being prepared; try again in a while")]
    #[cfg_attr(not(feature = "history"), expect(dead_code, reason = "only a kept history has it"))]
    CannotSearchYet,
}

impl Refused {
    /// Refuses until so much time has passed.
    pub(super) fn for_now(wait: Duration) -> Self {
        let retry_ms = wait.as_nanos().div_ceil(1_000_000);
        Self::RateLimited { retry_ms: u64::try_from(retry_ms).unwrap_or(u64::MAX) }
    }
}
