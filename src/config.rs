//! Everything that can be set, and every limit: name, unit, default and reason.

use std::net::{IpAddr, Ipv6Addr};
#[cfg(feature = "history")]
use std::path::PathBuf;
use std::time::Duration;

use crate::chat::HistoryLimits;
use crate::net::host::{HostName, Origin};

/// What a [`Server`](crate::Server) is built from. The default is what the program does when it
/// is started without arguments.
#[derive(Clone, Debug)]
pub struct Config {
    /// The addresses to listen on, at least one. The default, `::`, is every interface, with IPv6
    /// and IPv4; it falls back to `0.0.0.0` on a machine without IPv6.
    pub bind: Vec<IpAddr>,
    /// The port of the page; 8080 by default. 0 takes a free one.
    pub page_port: u16,
    /// The port for WebSocket clients; 12345 by default. 0 takes a free one. Both ports answer
    /// both protocols: there are two because the tutorial had two.
    pub websocket_port: u16,
    /// Names by which people reach this machine, besides those that a LAN gives it.
    pub host_names: Vec<HostName>,
    /// Origins whose pages may talk to this server, besides its own.
    pub allowed_origins: Vec<Origin>,
    /// The most clients at once. `None`, the default, is as many as the limits
    /// of descriptors, threads, address space, memory and mappings permit when the server is bound.
    pub clients_max: Option<usize>,
    /// The most clients at once from one address, or from one /64 network of IPv6; 64 by default.
    /// Several people may share an address, but no single machine should fill the server. With 0
    /// nothing is counted by address: neither clients nor what they say, join and open together.
    pub clients_per_address_max: usize,
    /// Bounds in time and space.
    pub limits: Limits,
    /// Where everything that is said is kept. `None`, the default, is in memory alone, within
    /// [`Limits::history`].
    #[cfg(feature = "history")]
    pub history: Option<HistoryConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
            page_port: 8080,
            websocket_port: 12345,
            host_names: Vec::new(),
            allowed_origins: Vec::new(),
            clients_max: None,
            clients_per_address_max: 64,
            limits: Limits::default(),
            #[cfg(feature = "history")]
            history: None,
        }
    }
}

/// Bounds in time and space. The defaults are for a LAN with telephones on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest text that a client may say (bytes of UTF-8); 8,192 by default. A request in JSON
    /// may be 6 times as long and 16 KiB longer, so that such a text fits however it is escaped. A
    /// plain frame of more than 16 KiB is refused whatever this says.
    pub text_bytes_max: usize,
    /// How many texts a client may say at once; 10 by default, and at least 1. It is more than
    /// people write, and less than it takes to drown what others write.
    pub burst: u32,
    /// How many texts a second a client may say in the long run; 4 by default, 0 for no limit. What
    /// a client says before it has been there that long is lent by its address, which lends all of
    /// its clients together 8 times the burst at once and twice this in the long run. A
    /// plain client that says more is read more slowly, and loses nothing; others are told, and
    /// closed with 4029 when they go on. What only the server hears may be asked for ten times as
    /// often.
    pub per_second: u32,
    /// What is held of what was said, for those who come later or come back.
    pub history: HistoryLimits,
    /// How long a client of the JSON dialect keeps its nickname and its places when its connection
    /// breaks, and its nickname when it closes; 10 s by default. A client that is away counts as one
    /// that is there, and makes way for one where there are too many. A plain client leaves at once.
    pub grace: Duration,
    /// How long such a client may take to say hello before it is closed with 4002; 15 s by default.
    pub hello_within: Duration,
    /// A client that has been silent for so long is pinged; 25 s by default, which is less than
    /// the 30 s after which the impatient among routers forget a connection.
    pub ping_after: Duration,
    /// A client that has been pinged and stays silent for so long is gone; 10 s by default.
    pub pong_within: Duration,
    /// A client that takes nothing of what waits for it for so long is cut with 4008; 10 s by
    /// default. A telephone changes from one access point to the next in less.
    pub stall_max: Duration,
    /// The most bytes that wait for one client before it is cut with 4008; 1 MiB by default, which
    /// is the longest answer (768 KiB) and some more. The kernel holds some 128 KiB besides. No more
    /// than 1,024 runs of frames wait, either.
    pub backlog_bytes_max: usize,
    /// How long the end of a connection may take; 2 s by default. Stopping the server takes no
    /// longer.
    pub close_within: Duration,
    /// How long a request head may take to come, and a page to be taken; 5 s by default.
    pub head_within: Duration,
}

impl Limits {
    /// With durations that a clock can add: one of more than a year is a year.
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
            per_second: 4,
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

#[cfg(feature = "history")]
/// A history that is kept in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// The file. It is made if there is none. Beside it stand `FILE-wal` and `FILE-shm`, which are
    /// SQLite's, and `FILE-search`, which can be made anew from the file.
    pub path: PathBuf,
    /// When a message is safe. The default, [`Sync::Process`], is enough for everything but a
    /// machine that loses power.
    pub sync: Sync,
    /// For how long messages are kept, of 1 h or more; `None`, the default, is for ever.
    pub keep: Option<Duration>,
    /// How long before messages are deleted for their age it is said in the log how many they are;
    /// 1 h by default. If the clock goes back meanwhile, they stay. A clock that is more than a day
    /// from the last time that the file knows is believed after 24 times as long.
    pub second_look: Duration,
    /// How many messages are kept in each room, of 1 or more; `None`, the default, is all.
    pub keep_messages: Option<u64>,
}

#[cfg(feature = "history")]
impl HistoryConfig {
    /// Keeps everything in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            sync: Sync::default(),
            keep: None,
            second_look: Duration::from_secs(60 * 60),
            keep_messages: None,
        }
    }
}

#[cfg(feature = "history")]
/// What a message in the file outlives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// The end of the process, whichever. When the machine loses power, the last seconds may be
    /// gone; the next run notices, and no client mistakes the history for the one it knew.
    #[default]
    Process,
    /// The end of the machine, too: every turn waits for the disk.
    Full,
}
