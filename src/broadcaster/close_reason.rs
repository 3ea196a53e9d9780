//! Why a connection ends, and how the client is told.

use std::sync::Arc;
use std::time::Duration;

use crate::chat::LeaveReason;
use crate::protocol::{close_code, close_frame};

/// Why a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client closed, with this code and reason, and gets its own close frame back.
    Closed { code: u16, reason: String },
    /// The stream ended or broke without a close frame.
    Lost { error: String },
    /// The client sent nothing for too long, not even a pong.
    TimedOut,
    /// The client broke a rule of the protocol. Nothing more is read from it.
    Offence { code: u16, rule: String },
    /// The client does not read the frames that are sent to it.
    TooSlow,
    /// Another connection has taken over the session.
    Replaced,
    /// The client of the JSON dialect did not say hello in time.
    NoHello,
    /// There is no place for the client now. It may come back later.
    Refused { reason: String },
    /// The client continued after too many of its requests were refused.
    Flooding,
    /// The embedder has removed the client, with this code and reason.
    Kicked { code: u16, reason: String },
    /// The server stops.
    Stopping,
    /// The thread of the connection panicked, or the broadcaster did.
    Crashed,
}

impl CloseReason {
    pub(crate) fn offence(code: u16, rule: impl ToString) -> Self {
        Self::Offence { code, rule: rule.to_string() }
    }

    pub(crate) fn lost(error: impl ToString) -> Self {
        Self::Lost { error: error.to_string() }
    }

    /// Returns the close code, as an observer would name it (RFC 6455, section 7.1.5).
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Closed { code, .. } | Self::Offence { code, .. } | Self::Kicked { code, .. } => {
                *code
            }
            Self::Lost { .. } | Self::TimedOut => close_code::ABNORMAL,
            Self::TooSlow => close_code::TOO_SLOW,
            Self::Replaced => close_code::REPLACED,
            Self::NoHello => close_code::NO_HELLO,
            Self::Refused { .. } => close_code::TRY_AGAIN_LATER,
            Self::Flooding => close_code::FLOODING,
            Self::Stopping => close_code::GOING_AWAY,
            Self::Crashed => close_code::INTERNAL_ERROR,
        }
    }

    /// Returns a sentence for people. For [`CloseReason::Closed`] it is the client's own text.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Closed { reason, .. } => reason,
            Self::Lost { error } => error,
            Self::TimedOut => "no sign of life",
            Self::Offence { rule, .. } => rule,
            Self::TooSlow => "too slow: what was sent was not read",
            Self::Replaced => "replaced by a newer connection",
            Self::NoHello => "hello did not come in time",
            Self::Refused { reason } => reason,
            Self::Flooding => "too many requests",
            Self::Kicked { reason, .. } => reason,
            Self::Stopping => "the server is stopping",
            Self::Crashed => "internal error",
        }
    }

    /// Returns the code and the reason as one line of bounded length, whatever the client wrote.
    pub(crate) fn for_log(&self) -> String {
        /// Maximum length of the reason (characters).
        const CHARS_MAX: usize = 64;
        let reason: String = self.reason().escape_debug().take(CHARS_MAX).collect();
        format!("{} {reason}", self.code())
    }

    /// Returns whether something went wrong. A client that leaves is not an error.
    pub(crate) fn is_error(&self) -> bool {
        !matches!(self, Self::Closed { .. } | Self::Kicked { .. } | Self::Stopping | Self::Replaced)
    }

    /// Returns the reason that other clients are told.
    pub(crate) fn leave_reason(&self) -> LeaveReason {
        match self {
            Self::Closed { .. } | Self::Kicked { .. } | Self::Stopping => LeaveReason::Closed,
            Self::TimedOut => LeaveReason::TimedOut,
            Self::TooSlow => LeaveReason::TooSlow,
            _ => LeaveReason::Error,
        }
    }

    /// Returns the close frame, if the server starts the closing handshake. After
    /// [`CloseReason::Lost`] and [`CloseReason::TimedOut`] no client would receive it.
    pub(crate) fn close_frame(&self) -> Option<Arc<[u8]>> {
        match self {
            Self::Closed { .. } | Self::Lost { .. } | Self::TimedOut => None,
            _ => Some(close_frame(self.code(), self.reason())),
        }
    }

    /// Returns how long the client may take to close its side after the close frame. A client that
    /// broke a rule has less time, because it may continue to send.
    pub(crate) fn patience(&self, close_within: Duration) -> Duration {
        /// How long the client has after an offence.
        const AFTER_OFFENCE: Duration = Duration::from_millis(500);
        match self {
            Self::Offence { .. } => close_within.min(AFTER_OFFENCE),
            _ => close_within,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_short_line_in_the_log() {
        let closed = |reason: &str| CloseReason::Closed { code: 1000, reason: reason.to_owned() };
        assert_eq!(closed("bye\n\u{1b}[2J\u{202e}").for_log(), r"1000 bye\n\u{1b}[2J\u{202e}");
        assert_eq!(closed(&"é".repeat(100)).for_log(), format!("1000 {}", "é".repeat(64)));
    }
}
