//! What people ask of the chat, and what they are told.

use std::sync::Arc;
use std::time::Duration;

use super::{ClientId, Lookup, Nickname, RoomName, Search, Text, Token};

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
    Say { room: RoomName, text: Text, id: Id, kind: Kind },
    /// To say something to one person.
    Tell { to: Nickname, text: Text, id: Id },
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

/// The newest message that a client has, and of which history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    pub(crate) epoch: String,
    pub(crate) after: u64,
}

/// The name that the sender gave to what it said, by which it knows its own words again: 1 to 64
/// visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id(Arc<str>);

impl Id {
    /// `None` for what is none.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        const BYTES_MAX: usize = 64;
        let fits = (1..=BYTES_MAX).contains(&id.len());
        let visible = id.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic());
        (fits && visible).then(|| Self(id.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How something is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As words.
    #[default]
    Say,
    /// As something that the sender does.
    Me,
}

/// Something that was said in a room. The same for everybody, and shared by all who keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) room: RoomName,
    /// Its number in the room. Numbers only grow; a history that was imported may have holes.
    pub(crate) seq: u64,
    /// Unix time (ms).
    pub(crate) time: u64,
    pub(crate) nickname: Nickname,
    pub(crate) text: Text,
    /// `None` for the words of a plain client, who gives none.
    pub(crate) id: Option<Id>,
    pub(crate) kind: Kind,
}

/// The bytes that a text takes as a JSON string, with its quotation marks. No text, nickname or name
/// of a room has a control character but line feed and tab.
pub(super) fn string_bytes(text: &str) -> usize {
    text.len()
        + 2
        + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\t')).count()
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

impl Refused {
    /// Refuses until so much time has passed.
    pub(super) fn for_now(wait: Duration) -> Self {
        let retry_ms = wait.as_nanos().div_ceil(1_000_000);
        Self::RateLimited { retry_ms: u64::try_from(retry_ms).unwrap_or(u64::MAX) }
    }
}

impl Message {
    /// What it takes among the messages of a JSON answer (bytes), with the comma behind it.
    pub(crate) fn wire_bytes(&self) -> usize {
        const AROUND: usize =
            r#"{"room":"","seq":,"time":,"nick":,"text":,"id":,"kind":""},"#.len();
        let id = match &self.id {
            Some(id) => string_bytes(id.as_str()),
            None => r#""plain-""#.len() + digits(self.seq),
        };
        let kind = match self.kind {
            Kind::Say => "say".len(),
            Kind::Me => "me".len(),
        };
        let strings = [self.nickname.as_str(), self.text.as_str()].map(string_bytes);
        let room = self.room.as_str().len();
        AROUND + room + digits(self.seq) + digits(self.time) + strings[0] + strings[1] + id + kind
    }

    /// What counts as being around a text (bytes).
    pub(crate) const AROUND: usize = 200;

    /// What it counts for (bytes): its text, and what is around that.
    pub(crate) fn weight(&self) -> usize {
        self.text.as_str().len() + Self::AROUND
    }
}

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
        reason: Departure,
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
    Word {
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
pub(crate) enum Departure {
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

/// Who is told what. Deliveries are carried out in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// To everybody who listens in a room.
    Room { room: RoomName, notice: Notice },
    /// To everybody who listens in a room, but one.
    Others { room: RoomName, but: ClientId, notice: Notice },
    /// To each of these.
    Clients { clients: Vec<ClientId>, notice: Notice },
    /// To the client that asked.
    Reply { client: ClientId, notice: Notice },
    /// To the client that asked, once it is looked up. What comes after it waits for it.
    Lookup { client: ClientId, lookup: Lookup },
    /// From here on a client listens in a room.
    Enters { client: ClientId, room: RoomName },
    /// Up to here a client has listened in a room.
    Leaves { client: ClientId, room: RoomName },
    /// Another connection has taken the place of this one.
    Replaced { client: ClientId },
}
