//! Binding, running and stopping.

mod accept;
mod handle;
mod listen;

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, Scope};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::broadcaster::{INBOX_MAX, Input, broadcast};
use crate::config::Config;
use crate::door::Door;
use crate::page::Page;
#[cfg(feature = "history")]
use crate::store::Store;
use accept::accept_loop;
pub use handle::{Handle, SayError};
pub use listen::StartError;
use listen::{addresses, capacity, check_descriptors, distinct, listen_on_all};

/// A thread of ours needs a fraction of this. Pages of a stack that are never touched cost nothing.
const STACK_BYTES: usize = 256 * 1024;
/// A server whose ports are open, and which does not serve yet. Whoever connects before it is
/// started waits.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    door: Door,
    inbox: Receiver<Input>,
    stop: Receiver<()>,
    /// Dropped when the server has ended, which those who wait in [`Handle::stop`] notice.
    ended: Sender<Infallible>,
    handle: Handle,
    #[cfg(feature = "history")]
    store: Option<Store>,
}

impl Server {
    /// Opens the ports. The addresses are known from here on, also where port 0 was asked for.
    ///
    /// # Errors
    /// When a port cannot be opened, or the process has no descriptor or thread left.
    pub fn bind(config: &Config) -> Result<Self, StartError> {
        check_descriptors()?;
        #[cfg(feature = "history")]
        let store = match &config.history {
            Some(history) => Some(Store::open(history, config.limits.history)?),
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
        let (inbox, inbox_out) = bounded(INBOX_MAX);
        let capacity = capacity(config.clients_max);
        let handle = Handle {
            page_addresses: page_addresses.clone(),
            websocket_addresses,
            clients_max: capacity.clients_max,
            text_bytes_max: config.limits.text_bytes_max,
            inbox: inbox.clone(),
            stop,
            ended: end,
        };
        Ok(Self {
            listeners: page.into_iter().chain(websocket).collect(),
            door: Door::new(config, capacity, Page::new()?, page_addresses, inbox)?,
            inbox: inbox_out,
            stop: stop_asked,
            ended,
            handle,
            #[cfg(feature = "history")]
            store,
        })
    }

    /// The way to this server, to be taken before [`Server::run`].
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(self) -> Result<Handle, StartError> {
        let handle = self.handle();
        let serve = move || {
            if let Err(error) = self.run() {
                log::error!("{error}");
            }
        };
        thread::Builder::new().name("server".into()).spawn(serve)?;
        Ok(handle)
    }

    /// Serves on this thread until [`Handle::stop`] is called, and until every thread has ended.
    ///
    /// # Errors
    /// When the server could not go on. Every thread has ended then, too.
    pub fn run(self) -> Result<(), RunError> {
        #[cfg(feature = "history")]
        let (kept, desk) = self.store.map(Store::split).unzip();
        #[cfg(not(feature = "history"))]
        let kept = None;
        let Self { listeners, door, inbox, stop, ended, handle, .. } = self;
        let result = thread::scope(|house| {
            let asked_to_stop = AskOnDrop(handle.stop.clone());
            let (limits, quota) = (door.limits(), door.quota());
            // Those who work beside the broadcaster end when it has ended.
            #[cfg(feature = "history")]
            if let Some(desk) = &desk {
                let inbox = &handle.inbox;
                spawn(house, "history".into(), move || desk.read(inbox, limits))?;
                spawn(house, "search".into(), move || desk.search(inbox, limits))?;
                spawn(house, "upkeep".into(), move || desk.keep_house())?;
            }
            let broadcaster = spawn(house, "broadcaster".into(), move || {
                let _asked_to_stop = asked_to_stop;
                broadcast(inbox, limits, quota, kept);
            })?;
            let served = thread::scope(|guests| {
                let served = open(guests, &listeners, &door);
                // The order of shutdown. It begins here, and at once when a thread is missing.
                if served.is_ok() {
                    let _ = stop.recv();
                }
                // 1. Nobody is let in any more: the accept loops end, and callers at the door go.
                door.stopping().ring();
                door.page().stop();
                // 2. The broadcaster asks every connection to end.
                let _ = handle.inbox.send(Input::Stop);
                served
                // 3. This scope ends with the last connection.
            });
            // 4. Nothing is left for the broadcaster to do.
            let _ = handle.inbox.send(Input::End);
            let broadcaster = broadcaster.join();
            served?;
            broadcaster.map_err(|_| RunError::Crashed)
        });
        // The ports and the history are free again before anybody is told.
        drop((listeners, door));
        #[cfg(feature = "history")]
        drop(desk);
        drop(ended);
        result
    }
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

/// Asks for the shutdown when the broadcaster ends, which before the shutdown is a panic.
struct AskOnDrop(Sender<()>);

impl Drop for AskOnDrop {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

fn spawn<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    name: String,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<thread::ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn_scoped(scope, work)
}

/// Starts the threads that let people in.
fn open<'scope>(
    guests: &'scope Scope<'scope, '_>,
    listeners: &'scope [TcpListener],
    door: &'scope Door,
) -> io::Result<()> {
    spawn(guests, "page".into(), || go_on(|| door.page().serve()))?;
    for listener in listeners {
        let name = format!("accept-{}", listener.local_addr()?.port());
        spawn(guests, name, move || go_on(|| accept_loop(guests, listener, door)))?;
    }
    Ok(())
}

/// Runs a loop that ends when the server stops, and no sooner: after a panic it begins again. The
/// panic hook has said where it was.
fn go_on(work: impl Fn()) {
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
