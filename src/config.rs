//! Every setting of an embedder, with its unit, its default and the reason for it.

pub(crate) mod page;

use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;
#[cfg(feature = "history")]
use std::{num::NonZeroU64, path::PathBuf};

use crate::chat::HistoryLimits;
use crate::net::base_path::BasePath;
use crate::net::host::{HostName, Origin};
pub use page::Page;
#[cfg(feature = "page")]
pub use page::PageFiles;

/// The configuration of a [`Server`](crate::Server). The default is that of the program without
/// arguments. Each field has a method that sets it and returns the whole.
///
/// ```
/// use std::net::Ipv4Addr;
/// use std::num::NonZero;
/// use chinwag::{Config, Limits};
///
/// let config = Config::default()
///     .bind([Ipv4Addr::LOCALHOST])
///     .page_port(0)
///     .websocket_port(0)
///     .host_names(vec!["chat.example.org".parse()?])
///     .clients_max(NonZero::new(100))
///     .limits(Limits::default().burst(20).per_second(None));
/// assert_eq!(config.page_port, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The addresses to listen on, at least one. The default, `::`, is every interface, with IPv6
    /// and IPv4. On a machine without IPv6 it means `0.0.0.0`.
    pub bind: Vec<IpAddr>,
    /// The port of the page; 8080 by default. 0 takes a free port.
    pub page_port: u16,
    /// The port for WebSocket clients; 12345 by default. 0 takes a free port, and `None` the port of
    /// the page. Both ports serve both protocols: there are two because the tutorial had two.
    pub websocket_port: Option<u16>,
    /// The page; by default the built-in one, if the feature `page` is on.
    pub page: Page,
    /// The path below which the server is reached: by default the whole host. With the path `/chat`,
    /// requests for `/chat/` and below are served. All other targets are not found. It is for
    /// [`Handle::adopt`](crate::Handle::adopt), and for a reverse proxy that forwards the path as it
    /// is. A proxy that removes the path needs no setting: all URLs of the page are relative.
    pub path: BasePath,
    /// Host names of this machine, besides its addresses and the names that a LAN gives it.
    pub host_names: Vec<HostName>,
    /// Origins whose pages may connect, besides the server's own.
    pub allowed_origins: Vec<Origin>,
    /// Maximum number of clients. `None`, the default, means as many as the limits of descriptors,
    /// threads, address space, memory and mappings permit when the server is bound.
    pub clients_max: Option<NonZeroUsize>,
    /// Maximum number of clients from one address, or from one /64 network of IPv6; 64 by default.
    /// Several people may share an address, but no single machine should fill the server. With
    /// `None` clients, their messages and their requests are not counted by address. Connections that
    /// have not sent a request yet always are.
    pub clients_per_address_max: Option<NonZeroUsize>,
    /// Limits in time, space and rate.
    pub limits: Limits,
    /// The file in which all messages are kept. With `None`, the default, they are held in memory
    /// only, within [`Limits::history`].
    #[cfg(feature = "history")]
    pub history: Option<HistoryConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
            page_port: 8080,
            websocket_port: Some(12345),
            page: Page::default(),
            path: BasePath::default(),
            host_names: Vec::new(),
            allowed_origins: Vec::new(),
            clients_max: None,
            clients_per_address_max: NonZeroUsize::new(64),
            limits: Limits::default(),
            #[cfg(feature = "history")]
            history: None,
        }
    }
}

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

/// A history that is kept in a file.
///
/// ```
/// use std::time::Duration;
/// use chinwag::Config;
/// use chinwag::history::{Durability, HistoryConfig};
///
/// let month = Duration::from_secs(30 * 24 * 60 * 60);
/// let history = HistoryConfig::new("chat.db").durability(Durability::Machine).keep(month);
/// let config = Config::default().history(history);
/// ```
#[cfg(feature = "history")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryConfig {
    /// The file. It is created if it does not exist. Next to it are `FILE-wal` and `FILE-shm`, which
    /// belong to SQLite, and `FILE-search`, which can be rebuilt from the file.
    pub path: PathBuf,
    /// The failures that a message in the file survives. The default, [`Durability::Process`], is
    /// enough for everything but a machine that loses power.
    pub durability: Durability,
    /// How long messages are kept, at least 1 h. `None`, the default, means for ever.
    pub keep: Option<Duration>,
    /// How long before messages are deleted for their age the log announces their number; 1 h by
    /// default. If the clock goes back meanwhile, they stay. A clock that is more than a day off the
    /// last time in the file is trusted after 24 times as long.
    pub deletion_notice: Duration,
    /// Maximum number of messages that are kept of each room. `None`, the default, means all.
    pub keep_messages: Option<NonZeroU64>,
}

#[cfg(feature = "history")]
impl HistoryConfig {
    /// Returns the configuration of a history that keeps all messages in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::default(),
            keep: None,
            deletion_notice: Duration::from_secs(60 * 60),
            keep_messages: None,
        }
    }
}

/// The failures that a message in the file survives.
#[cfg(feature = "history")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Any end of the process. When the machine loses power, the last seconds may be lost. The next
    /// run notices that, so that no client takes the history for the one that it knew.
    #[default]
    Process,
    /// A power failure of the machine, too. Each turn of the broadcaster waits for the disk.
    Machine,
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

impl Config {
    /// Sets [`bind`](#structfield.bind).
    #[must_use]
    pub fn bind(mut self, bind: impl IntoIterator<Item = impl Into<IpAddr>>) -> Self {
        self.bind = bind.into_iter().map(Into::into).collect();
        self
    }

    /// Sets one port for the page and for WebSocket clients. 0 takes a free port.
    ///
    /// ```
    /// # use std::net::Ipv4Addr;
    /// # use chinwag::{Config, Server};
    /// let server = Server::bind(&Config::default().bind([Ipv4Addr::LOCALHOST]).one_port(0))?;
    /// assert_eq!(server.page_addresses(), server.websocket_addresses());
    /// # Ok::<(), chinwag::StartError>(())
    /// ```
    #[must_use]
    pub fn one_port(self, port: u16) -> Self {
        self.page_port(port).websocket_port(None)
    }
}

setters!(Config:
    page_port: u16,
    websocket_port: impl Into<Option<u16>>,
    page: impl Into<Page>,
    path: BasePath,
    host_names: Vec<HostName>,
    allowed_origins: Vec<Origin>,
    clients_max: impl Into<Option<NonZeroUsize>>,
    clients_per_address_max: impl Into<Option<NonZeroUsize>>,
    limits: Limits,
);

#[cfg(feature = "history")]
setters!(Config:
    history: impl Into<Option<HistoryConfig>>,
);

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

#[cfg(feature = "history")]
setters!(HistoryConfig:
    durability: Durability,
    keep: impl Into<Option<Duration>>,
    deletion_notice: Duration,
    keep_messages: impl Into<Option<NonZeroU64>>,
);
