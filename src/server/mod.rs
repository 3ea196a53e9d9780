//! Binding, running and stopping.

mod accept;
mod capacity;
mod handle;
mod listen;
mod machine;

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle, Scope};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::broadcaster::broadcast;
use crate::broadcaster::inbox::Input;
use crate::chat::Quota;
use crate::config::Config;
#[cfg(feature = "history")]
use crate::history::{History, HistoryWorkers};
use crate::http::page::Page;
use crate::http::{Context, Frontend};
use crate::net::poll::Waker;
use accept::accept_loop;
pub use capacity::Scarcity;
use capacity::{CONNECTION_STACK_BYTES, Capacity, Facts, Needs, STACK_BYTES, capacity};
pub use handle::{Handle, SayError, Stopped};
pub use listen::StartError;
use listen::{addresses, check_descriptors, distinct, listen_on_all};

/// A server whose ports are open, and which does not serve yet. Whoever connects before it is
/// started waits.
///
/// The chat itself is there from [`Server::bind`] on: what [`Handle::say`] says before the start is
/// in its room when the first client comes.
#[derive(Debug)]
pub struct Server {
    handle: Handle,
    serving: Serving,
}

/// A server without its handle: it stops when the last handle is dropped.
#[derive(Debug)]
struct Serving {
    listeners: Vec<TcpListener>,
    context: Context,
    config: Config,
    capacity: Capacity,
    broadcaster: Broadcaster,
    #[cfg(feature = "history")]
    workers: Option<HistoryWorkers>,
    stop: Receiver<()>,
    /// Dropped when the server has ended, which those who wait in [`Handle::stop`] notice. It is
    /// the last of the fields: the ports and the history are free by then.
    ended: Sender<Infallible>,
}

impl Server {
    /// Opens the ports. The addresses are known from here on, also where port 0 was asked for.
    ///
    /// The number of clients is calculated here, from the limits of this process. glibc gives each of
    /// the first threads a heap of 64 MiB of address space, which is not counted: under a limit of
    /// address space, start the embedding program with `MALLOC_ARENA_MAX=1`.
    ///
    /// # Errors
    /// When there is no address to listen on, when a port cannot be opened, or when the process has
    /// no descriptor or thread left, or no room for even one client.
    pub fn bind(config: &Config) -> Result<Self, StartError> {
        check_descriptors()?;
        if config.bind.is_empty() {
            return Err(StartError::NoAddress);
        }
        let capacity = measure(config)?;
        let config = &within(&capacity, config);
        #[cfg(feature = "history")]
        let store = match &config.history {
            Some(history) => Some(History::open(history, config.limits.history)?),
            None => None,
        };
        let bind = distinct(&config.bind)?;
        let page = listen_on_all(&bind, config.page_port)?;
        let page_addresses = addresses(&page)?;
        // Both ports answer both protocols, so that they may well be one.
        let shared = config.page_port != 0 && config.page_port == config.websocket_port;
        let websocket =
            if shared { Vec::new() } else { listen_on_all(&bind, config.websocket_port)? };
        let websocket_addresses =
            if shared { page_addresses.clone() } else { addresses(&websocket)? };
        let (stop, stop_asked) = bounded(1);
        let (ended, end) = bounded(0);
        let (inbox, inbox_out) = bounded(capacity.inbox_max);
        let context = Context {
            limits: config.limits.sane(),
            inbox: inbox.clone(),
            page: Page::new()?,
            page_addresses: page_addresses.clone(),
            stopping: Waker::new()?,
        };
        #[cfg(feature = "history")]
        let (history, workers) = store.map(History::into_parts).unzip();
        #[cfg(not(feature = "history"))]
        let history = None;
        let quota = Quota {
            people_max: capacity.connections.clients_max,
            people_per_network_max: NonZeroUsize::new(config.clients_per_address_max),
            answer_bytes_max: capacity.answer_bytes_max,
        };
        let (limits, answers) = (context.limits.clone(), inbox.clone());
        let work = move || broadcast(inbox_out, answers, &limits, quota, history);
        let broadcaster = Broadcaster::start(inbox.clone(), work)?;
        let handle = Handle {
            page_addresses,
            websocket_addresses,
            clients_max: capacity.connections.clients_max,
            text_bytes_max: config.limits.text_bytes_max,
            inbox,
            stop,
            ended: end,
        };
        let serving = Serving {
            listeners: page.into_iter().chain(websocket).collect(),
            context,
            config: config.clone(),
            capacity,
            broadcaster,
            #[cfg(feature = "history")]
            workers,
            stop: stop_asked,
            ended,
        };
        Ok(Self { handle, serving })
    }

    /// The way to this server.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves on a thread of its own, until [`Handle::stop`] is called or the last [`Handle`] is
    /// dropped. Receivers of events do not keep the server up.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(self) -> Result<Handle, StartError> {
        let Self { handle, serving } = self;
        let serve = move || {
            if let Err(error) = serving.run() {
                log::error!("{error}");
            }
        };
        thread::Builder::new().name("server".into()).spawn(serve)?;
        Ok(handle)
    }

    /// Serves on this thread until [`Handle::stop`] is called, and until every thread has ended.
    /// Handles may be dropped, all of them, and the server goes on.
    ///
    /// # Errors
    /// When the server could not go on. Every thread has ended then, too.
    pub fn run(self) -> Result<(), RunError> {
        let Self { handle, serving } = self;
        let result = serving.run();
        drop(handle);
        result
    }
}

