//! Errors of a request that could not be parsed, or came too early or too often.

use crate::chat::{NicknameError, QueryError, TooLong};

/// Why a request is refused before it reaches the chat.
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
    /// A hook of the embedder refuses the request, with this sentence.
    #[error("{0}")]
    Denied(String),
    #[error("too much at once; try again in {retry_ms} ms")]
    RateLimited { retry_ms: u64 },
}

impl RequestError {
    /// Returns the error to report. A client that has not said hello is told that first, unless its
    /// request is no command at all.
    pub(crate) fn reported_to(self, has_said_hello: bool) -> Self {
        match self {
            Self::BadRequest(_) | Self::UnknownType(_) | Self::RateLimited { .. } => self,
            _ if has_said_hello => self,
            _ => Self::NotReady,
        }
    }

    /// Returns the code on the wire.
    pub(super) fn code(&self) -> &'static str {
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
            Self::Denied(_) => "denied",
            Self::RateLimited { .. } => "rate_limited",
        }
    }
}
