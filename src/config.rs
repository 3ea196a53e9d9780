//! Every setting of an embedder, with its unit, its default and the reason for it.

pub(crate) mod page;

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;

#[cfg(feature = "history")]
use crate::history::HistoryConfig;
use crate::hooks::Hooks;
use crate::limits::{Limits, setters};
use crate::net::base_path::BasePath;
use crate::net::host::{HostName, Origin};
use crate::store::MessageStore;
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
    /// The decisions of the embedder. `None`, the default, permits everything.
    pub hooks: Option<Arc<dyn Hooks>>,
    /// Stack of each connection's thread for the hooks (bytes); 256 KiB by default. It takes address
    /// space, and memory only as far as the hooks touch it. Without hooks it is not taken.
    pub hook_stack_bytes: usize,
    /// The file in which all messages are kept. With `None`, the default, they are held in memory
    /// only, within [`Limits::history`].
    #[cfg(feature = "history")]
    pub history: Option<HistoryConfig>,
    /// Storage of the embedder's own for all messages, in place of a history file. With `None`, the
    /// default, there is none. It serves one server at a time.
    pub store: Option<Arc<dyn MessageStore>>,
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
            hooks: None,
            hook_stack_bytes: 256 * 1024,
            #[cfg(feature = "history")]
            history: None,
            store: None,
        }
    }
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

    /// Sets [`hooks`](#structfield.hooks).
    #[must_use]
    pub fn hooks(mut self, hooks: impl Hooks + 'static) -> Self {
        self.hooks = Some(Arc::new(hooks));
        self
    }

    /// Sets [`store`](#structfield.store). The module [`store`](crate::store) has an example.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn MessageStore>) -> Self {
        self.store = Some(store);
        self
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
    hook_stack_bytes: usize,
);

#[cfg(feature = "history")]
setters!(Config:
    history: impl Into<Option<HistoryConfig>>,
);
