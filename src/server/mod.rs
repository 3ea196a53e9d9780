//! Binding, running and stopping a server.

mod accept;
mod capacity;
mod history_threads;
mod listen;
mod machine;
mod running;
mod serving;
mod spawn;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::bounded;

use crate::archive::{Worker, stored};
use crate::broadcaster::broadcast;
use crate::broadcaster::event::Events;
use crate::broadcaster::handle::{CallError, Handle};
use crate::broadcaster::history::OpenedHistory;
use crate::chat::{Nickname, Quota, RoomName};
use crate::config::{Config, Page};
#[cfg(feature = "history")]
use crate::history::History;
use crate::hooks::{ActiveHooks, CommandHelp, Hooks};
use crate::http::{Context, page};
use crate::net::adopt::{ADOPTED_MAX, AdoptError};
use crate::net::poll::Waker;
use crate::protocol::json::CommandInfo;
pub use capacity::Scarcity;
use capacity::{CONNECTION_STACK_BYTES, Capacity, Facts, Needs, capacity};
use history_threads::HistoryThreads;
pub use listen::StartError;
use listen::{Ports, check_descriptors, listeners_of};
pub use running::{RunError, Running};
use serving::{BroadcasterThread, Serving};

/// A server with open ports that does not serve yet. Clients that connect before the start wait.
///
/// The chat itself exists from [`Server::bind`] on: a message that is sent with [`Server::say`]
/// before the start is in its room when the first client joins.
///
/// ```
/// use std::net::Ipv4Addr;
/// use chinwag::{Config, Server};
///
/// let config = Config::default().bind([Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
/// let server = Server::bind(&config)?;
/// let address = server.page_addresses()[0];
/// assert_ne!(address.port(), 0);
/// let running = server.start()?;
/// println!("open http://{address}/");
/// running.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    handle: Handle,
    serving: Serving,
}

impl Server {
    /// Opens the ports. From here on the addresses are known, even if the configuration asked for
    /// port 0.
    ///
    /// This also calculates the maximum number of clients from the limits of the process. glibc
    /// gives each of the first threads a heap of 64 MiB of address space, which is not counted. If
    /// address space is limited, start the embedding program with `MALLOC_ARENA_MAX=1`.
    ///
    /// # Errors
    /// If there is no address to listen on, if a port or the history cannot be opened, or if the
    /// process has no descriptor or thread left, or no memory for even one client.
    pub fn bind(config: &Config) -> Result<Self, StartError> {
        if config.bind.is_empty() {
            return Err(StartError::NoAddress);
        }
        Self::build(config, listeners_of(config), || Ports::open(config))
    }

    /// Takes listeners of the embedder, such as those that systemd hands over, in place of ports.
    /// They become non-blocking. The addresses and ports of the configuration are ignored. Without a
    /// listener the server serves the connections that [`Server::adopt`] and [`Handle::adopt`] hand
    /// over.
    ///
    /// ```
    /// use std::net::TcpListener;
    /// use chinwag::{Config, Server};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let server = Server::with_listeners(&Config::default(), vec![listener])?;
    /// assert_eq!(server.page_addresses(), [address]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Server::bind`].
    pub fn with_listeners(
        config: &Config,
        listeners: Vec<TcpListener>,
    ) -> Result<Self, StartError> {
        Self::build(config, listeners.len(), || Ports::of(listeners))
    }

