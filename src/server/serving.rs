//! The threads of a running server, and the order in which they end.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::{self, JoinHandle, Scope};

use crossbeam_channel::{Receiver, Sender, bounded, never, select};

use super::accept::{accept_loop, start_adopted};
use super::capacity::STACK_BYTES;
use super::history_threads::HistoryThreads;
use super::running::RunError;
use super::spawn::spawn;
use crate::broadcaster::inbox::Input;
use crate::config::Config;
use crate::http::page::PageThread;
use crate::http::{ConnectionLimits, Context, Frontend};
use crate::net::adopt::Adopted;

/// Everything that a server needs to serve.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) adopted: Receiver<Adopted>,
    pub(super) context: Context,
    /// `None` if the server has no page.
    pub(super) page: Option<PageThread>,
    pub(super) config: Config,
    pub(super) connections: ConnectionLimits,
    pub(super) broadcaster: BroadcasterThread,
    /// They end with the broadcaster, and are dropped after it.
    pub(super) history_threads: HistoryThreads,
    pub(super) stop: Receiver<()>,
}

impl Serving {
    /// Serves until the server is stopped. Calls `ready` when it serves. If `ready` panics, stops the
    /// server and passes the panic on.
    pub(super) fn run(self, ready: impl FnOnce()) -> Result<(), RunError> {
        let Self { listeners, adopted, context, page, config, connections, stop, .. } = self;
        let Self { history_threads, mut broadcaster, .. } = self;
        let frontend = Frontend::new(&context, &config, &connections);
        let served = thread::scope(|threads| {
            let served = open(threads, page, &listeners, &context, &frontend);
            // `ready` is the embedder's. If it panics, the server still stops in order.
            let serving = served.is_ok().then(|| catch_unwind(AssertUnwindSafe(ready)));
            if let Some(Ok(())) = serving {
                let adopt = |it| start_adopted(threads, it, &context, &frontend);
                wait_for_stop(&stop, &broadcaster.ended, adopted, adopt);
            }
            // The shutdown begins here, at once if a thread could not be started.
            // 1. The accept loops end, and the connections that are not clients.
            context.stopping.wake();
            context.page.as_ref().inspect(|page| page.stop());
            // 2. The broadcaster asks the connection of every client to end.
            let _ = broadcaster.inbox.send(Input::Stop);
            (served, serving)
            // 3. This scope ends with the last connection.
        });
        let (served, serving) = served;
        // 4. The broadcaster has nothing left to do, and with it the threads of the history.
        let broadcast = broadcaster.end();
        drop(history_threads);
        if let Some(Err(panic)) = serving {
            resume_unwind(panic);
        }
        served?;
        broadcast.map_err(|_| RunError::Crashed)
        // 5. The ports and the history are closed.
    }
}

/// The thread of the broadcaster. It runs from the binding of the server on, so that a question to
/// it before the start is answered, and ends at the latest when this is dropped.
#[derive(Debug)]
pub(super) struct BroadcasterThread {
    inbox: Sender<Input>,
    /// Nothing is ever sent. It is disconnected when the thread has ended: before the shutdown this
    /// means a panic.
    pub(super) ended: Receiver<Infallible>,
    thread: Option<JoinHandle<()>>,
}

impl BroadcasterThread {
    pub(super) fn start(
        inbox: Sender<Input>,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (alive, ended) = bounded(0);
        let work = move || {
            let _alive: Sender<Infallible> = alive;
            work();
        };
        let builder = thread::Builder::new().name("broadcaster".into()).stack_size(STACK_BYTES);
        Ok(Self { inbox, ended, thread: Some(builder.spawn(work)?) })
    }

    /// Ends the thread after all that is in the inbox, waits for it, and returns its panic if it
    /// panicked.
    fn end(&mut self) -> thread::Result<()> {
        let _ = self.inbox.send(Input::End);
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for BroadcasterThread {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Starts the thread of the page, and the accept loops.
fn open<'scope>(
    threads: &'scope Scope<'scope, '_>,
    page: Option<PageThread>,
    listeners: &'scope [TcpListener],
    context: &'scope Context,
    frontend: &'scope Frontend<'scope>,
) -> io::Result<()> {
    if let Some(page) = page {
        spawn(threads, page.name().to_owned(), move || keep_running(|| page.serve()))?;
    }
    for listener in listeners {
        let name = format!("accept-{}", listener.local_addr()?.port());
        let accept = move || keep_running(|| accept_loop(threads, listener, context, frontend));
        spawn(threads, name, accept)?;
    }
    Ok(())
}

/// Waits for the stop, or for the end of the broadcaster, which has panicked then. Adopts the
/// connections that are handed over meanwhile.
fn wait_for_stop(
    stop: &Receiver<()>,
    ended: &Receiver<Infallible>,
    mut adopted: Receiver<Adopted>,
    adopt: impl Fn(Adopted),
) {
    loop {
        select! {
            recv(stop) -> _ => return,
            recv(ended) -> _ => return,
            recv(adopted) -> it => match it {
                Ok(it) => adopt(it),
                // There is no handle any more.
                Err(_) => adopted = never(),
            }
        }
    }
}

/// Runs a loop that ends only when the server stops. After a panic, which the panic hook has logged,
/// it begins again.
fn keep_running(work: impl Fn()) {
    while catch_unwind(AssertUnwindSafe(&work)).is_err() {}
}
