//! Appends the messages of each turn to a store for the broadcaster. While it cannot, the chat
//! continues in memory.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::{FAILED, RECOVERED, RECOVERED_IN_PART, RETRY_AFTER};
use crate::broadcaster::history::{HistoryWriter, random_epoch};
use crate::chat::{Chat, Level, Message, NameChange};
use crate::store::{MessageStore, StoreError};

/// Maximum size of the messages that wait for a store that fails (bytes). They are part of the
/// memory that a history is expected to take.
const UNSTORED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Writes to a store. Belongs to the broadcaster.
pub(super) struct StoreWriter {
    store: Arc<dyn MessageStore>,
    /// The epoch of the messages: that which clients were told, or another if messages were lost.
    epoch: String,
    /// The messages of this turn, and after a failure all that are not stored.
    unstored: VecDeque<Arc<Message>>,
    /// The weight of `unstored` (bytes).
    bytes: usize,
    failure: Option<Failure>,
}

/// The state of a writer after a failure.
struct Failure {
    /// When the writer tries again.
    retry_at: Instant,
    /// The store has another epoch, for the case that the server ends before all messages are stored.
    is_marked: bool,
    /// Messages were dropped.
    has_lost: bool,
}

impl StoreWriter {
    pub(super) fn new(store: Arc<dyn MessageStore>, epoch: String) -> Self {
        Self { store, epoch, unstored: VecDeque::new(), bytes: 0, failure: None }
    }

    /// Stores all messages. After a failure stores the epoch again, too.
    fn store(&mut self) -> Result<(), StoreError> {
        let Self { store, unstored, .. } = self;
        if !unstored.is_empty() {
            guarded(|| store.append(unstored.make_contiguous()))?;
            unstored.clear();
            self.bytes = 0;
        }
        if let Some(failure) = &mut self.failure {
            // Even if this fails, the store may have the epoch.
            failure.is_marked = false;
            guarded(|| self.store.set_epoch(&self.epoch))?;
        }
        Ok(())
    }

    /// Handles a failure. Returns the warning for the clients, unless they have it already.
    fn fail(&mut self, error: &StoreError, now: Instant) -> Option<(&'static str, Level)> {
        let retry_at = now + RETRY_AFTER;
        let is_new = self.failure.is_none();
        let failure =
            self.failure.get_or_insert(Failure { retry_at, is_marked: false, has_lost: false });
        failure.retry_at = retry_at;
        if is_new {
            log::warn!(
                "cannot append to the store: {error}; the chat goes on in memory, and appending is \
                 tried every second"
            );
        }
        self.mark(is_new);
        self.drop_oldest();
        is_new.then_some((FAILED, Level::Warning))
    }

    /// Gives the store another epoch until all messages are stored.
    fn mark(&mut self, logs: bool) {
        let Some(failure) = self.failure.as_mut().filter(|failure| !failure.is_marked) else {
            return;
        };
        match guarded(|| self.store.set_epoch(&random_epoch())) {
            Ok(()) => failure.is_marked = true,
            Err(error) if logs => log::warn!("cannot mark the store as incomplete: {error}"),
            Err(_) => {}
        }
    }

    /// Drops the oldest messages if too many wait after a failure.
    fn drop_oldest(&mut self) {
        let Some(failure) = &mut self.failure else { return };
        while self.bytes > UNSTORED_BYTES_MAX {
            let Some(oldest) = self.unstored.pop_front() else { return };
            self.bytes -= oldest.weight();
            if !failure.has_lost {
                failure.has_lost = true;
                self.epoch = random_epoch();
            }
        }
    }

    /// Ends a failure. Returns the notice for the clients.
    fn recover(&mut self) -> Option<(&'static str, Level)> {
        let failure = self.failure.take()?;
        if failure.has_lost {
            log::warn!("messages are appended to the store again, but some earlier ones are lost");
            return Some((RECOVERED_IN_PART, Level::Warning));
        }
        log::info!("messages are appended to the store again");
        Some((RECOVERED, Level::Info))
    }
}

/// Calls the store. A panic of the store, which the panic hook has logged, is an error.
fn guarded(call: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err("it panicked".into()))
}

impl HistoryWriter for StoreWriter {
    fn take(&mut self, message: &Arc<Message>) {
        self.bytes += message.weight();
        self.unstored.push_back(message.clone());
    }

    fn take_names(&mut self, _: Vec<NameChange>) {}

    fn end_turn(&mut self, _: &Chat, now: Instant) -> Option<(&'static str, Level)> {
        self.drop_oldest();
        let is_due = match &self.failure {
            Some(failure) => failure.retry_at <= now,
            None => !self.unstored.is_empty(),
        };
        if !is_due {
            return None;
        }
        match self.store() {
            Ok(()) => self.recover(),
            Err(error) => self.fail(&error, now),
        }
    }

    fn next_tick(&self) -> Option<Instant> {
        self.failure.as_ref().map(|failure| failure.retry_at)
    }
}

impl Drop for StoreWriter {
    /// Tries a last time to store the messages, or to mark the store as incomplete.
    fn drop(&mut self) {
        if self.failure.is_none() {
            return;
        }
        if let Err(error) = self.store() {
            log::warn!("the last messages are not in the store: {error}");
            self.mark(true);
        }
    }
}
