//! The threads that read and maintain the history.

use std::io;
use std::thread::{self, JoinHandle};

use super::capacity::STACK_BYTES;
use crate::archive::Worker;

/// The threads of the history. They run from the binding of the server on, so that a query before the
/// start is answered. They end with the broadcaster, so this must be dropped after it.
#[derive(Debug, Default)]
pub(super) struct HistoryThreads {
    threads: Vec<JoinHandle<()>>,
}

impl HistoryThreads {
    pub(super) fn start(&mut self, workers: Vec<Worker>) -> io::Result<()> {
        for Worker { name, work } in workers {
            let builder = thread::Builder::new().name(name.into()).stack_size(STACK_BYTES);
            self.threads.push(builder.spawn(work)?);
        }
        Ok(())
    }
}

impl Drop for HistoryThreads {
    /// Waits for the threads. The panic hook has logged it if one has panicked.
    fn drop(&mut self) {
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
