//! Commands: what a client of the JSON dialect asks for.

use super::message::{Id, Kind};
use super::{Nickname, Query, RoomName, Text, Token};

/// What a client of the JSON dialect asks for. A plain client only ever says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// To be somebody, perhaps again. Comes first.
    Hello { wish: Option<Nickname>, session: Option<Token> },
    /// To be in a room, and to be given what was said there since.
    Join { room: RoomName, since: Option<Since> },
    /// To be in a room no longer.
    Part { room: RoomName },
    /// To say something in a room.
    Say(NewMessage),
    /// To say something to one person.
    Tell(NewPrivateMessage),
    /// To be called something else.
    Nick { nickname: Nickname },
    /// To have it known that one is writing.
    Typing { room: RoomName },
    /// To be given what was said before a message, or last.
    History { room: RoomName, before: Option<u64>, limit: usize },
    /// To find what was said.
    Search(Search),
    /// To know which rooms there are, by name: those after one.
    Rooms { after: Option<RoomName>, limit: usize },
    /// To know who is in a room: those who came after one of them.
    Members { room: RoomName, after: Option<Nickname> },
    /// To hear that the other side is there.
    Ping,
}

/// A message that a client asks to be sent to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewMessage {
    pub(crate) room: RoomName,
    pub(crate) text: Text,
    pub(crate) id: Id,
    pub(crate) kind: Kind,
}

/// A message that a client asks to be sent to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewPrivateMessage {
    pub(crate) to: Nickname,
    pub(crate) text: Text,
    pub(crate) id: Id,
}

/// The newest message that a client has, and of which history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    pub(crate) epoch: String,
    pub(crate) after: u64,
}

/// What is to be found: the newest `limit` messages before the one of this number, in one room or
/// in all. The numbers are those of the search, not of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) query: Query,
    pub(crate) room: Option<RoomName>,
    pub(crate) before: Option<u64>,
    pub(crate) limit: usize,
}
