//! What a client is told: an object.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{to_string, to_writer};

use crate::chat::{
    Id, Kind, LeaveReason, Level, Listing, Message, NICKNAME_GRAPHEMES_MAX, Nickname,
    NicknameError, Notice, QueryError, ROOMS_PER_PERSON_MAX, Refused, RoomName, TooLong,
};
use crate::config::Limits;

/// What all clients are told of the server when they come in.
#[derive(Clone, Debug)]
pub(crate) struct ServerInfo {
    pub(crate) epoch: String,
    /// Whether there is anything to search in.
    pub(crate) searches: bool,
    pub(crate) text_bytes_max: usize,
    pub(crate) burst: u32,
    pub(crate) per_second: u32,
}

impl ServerInfo {
    pub(crate) fn new(limits: &Limits, epoch: &str, searches: bool) -> Self {
        let Limits { text_bytes_max, burst, per_second, .. } = *limits;
        let per_second = per_second.map_or(0, std::num::NonZeroU32::get);
        Self { epoch: epoch.to_owned(), searches, text_bytes_max, burst, per_second }
    }
}

/// By what a client knows an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestTags {
    /// Every direct answer carries it.
    pub(crate) reference: Option<Id>,
    /// The name of what was to be said. An error carries it.
    pub(crate) id: Option<Id>,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("{0}")]
    BadRequest(String),
    #[error("say hello first")]
    NotReady,
    #[error("there is no request of type {0:?}")]
    UnknownType(String),
    #[error("{0}")]
    NickInvalid(NicknameError),
    #[error("the name of a room is 1 to 32 letters, digits, - or _")]
    RoomInvalid,
    #[error("{0}")]
    TooLong(TooLong),
    #[error("there is nothing in it")]
    Empty,
    #[error("nobody here is called {0}")]
    NoSuchNick(String),
    #[error("{0}")]
    Query(QueryError),
    #[error("too much at once; try again in {retry_ms} ms")]
    RateLimited { retry_ms: u64 },
}

impl RequestError {
    /// What is wrong first, for somebody who has said hello or has not.
    pub(crate) fn told_to(self, has_said_hello: bool) -> Self {
        match self {
            Self::BadRequest(_) | Self::UnknownType(_) | Self::RateLimited { .. } => self,
            _ if has_said_hello => self,
            _ => Self::NotReady,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::NotReady => "not_ready",
            Self::UnknownType(_) => "unknown_type",
            Self::NickInvalid(_) => "nick_invalid",
            Self::RoomInvalid => "room_invalid",
            Self::TooLong(_) => "too_long",
            Self::Empty => "empty",
            Self::NoSuchNick(_) => "no_such_nick",
            Self::Query(QueryError::TooLong) => "too_long",
            Self::Query(QueryError::Empty) => "empty",
            Self::RateLimited { .. } => "rate_limited",
        }
    }
}

fn code_of(refused: &Refused) -> &'static str {
    match refused {
        Refused::NotReady => "not_ready",
        Refused::HelloAgain => "bad_request",
        Refused::NickTaken(_) => "nick_taken",
        Refused::NotInRoom(_) => "not_in_room",
        Refused::TooManyRooms(_) | Refused::RoomsFull => "too_many_rooms",
        Refused::RateLimited { .. } => "rate_limited",
        Refused::NoSuchNick(_) => "no_such_nick",
        Refused::CannotHear(_)
        | Refused::NothingKept
        | Refused::CannotRead
        | Refused::CannotSearchYet => "unavailable",
    }
}

/// Writes a notice that nobody asked for. Rooms hear of so much that this has to be fast.
pub(crate) fn write(notice: &Notice, host: &ServerInfo, text: &mut Vec<u8>) {
    to_writer(text, &Event::of(notice, host)).expect(WRITABLE);
}

/// A notice that nobody asked for.
pub(crate) fn render(notice: &Notice, host: &ServerInfo) -> String {
    json(&Event::of(notice, host))
}

