//! The objects that a client is sent.

use std::sync::Arc;

use serde::Serialize;

use crate::chat::{
    CommandError, Kind, LeaveReason, Level, Listing, Message, NICKNAME_GRAPHEMES_MAX, Nickname,
    Notice, ROOMS_PER_PERSON_MAX, RoomName, Text,
};
use crate::limits;

/// The description of the server in `welcome`.
#[derive(Clone, Debug)]
pub(crate) struct ServerInfo {
    pub(crate) epoch: String,
    /// Whether the server keeps a history that can be searched.
    pub(crate) has_search: bool,
    pub(crate) text_bytes_max: usize,
    pub(crate) burst: u32,
    pub(crate) per_second: u32,
    /// The commands of the embedder.
    pub(crate) commands: Vec<CommandInfo>,
}

/// A command of the embedder, as the page offers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CommandInfo {
    pub(crate) name: String,
    pub(crate) help: String,
}

impl ServerInfo {
    pub(crate) fn new(limits: &limits::Limits, epoch: &str, has_search: bool) -> Self {
        let limits::Limits { text_bytes_max, burst, per_second, .. } = *limits;
        let per_second = per_second.map_or(0, std::num::NonZeroU32::get);
        let (epoch, commands) = (epoch.to_owned(), Vec::new());
        Self { epoch, has_search, text_bytes_max, burst, per_second, commands }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    Welcome {
        server: Server,
        epoch: &'a str,
        session: String,
        nick: &'a str,
        resumed: bool,
        search: bool,
        limits: Limits,
        #[serde(skip_serializing_if = "<[CommandInfo]>::is_empty")]
        commands: &'a [CommandInfo],
    },
    Joined {
        room: &'a str,
        epoch: &'a str,
        seq: u64,
        recovered: bool,
        messages: Vec<MessageObject<'a>>,
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
    Message(MessageObject<'a>),
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
        messages: Vec<MessageObject<'a>>,
        more: bool,
    },
    Results {
        messages: Vec<MessageObject<'a>>,
        more: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
    },
    Rooms {
        rooms: Vec<RoomObject<'a>>,
        more: bool,
    },
    Notice {
        text: &'a str,
        level: &'static str,
    },
    Handled {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
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
pub(super) struct Server {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
pub(super) struct Limits {
    text_bytes: usize,
    nick_graphemes: usize,
    rooms: usize,
    burst: u32,
    per_second: u32,
}

#[derive(Serialize)]
pub(super) struct MessageObject<'a> {
    room: &'a str,
    seq: u64,
    time: u64,
    nick: &'a str,
    text: &'a str,
    id: MessageId<'a>,
    kind: &'static str,
}

/// The id that the sender chose, or one that the server generates for a plain client.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum MessageId<'a> {
    Own(&'a str),
    Generated(String),
}

#[derive(Serialize)]
pub(super) struct RoomObject<'a> {
    room: &'a str,
    members: usize,
    seq: u64,
}

impl<'a> Event<'a> {
    /// Returns the event that carries a notice.
    pub(super) fn of(notice: &'a Notice, server: &'a ServerInfo) -> Self {
        match notice {
            Notice::Message(message) => Self::Message(MessageObject::of(message)),
            Notice::Arrived { room, nickname } => {
                Self::Arrived { room: room.as_str(), nick: nickname.as_str() }
            }
            Notice::Left { room, nickname, reason } => Self::Left {
                room: room.as_str(),
                nick: nickname.as_str(),
                reason: reason_name(*reason),
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
                epoch: &server.epoch,
                session: session.to_string(),
                nick: nickname.as_str(),
                resumed: *resumed,
                search: server.has_search,
                limits: Limits::of(server),
                commands: &server.commands,
            },
            Notice::Joined(joined) => Self::Joined {
                room: joined.room.as_str(),
                epoch: &server.epoch,
                seq: joined.seq,
                recovered: joined.recovered,
                messages: message_objects(&joined.messages),
                more: joined.more,
                members: names(&joined.members.nicknames),
                members_count: joined.members.count,
            },
            Notice::Members { room, members, more } => Self::Members {
                room: room.as_str(),
                members: names(&members.nicknames),
                members_count: members.count,
                more: *more,
            },
            Notice::Parted { room } => Self::Parted { room: room.as_str() },
            Notice::History { room, messages, more } => Self::History {
                room: room.as_str(),
                messages: message_objects(messages),
                more: *more,
            },
            Notice::Results { messages, before } => Self::Results {
                messages: message_objects(messages),
                more: before.is_some(),
                before: *before,
            },
            Notice::Announcement { text, level } => {
                Self::Notice { text, level: level_name(*level) }
            }
            Notice::Handled { text } => {
                Self::Handled { id: None, text: text.as_ref().map(Text::as_str) }
            }
            Notice::Rooms { rooms, more } => {
                Self::Rooms { rooms: rooms.iter().map(RoomObject::of).collect(), more: *more }
            }
            Notice::Pong => Self::Pong,
            Notice::Error(refused) => {
                let (code, message) = (code_of(refused), refused.to_string());
                let retry_ms = match refused {
                    CommandError::RateLimited { retry_ms } | CommandError::Muted { retry_ms } => {
                        Some(*retry_ms)
                    }
                    _ => None,
                };
                Self::Error { code, message, id: None, retry_ms }
            }
        }
    }
}

fn names(nicknames: &[Nickname]) -> Vec<&str> {
    nicknames.iter().map(Nickname::as_str).collect()
}

fn message_objects(messages: &[Arc<Message>]) -> Vec<MessageObject<'_>> {
    messages.iter().map(|message| MessageObject::of(message)).collect()
}

fn reason_name(leave_reason: LeaveReason) -> &'static str {
    match leave_reason {
        LeaveReason::Closed => "closed",
        LeaveReason::TimedOut => "timed_out",
        LeaveReason::TooSlow => "too_slow",
        LeaveReason::Error => "error",
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
    }
}

impl<'a> MessageObject<'a> {
    fn of(message: &'a Message) -> Self {
        let generated = || MessageId::Generated(format!("plain-{}", message.seq));
        Self {
            room: message.room.as_str(),
            seq: message.seq,
            time: message.time,
            nick: message.nickname.as_str(),
            text: message.text.as_str(),
            id: message.id.as_ref().map_or_else(generated, |id| MessageId::Own(id.as_str())),
            kind: match message.kind {
                Kind::Say => "say",
                Kind::Me => "me",
            },
        }
    }
}

impl<'a> RoomObject<'a> {
    fn of(listing: &'a Listing) -> Self {
        Self { room: listing.room.as_str(), members: listing.members, seq: listing.seq }
    }
}

impl Limits {
    fn of(server: &ServerInfo) -> Self {
        Self {
            text_bytes: server.text_bytes_max,
            nick_graphemes: NICKNAME_GRAPHEMES_MAX,
            rooms: ROOMS_PER_PERSON_MAX,
            burst: server.burst,
            per_second: server.per_second,
        }
    }
}

/// Returns the code of a refusal on the wire.
fn code_of(refused: &CommandError) -> &'static str {
    match refused {
        CommandError::NotReady => "not_ready",
        CommandError::HelloAgain => "bad_request",
        CommandError::NickTaken(_) => "nick_taken",
        CommandError::NotInRoom(_) => "not_in_room",
        CommandError::TooManyRooms(_) | CommandError::RoomsFull => "too_many_rooms",
        CommandError::RateLimited { .. } => "rate_limited",
        CommandError::NoSuchNick(_) => "no_such_nick",
        CommandError::NickGranted => "denied",
        CommandError::UnknownCommand(_) => "unknown_command",
        CommandError::Muted { .. } => "muted",
        CommandError::NoPrivateMessages(_)
        | CommandError::NoHistory
        | CommandError::HistoryUnreadable
        | CommandError::SearchNotReady => "unavailable",
    }
}
