//! A server that runs, and the reason why it could not go on.

use std::error::Error as _;
use std::io;
use std::thread::JoinHandle;

use crate::broadcaster::handle::Handle;

/// A server that serves on threads of its own. Dropping it stops the server, and waits until all of
/// its threads have ended.
///
/// ```
/// # use chinwag::{Config, Server};
/// # let config = Config::default().bind([std::net::Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
/// let running = Server::bind(&config)?.start()?;
/// let handle = running.handle();
/// // Any thread can stop the server. Here one does so at once.
/// std::thread::spawn(move || handle.stop());
/// // Waits for that, and returns the error if the server has crashed.
/// running.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct Running {
    handle: Handle,
    /// `None` once it was joined.
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

/// The reason why a server could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A thread could not be started.
    #[error("cannot serve")]
    Resources(#[from] io::Error),
    /// The broadcaster panicked, the thread that owns the chat. This is a defect of chinwag: please
    /// report it.
    #[error("the broadcaster failed")]
    Crashed,
}

impl Running {
    pub(super) fn new(handle: Handle, thread: JoinHandle<Result<(), RunError>>) -> Self {
        Self { handle, thread: Some(thread) }
    }

    /// Returns a handle to the server, for any thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops the server, and waits until all of its threads have ended. Every client gets close code
    /// 1001. This takes at most [`Limits::close_within`](crate::Limits::close_within) and a second.
    /// If the page was requested in the last 12 s, it takes up to 5 s more: tiny_http does not end its
    /// idle threads earlier.
    ///
    /// # Errors
    /// If the server had crashed, or a thread could not be started.
    pub fn stop(self) -> Result<(), RunError> {
        self.handle.stop();
        self.join()
    }

    /// Waits until the server was stopped with [`Handle::stop`] or has crashed, and all of its
    /// threads have ended. The ports and the history are free then.
    ///
    /// # Errors
    /// If the server has crashed, or a thread could not be started.
    pub fn join(mut self) -> Result<(), RunError> {
        self.join_thread()
    }

    fn join_thread(&mut self) -> Result<(), RunError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or(Err(RunError::Crashed))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Err(error) = self.join_thread() {
            let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
            log::error!("{error}{cause}");
        }
    }
}