/// The direct answer to a request, with its tags.
pub(crate) fn reply(notice: &Notice, tags: &RequestTags, host: &ServerInfo) -> String {
    tagged(Event::of(notice, host), tags)
}

/// The answer to a request that is none.
pub(crate) fn error(error: &RequestError, tags: &RequestTags) -> String {
    let retry_ms = match error {
        RequestError::RateLimited { retry_ms } => Some(*retry_ms),
        _ => None,
    };
    let (code, message) = (error.code(), error.to_string());
    tagged(Event::Error { code, message, id: None, retry_ms }, tags)
}

fn tagged<'a>(mut event: Event<'a>, tags: &'a RequestTags) -> String {
    if let Event::Error { id, .. } = &mut event {
        *id = tags.id.as_ref().map(Id::as_str);
    }
    match &tags.reference {
        Some(reference) => json(&Reply { event, reference: reference.as_str() }),
        None => json(&event),
    }
}

/// Why writing an event does not fail.
const WRITABLE: &str = "every event has string keys, strings are UTF-8, and memory takes all";

fn json(event: &impl Serialize) -> String {
    to_string(event).expect(WRITABLE)
}

#[derive(Serialize)]
struct Reply<'a> {
    #[serde(flatten)]
    event: Event<'a>,
    #[serde(rename = "ref")]
    reference: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    Welcome {
        server: Server,
        epoch: &'a str,
        session: String,
        nick: &'a str,
        resumed: bool,
        search: bool,
        limits: Bounds,
    },
    Joined {
        room: &'a str,
        epoch: &'a str,
        seq: u64,
        recovered: bool,
        messages: Vec<Said<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        more: bool,
        members: Vec<&'a str>,
        members_count: usize,
    },
    Members {
        room: &'a str,
        members: Vec<&'a str>,
        members_count: usize,
        more: bool,
    },
    Parted {
        room: &'a str,
    },
    Message(Said<'a>),
    Private {
        from: &'a str,
        to: &'a str,
        time: u64,
        text: &'a str,
        id: &'a str,
    },
    Arrived {
        room: &'a str,
        nick: &'a str,
    },
    Left {
        room: &'a str,
        nick: &'a str,
        reason: &'static str,
    },
    Renamed {
        from: &'a str,
        to: &'a str,
        rooms: Vec<&'a str>,
    },
    Typing {
        room: &'a str,
        nick: &'a str,
    },
    History {
        room: &'a str,
        messages: Vec<Said<'a>>,
        more: bool,
    },
    Results {
        messages: Vec<Said<'a>>,
        more: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
    },
    Rooms {
        rooms: Vec<Listed<'a>>,
        more: bool,
    },
    Notice {
        text: &'static str,
        level: &'static str,
    },
    Pong,
    Error {
        code: &'static str,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_ms: Option<u64>,
    },
}

#[derive(Serialize)]
struct Server {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Bounds {
    text_bytes: usize,
    nick_graphemes: usize,
    rooms: usize,
    burst: u32,
    per_second: u32,
}

#[derive(Serialize)]
struct Said<'a> {
    room: &'a str,
    seq: u64,
    time: u64,
    nick: &'a str,
    text: &'a str,
    id: SaidId<'a>,
    kind: &'static str,
}

/// The sender's own, or one that the server makes for a plain client.
#[derive(Serialize)]
#[serde(untagged)]
enum SaidId<'a> {
    Own(&'a str),
    Made(String),
}

#[derive(Serialize)]
struct Listed<'a> {
    room: &'a str,
    members: usize,
    seq: u64,
}