impl Serving {
    fn run(self) -> Result<(), RunError> {
        let Self { listeners, context, config, capacity, broadcaster, stop, ended, .. } = self;
        #[cfg(feature = "history")]
        let workers = self.workers;
        let frontend = Frontend::new(&context, &config, &capacity.connections);
        #[cfg_attr(not(feature = "history"), expect(unused_variables, reason = "for the history"))]
        let result = thread::scope(|threads| {
            // The broadcaster ends with this block, also when a thread is missing. The threads of the
            // history end after it.
            let mut broadcaster = broadcaster;
            #[cfg(feature = "history")]
            if let Some(workers) = &workers {
                spawn(threads, "history".into(), || workers.read())?;
                spawn(threads, "search".into(), || workers.search())?;
                spawn(threads, "maintenance".into(), || workers.run_maintenance())?;
            }
            let served = thread::scope(|threads| {
                let served = open(threads, &listeners, &context, &frontend);
                // The order of shutdown begins here, and at once when a thread is missing.
                if served.is_ok() {
                    // The last handle may be dropped instead, or the broadcaster may panic.
                    select! {
                        recv(stop) -> _ => {}
                        recv(broadcaster.ended) -> _ => {}
                    }
                }
                // 1. The accept loops end, and so do connections that are not clients.
                context.stopping.wake();
                context.page.stop();
                // 2. The broadcaster asks every client's connection to end.
                let _ = broadcaster.inbox.send(Input::Stop);
                served
                // 3. This scope ends with the last connection.
            });
            // 4. Nothing is left for the broadcaster to do.
            let broadcast = broadcaster.end();
            served?;
            broadcast.map_err(|_| RunError::Crashed)
        });
        // The ports and the history are free before `ended` is dropped.
        drop(frontend);
        drop((listeners, context));
        #[cfg(feature = "history")]
        drop(workers);
        drop(ended);
        result
    }
}

/// The thread of the broadcaster. It runs from [`Server::bind`] on, so that nothing that is sent to
/// it before the start waits for ever, and ends at the latest when this is dropped.
#[derive(Debug)]
struct Broadcaster {
    inbox: Sender<Input>,
    /// Nothing is ever sent: it is disconnected when the thread has ended, which before the
    /// shutdown is a panic.
    ended: Receiver<Infallible>,
    thread: Option<JoinHandle<()>>,
}

impl Broadcaster {
    fn start(inbox: Sender<Input>, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (alive, ended) = bounded(0);
        let work = move || {
            let _alive: Sender<Infallible> = alive;
            work();
        };
        let builder = thread::Builder::new().name("broadcaster".into()).stack_size(STACK_BYTES);
        Ok(Self { inbox, ended, thread: Some(builder.spawn(work)?) })
    }

    /// Ends the thread when all that waits is done, and says whether it panicked. It has ended
    /// when this returns.
    fn end(&mut self) -> thread::Result<()> {
        let _ = self.inbox.send(Input::End);
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for Broadcaster {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// How many connections there is room for. It is measured before anything is started.
fn measure(config: &Config) -> Result<Capacity, Scarcity> {
    #[cfg(feature = "history")]
    let has_store = config.history.is_some();
    #[cfg(not(feature = "history"))]
    let has_store = false;
    let facts = Facts::of_this_machine();
    let needs = Needs::of(&facts, 2 * config.bind.len(), has_store);
    let capacity = capacity(&facts, config.clients_max, &config.limits, &needs)?;
    if let Some(limit) = capacity.limit {
        log::info!(
            "there is room for {} clients: {limit} permits no more",
            capacity.connections.clients_max
        );
    }
    Ok(capacity)
}

/// The configuration, with the memory of the rooms and the backlogs within the capacity.
fn within(capacity: &Capacity, config: &Config) -> Config {
    let mut config = config.clone();
    config.limits.history.bytes_max = capacity.history_bytes_max;
    config.limits.backlog_bytes_max = capacity.backlog_bytes_max;
    config
}

/// Why a server could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A thread could not be had.
    #[error("cannot serve: {0}")]
    Resources(#[from] io::Error),
    /// The broadcaster panicked. That is a defect of chinwag: please report it.
    #[error("the broadcaster failed")]
    Crashed,
}

fn spawn<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    name: String,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<thread::ScopedJoinHandle<'scope, T>> {
    spawn_with(STACK_BYTES, scope, name, work)
}

fn spawn_with<'scope, 'env, T: Send + 'scope>(
    stack_bytes: usize,
    scope: &'scope Scope<'scope, 'env>,
    name: String,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<thread::ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().name(name).stack_size(stack_bytes).spawn_scoped(scope, work)
}

/// Starts the thread of the page, and the accept loops.
fn open<'scope>(
    threads: &'scope Scope<'scope, '_>,
    listeners: &'scope [TcpListener],
    context: &'scope Context,
    frontend: &'scope Frontend<'scope>,
) -> io::Result<()> {
    spawn(threads, "page".into(), || keep_running(|| context.page.serve()))?;
    for listener in listeners {
        let name = format!("accept-{}", listener.local_addr()?.port());
        let accept = move || keep_running(|| accept_loop(threads, listener, context, frontend));
        spawn(threads, name, accept)?;
    }
    Ok(())
}

/// Runs a loop that ends when the server stops, and no sooner: after a panic it begins again. The
/// panic hook has said where it was.
fn keep_running(work: impl Fn()) {
    while catch_unwind(AssertUnwindSafe(&work)).is_err() {}
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_server_that_loses_its_broadcaster_ends() {
        let bind = vec![Ipv4Addr::LOCALHOST.into()];
        let config = Config { bind, page_port: 0, websocket_port: 0, ..Config::default() };
        let server = Server::bind(&config).unwrap();
        server.handle.inbox.send(Input::End).unwrap();
        let handle = server.start().unwrap();
        let ended = handle.ended.recv_timeout(Duration::from_secs(20));
        assert!(ended.unwrap_err().is_disconnected());
    }
}
