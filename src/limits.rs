//! Limits in time, space and rate, with their defaults and the reasons for them.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::chat::HistoryLimits;

/// Limits of clients, requests and the messages in memory. The defaults are for a LAN with phones on it.
///
/// ```
/// use std::time::Duration;
/// use chinwag::{HistoryLimits, Limits};
///
/// let limits = Limits::default()
///     .grace(Duration::from_secs(60))
///     .history(HistoryLimits::default().lines_max(100));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum length of a text (bytes of UTF-8); 8,192 by default. A request in JSON may be 6 times
    /// as long and 16 KiB longer, so that such a text fits however it is escaped. A frame of a plain
    /// client may have at most 16 KiB, whatever this limit is.
    pub text_bytes_max: usize,
    /// Maximum number of texts that a client may send at once; 10 by default. 0 means 1. It is more
    /// than people write, and less than it takes to drown out the others.
    pub burst: u32,
    /// Maximum number of texts per second that a client may send in the long run; 4 by default.
    /// `None` means no limit. A new client borrows its first texts from its address, which lends all
    /// of its clients together 8 times the burst at once, and twice this rate in the long run. A
    /// plain client that sends more is read more slowly, and loses nothing. A JSON client gets an
    /// error, and is closed with 4029 if it goes on. Requests that no other client sees may come ten
    /// times as often.
    pub per_second: Option<NonZeroU32>,
    /// Messages that are held in memory, for clients that join or come back.
    pub history: HistoryLimits,
    /// How long a JSON client keeps its nickname and its rooms after its connection broke, and its
    /// nickname after it closed the connection; 10 s by default. An absent client counts as a client,
    /// and is removed when a new client finds no place. A plain client leaves at once.
    pub grace: Duration,
    /// How long a JSON client may take to send `hello` before it is closed with 4002; 15 s by
    /// default.
    pub hello_within: Duration,
    /// How long a client may be silent before it is pinged; 25 s by default, which is less than the
    /// 30 s after which some routers forget a connection.
    pub ping_after: Duration,
    /// How long a client may stay silent after a ping before it counts as gone; 10 s by default.
    pub pong_within: Duration,
    /// How long a client may take nothing of its backlog before it is closed with 4008; 10 s by
    /// default. A phone changes between access points in less.
    pub stall_max: Duration,
    /// Capacity of the backlog of a client (bytes); 1 MiB by default, which is the longest answer
    /// (768 KiB) and some more. A client with more is closed with 4008. The kernel holds some 128 KiB
    /// besides. A backlog also has at most 1,024 runs of frames.
    pub backlog_bytes_max: usize,
    /// How long the end of a connection may take; 2 s by default. Stopping the server takes hardly
    /// longer.
    pub close_within: Duration,
    /// How long a request head may take to arrive, and a page to be sent; 5 s by default.
    pub head_within: Duration,
}

impl Limits {
    /// Returns the limits with durations that can be added to a clock: at most a year each.
    pub(crate) fn sane(&self) -> Self {
        const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let Self { ping_after, pong_within, stall_max, close_within, head_within, .. } = *self;
        Self {
            grace: self.grace.min(LONGEST),
            hello_within: self.hello_within.min(LONGEST),
            ping_after: ping_after.min(LONGEST),
            pong_within: pong_within.min(LONGEST),
            stall_max: stall_max.min(LONGEST),
            close_within: close_within.min(LONGEST),
            head_within: head_within.min(LONGEST),
            ..*self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes_max: 8192,
            burst: 10,
            per_second: NonZeroU32::new(4),
            history: HistoryLimits::default(),
            grace: Duration::from_secs(10),
            hello_within: Duration::from_secs(15),
            ping_after: Duration::from_secs(25),
            pong_within: Duration::from_secs(10),
            stall_max: Duration::from_secs(10),
            backlog_bytes_max: 1024 * 1024,
            close_within: Duration::from_secs(2),
            head_within: Duration::from_secs(5),
        }
    }
}

/// Adds a method for each field that sets it.
macro_rules! setters {
    ($owner:ty: $($field:ident: $value:ty,)*) => {
        impl $owner {
            $(
                #[doc = concat!(
                    "Sets [`", stringify!($field), "`](#structfield.", stringify!($field), ")."
                )]
                #[must_use]
                pub fn $field(mut self, $field: $value) -> Self {
                    self.$field = $field.into();
                    self
                }
            )*
        }
    };
}
pub(crate) use setters;

setters!(Limits:
    text_bytes_max: usize,
    burst: u32,
    per_second: impl Into<Option<NonZeroU32>>,
    history: HistoryLimits,
    grace: Duration,
    hello_within: Duration,
    ping_after: Duration,
    pong_within: Duration,
    stall_max: Duration,
    backlog_bytes_max: usize,
    close_within: Duration,
    head_within: Duration,
);

setters!(HistoryLimits:
    lines_max: usize,
    bytes_max: usize,
    idle_rooms_max: usize,
);