impl<'a> Event<'a> {
    fn of(notice: &'a Notice, host: &'a ServerInfo) -> Self {
        match notice {
            Notice::Message(message) => Self::Message(Said::of(message)),
            Notice::Arrived { room, nickname } => {
                Self::Arrived { room: room.as_str(), nick: nickname.as_str() }
            }
            Notice::Left { room, nickname, reason } => Self::Left {
                room: room.as_str(),
                nick: nickname.as_str(),
                reason: name_of(*reason),
            },
            Notice::Renamed { from, to, rooms } => Self::Renamed {
                from: from.as_str(),
                to: to.as_str(),
                rooms: rooms.iter().map(RoomName::as_str).collect(),
            },
            Notice::Typing { room, nickname } => {
                Self::Typing { room: room.as_str(), nick: nickname.as_str() }
            }
            Notice::Private { from, to, time, text, id } => Self::Private {
                from: from.as_str(),
                to: to.as_str(),
                time: *time,
                text: text.as_str(),
                id: id.as_str(),
            },
            Notice::Welcome { session, nickname, resumed } => Self::Welcome {
                server: Server { name: "chinwag", version: env!("CARGO_PKG_VERSION") },
                epoch: &host.epoch,
                session: session.to_string(),
                nick: nickname.as_str(),
                resumed: *resumed,
                search: host.searches,
                limits: Bounds::of(host),
            },
            Notice::Joined(joined) => Self::Joined {
                room: joined.room.as_str(),
                epoch: &host.epoch,
                seq: joined.seq,
                recovered: joined.recovered,
                messages: all_said(&joined.messages),
                more: joined.more,
                members: all_names(&joined.members.nicknames),
                members_count: joined.members.count,
            },
            Notice::Members { room, members, more } => Self::Members {
                room: room.as_str(),
                members: all_names(&members.nicknames),
                members_count: members.count,
                more: *more,
            },
            Notice::Parted { room } => Self::Parted { room: room.as_str() },
            Notice::History { room, messages, more } => {
                Self::History { room: room.as_str(), messages: all_said(messages), more: *more }
            }
            Notice::Results { messages, before } => Self::Results {
                messages: all_said(messages),
                more: before.is_some(),
                before: *before,
            },
            Notice::Announcement { text, level } => {
                Self::Notice { text, level: name_of_level(*level) }
            }
            Notice::Rooms { rooms, more } => {
                Self::Rooms { rooms: rooms.iter().map(Listed::of).collect(), more: *more }
            }
            Notice::Pong => Self::Pong,
            Notice::Refused(refused) => {
                let (code, message) = (code_of(refused), refused.to_string());
                let retry_ms = match refused {
                    Refused::RateLimited { retry_ms } => Some(*retry_ms),
                    _ => None,
                };
                Self::Error { code, message, id: None, retry_ms }
            }
        }
    }
}

fn all_names(nicknames: &[Nickname]) -> Vec<&str> {
    nicknames.iter().map(Nickname::as_str).collect()
}

fn all_said(messages: &[Arc<Message>]) -> Vec<Said<'_>> {
    messages.iter().map(|message| Said::of(message)).collect()
}

fn name_of(leave_reason: LeaveReason) -> &'static str {
    match leave_reason {
        LeaveReason::Closed => "closed",
        LeaveReason::TimedOut => "timed_out",
        LeaveReason::TooSlow => "too_slow",
        LeaveReason::Error => "error",
    }
}

fn name_of_level(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
    }
}

impl<'a> Said<'a> {
    fn of(message: &'a Message) -> Self {
        let made = || SaidId::Made(format!("plain-{}", message.seq));
        Self {
            room: message.room.as_str(),
            seq: message.seq,
            time: message.time,
            nick: message.nickname.as_str(),
            text: message.text.as_str(),
            id: message.id.as_ref().map_or_else(made, |id| SaidId::Own(id.as_str())),
            kind: match message.kind {
                Kind::Say => "say",
                Kind::Me => "me",
            },
        }
    }
}

impl<'a> Listed<'a> {
    fn of(listing: &'a Listing) -> Self {
        Self { room: listing.room.as_str(), members: listing.members, seq: listing.seq }
    }
}

impl Bounds {
    fn of(host: &ServerInfo) -> Self {
        Self {
            text_bytes: host.text_bytes_max,
            nick_graphemes: NICKNAME_GRAPHEMES_MAX,
            rooms: ROOMS_PER_PERSON_MAX,
            burst: host.burst,
            per_second: host.per_second,
        }
    }
}
