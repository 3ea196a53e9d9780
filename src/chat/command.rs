//! Commands: the requests of JSON clients. A plain client only sends messages.

use std::time::Duration;

use super::message::{Id, Kind};
use super::nickname::Nickname;
use super::query::Query;
use super::room_name::RoomName;
use super::session::Token;
use super::text::Text;

/// A request of a JSON client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Begins a session, or resumes one. Must be the first command.
    Hello { wish: Option<Nickname>, session: Option<Token> },
    /// Joins a room, and asks for the messages since one that the client has.
    Join { room: RoomName, since: Option<Since> },
    /// Leaves a room.
    Part { room: RoomName },
    /// Sends a message to a room.
    Say(NewMessage),
    /// Sends a private message to one person.
    Tell(NewPrivateMessage),
    /// Changes the nickname.
    Nick { nickname: Nickname },
    /// Shows the members of a room that the user is typing.
    Typing { room: RoomName },
    /// Asks for the messages before one of them, or for the newest.
    History { room: RoomName, before: Option<u64>, limit: usize },
    /// Searches the messages.
    Search(Box<Search>),
    /// Asks for the rooms in the order of their names, from the first or after one of them.
    Rooms { after: Option<RoomName>, limit: usize },
    /// Asks for the members of a room in the order of their arrival, from the first or after one of
    /// them.
    Members { room: RoomName, after: Option<Nickname> },
    /// A command that the chat does not know. The embedder may.
    Custom(Box<CustomCommand>),
    /// A request that the embedder has handled in place of the chat. The client is told this text.
    Handled { text: Option<Text> },
    /// Checks that the server answers.
    Ping,
}

/// A command of the embedder's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CustomCommand {
    /// The room in which the user typed it.
    pub(crate) room: RoomName,
    pub(crate) name: String,
    /// The rest of the line.
    pub(crate) arguments: Text,
}

/// A message that a client sends to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewMessage {
    pub(crate) room: RoomName,
    pub(crate) text: Text,
    pub(crate) id: Id,
    pub(crate) kind: Kind,
}

/// A message that a client sends to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewPrivateMessage {
    pub(crate) to: Nickname,
    pub(crate) text: Text,
    pub(crate) id: Id,
}

/// The newest message of a room that a client has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    /// Identifies the history of the message.
    pub(crate) epoch: String,
    /// The number of the message in the room.
    pub(crate) after: u64,
}

/// A search for the newest `limit` messages, in one room or in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) query: Query,
    pub(crate) room: Option<RoomName>,
    /// Continues before this result. The number is one of an earlier answer, and no `seq`.
    pub(crate) before: Option<u64>,
    pub(crate) limit: usize,
}

/// The reason why a command, or the request of a plain client to enter, is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
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
    #[error("this server chooses your nickname")]
    NickGranted,
    #[error("there is no command /{0} here")]
    UnknownCommand(String),
    #[error("you may not send messages for the next {retry_ms} ms")]
    Muted { retry_ms: u64 },
    #[error("{0} has a simple client, which cannot get private messages")]
    NoPrivateMessages(Nickname),
    #[error("nothing is kept that could be searched")]
    NoHistory,
    #[error("what is kept cannot be read just now; try again")]
    HistoryUnreadable,
    #[error("the search is being prepared; try again in a while")]
    #[cfg_attr(not(feature = "history"), expect(dead_code, reason = "needs a history"))]
    SearchNotReady,
}

impl CommandError {
    /// Returns the error for a client that may try again after `wait`.
    pub(super) fn rate_limited(wait: Duration) -> Self {
        Self::RateLimited { retry_ms: whole_ms(wait) }
    }

    /// Returns the error for a user that is muted for this time.
    pub(super) fn muted(wait: Duration) -> Self {
        Self::Muted { retry_ms: whole_ms(wait) }
    }
}

/// Rounds up to milliseconds.
fn whole_ms(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