    fn build(
        config: &Config,
        listeners: usize,
        open: impl FnOnce() -> Result<Ports, StartError>,
    ) -> Result<Self, StartError> {
        check_descriptors()?;
        let capacity = measure(config, listeners)?;
        let config = &within(&capacity, config);
        let opened = open_history(config)?;
        let Ports { listeners, page_addresses, websocket_addresses } = open()?;
        let (adopted, adopted_out) = bounded(ADOPTED_MAX);
        let (stop, stop_asked) = bounded(1);
        let (inbox, inbox_out) = bounded(capacity.inbox_max);
        let (page, page_thread) = page::open(&config.page)?.unzip();
        let (history, workers) = opened.unzip();
        let clients_max = capacity.connections.clients_max;
        let quota = Quota {
            people_max: clients_max,
            people_per_network_max: config.clients_per_address_max,
            answer_bytes_max: capacity.answer_bytes_max,
        };
        let limits = config.limits.sane();
        let (answers, rules) = (inbox.clone(), limits.clone());
        let work = move || broadcast(inbox_out, answers, &rules, quota, history);
        // Declared first, so that they are dropped after the broadcaster, with which they end.
        let mut history_threads = HistoryThreads::default();
        let broadcaster = BroadcasterThread::start(inbox.clone(), work)?;
        history_threads.start(workers.unwrap_or_default())?;
        let text_bytes_max = config.limits.text_bytes_max;
        let handle = Handle {
            page_addresses,
            websocket_addresses,
            clients_max,
            text_bytes_max,
            inbox: inbox.clone(),
            bans: Arc::default(),
            has_listener: Arc::default(),
            adopted,
            stop,
            ended: broadcaster.ended.clone(),
        };
        let context = Context {
            limits,
            inbox,
            page,
            page_addresses: handle.page_addresses.clone(),
            bans: handle.bans.clone(),
            has_listener: handle.has_listener.clone(),
            hooks: config.hooks.clone().map(|hooks| activate(hooks, &handle)),
            stack_bytes: connection_stack_bytes(config),
            stopping: Waker::new()?,
        };
        let serving = Serving {
            listeners,
            adopted: adopted_out,
            context,
            page: page_thread,
            config: config.clone(),
            connections: capacity.connections,
            broadcaster,
            history_threads,
            stop: stop_asked,
        };
        Ok(Self { handle, serving })
    }

    /// Returns the addresses of the page port.
    pub fn page_addresses(&self) -> &[SocketAddr] {
        self.handle.page_addresses()
    }

    /// Returns the addresses of the WebSocket port.
    pub fn websocket_addresses(&self) -> &[SocketAddr] {
        self.handle.websocket_addresses()
    }

    /// Returns a handle to the server. Its calls work from now on.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Subscribes to all events from the start on, as [`Handle::events`] does.
    pub fn events(&self, capacity: usize) -> Events {
        self.handle.events(capacity)
    }

    /// Sends a message to a room, as [`Handle::say`] does.
    ///
    /// # Errors
    /// If the text is longer than clients may send.
    pub fn say(&self, room: &RoomName, nickname: &Nickname, text: &str) -> Result<(), CallError> {
        self.handle.say(room, nickname, text)
    }

    /// Reserves a nickname, as [`Handle::reserve`] does. Before the start no client can have it,
    /// unless a history holds it for a user of an earlier run.
    ///
    /// # Errors
    /// If a history holds the nickname for a user, or the server has crashed.
    pub fn reserve(&self, nickname: &Nickname) -> Result<(), CallError> {
        self.handle.reserve(nickname)
    }

    /// Hands over a connection, as [`Handle::adopt`] does. It waits for the start.
    ///
    /// # Errors
    /// If too many connections wait.
    pub fn adopt(&self, stream: TcpStream, read: &[u8]) -> Result<(), AdoptError> {
        self.handle.adopt(stream, read)
    }

    /// Serves on a thread of its own, until [`Handle::stop`] is called or the [`Running`] is
    /// dropped.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(self) -> Result<Running, StartError> {
        let Self { handle, serving } = self;
        let serve = move || {
            let page = serving.page.as_ref().map(|it| it.name().to_owned());
            let result = serving.run(|| {});
            page.inspect(|name| page::wait_for_end(name));
            result
        };
        let thread = thread::Builder::new().name("server".into()).spawn(serve)?;
        Ok(Running::new(handle, thread))
    }

    /// Serves on this thread until [`Handle::stop`] is called, and returns when the threads of the
    /// server have ended. Calls `ready` once, on this thread, when the server serves.
    ///
    /// If the page was requested, idle threads of tiny_http may live 5 s longer. They hold no
    /// descriptor. [`Server::start`] waits for them in the end.
    ///
    /// ```
    /// # use chinwag::{Config, Server};
    /// # let config = Config::default().bind([std::net::Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
    /// Server::bind(&config)?.run(|handle| {
    ///     println!("open http://{}/", handle.page_addresses()[0]);
    ///     // Another thread may keep the handle, and stop the server later.
    ///     handle.stop();
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the server cannot go on. All of its threads have ended then, too.
    pub fn run(self, ready: impl FnOnce(Handle)) -> Result<(), RunError> {
        let Self { handle, serving } = self;
        let given = handle.clone();
        let result = serving.run(|| ready(given));
        drop(handle);
        result
    }
}

/// Tells the chat of the hooks' commands.
fn activate(hooks: Arc<dyn Hooks>, handle: &Handle) -> ActiveHooks {
    let commands = hooks.commands();
    let names = commands.iter().map(|command| command.name.clone()).collect();
    let infos = commands.into_iter().map(|CommandHelp { name, help }| CommandInfo { name, help });
    let infos = infos.collect();
    // The broadcaster ends only after the server.
    let _ = handle.ask(move |broadcaster| broadcaster.serve_hooks(infos));
    ActiveHooks { hooks, handle: handle.clone(), commands: names }
}

/// Returns the stack of a connection's thread (bytes).
fn connection_stack_bytes(config: &Config) -> usize {
    /// Maximum stack for hooks (bytes), so that sums stay within the address space.
    const HOOK_STACK_BYTES_MAX: usize = 64 * 1024 * 1024;
    let for_hooks = config.hook_stack_bytes.min(HOOK_STACK_BYTES_MAX);
    CONNECTION_STACK_BYTES + config.hooks.as_ref().map_or(0, |_| for_hooks)
}

/// Opens the history, if there is one. Returns the part of the broadcaster, and that of its threads.
fn open_history(config: &Config) -> Result<Option<(OpenedHistory, Vec<Worker>)>, StartError> {
    let limits = config.limits.history;
    #[cfg(feature = "history")]
    if let Some(history) = &config.history {
        if config.store.is_some() {
            return Err(StartError::TwoHistories);
        }
        return Ok(Some(History::open(history, limits)?.into_parts()));
    }
    let opened = config.store.as_ref().map(|store| stored::open(store, limits));
    opened.transpose().map_err(StartError::Store)
}

/// Calculates the number of connections. Runs before anything is started.
fn measure(config: &Config, listeners: usize) -> Result<Capacity, Scarcity> {
    let has_history = config.store.is_some();
    #[cfg(feature = "history")]
    let has_history = has_history || config.history.is_some();
    let facts = Facts::of_this_machine();
    let has_page = !matches!(config.page, Page::None);
    let stack_bytes = connection_stack_bytes(config);
    let needs = Needs::of(&facts, listeners, has_history, has_page, stack_bytes);
    let wish = config.clients_max.map(NonZeroUsize::get);
    let capacity = capacity(&facts, wish, &config.limits, &needs)?;
    if let Some(limit) = capacity.limit {
        log::info!(
            "there is room for {} clients: {limit} permits no more",
            capacity.connections.clients_max
        );
    }
    Ok(capacity)
}

/// Returns the configuration with the memory of the rooms and the backlogs within the capacity.
fn within(capacity: &Capacity, config: &Config) -> Config {
    let mut config = config.clone();
    config.limits.history.bytes_max = capacity.history_bytes_max;
    config.limits.backlog_bytes_max = capacity.backlog_bytes_max;
    config
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::broadcaster::handle::Stopped;
    use crate::broadcaster::inbox::Input;

    #[test]
    fn a_server_without_a_broadcaster_ends() {
        let config = Config::default().bind([Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
        let server = Server::bind(&config).unwrap();
        server.handle.inbox.send(Input::End).unwrap();
        let running = server.start().unwrap();
        assert_eq!(running.handle().rooms(), Err(Stopped));
        running.join().unwrap();
    }
}
