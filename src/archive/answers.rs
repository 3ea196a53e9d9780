//! Answers lookups from the messages of a storage, on a thread of the history.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::{Rows, Storage};
use crate::broadcaster::history::HistoryQuery;
use crate::chat::{HistoryRead, Lookup, Message, Notice};

/// Maximum size of the messages in one search result (bytes).
const FOUND_BYTES_MAX: usize = 128 * 1024;

/// Answers queries with `look_up` until the broadcaster has ended. `name` is that of the storage.
pub(crate) fn serve<E: Display>(
    name: &dyn Display,
    queries: &Receiver<Box<HistoryQuery>>,
    look_up: impl Fn(Lookup) -> Result<Notice, E>,
) {
    for query in queries {
        if !query.is_wanted() {
            continue;
        }
        // A panic costs the answer to this query and no other. The panic hook has logged it.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let lookup = query.lookup.clone();
            let found = match catch_unwind(AssertUnwindSafe(|| look_up(lookup))) {
                Ok(found) => found.map_err(|error| log::warn!("cannot read {name}: {error}")).ok(),
                Err(_) => None,
            };
            query.answer(found);
        }));
    }
}

/// Completes a read with messages of a storage.
pub(crate) fn complete<S: Storage>(
    storage: &S,
    read: Box<HistoryRead>,
) -> Result<Notice, S::Error> {
    let room = read.room.clone();
    let read = match read.batch_after() {
        Some(after) => {
            let batch = |rows: &mut Rows<'_, S::Error>| {
                until_failure(rows, |following| read.complete_batch(following))
            };
            // Without its first message the batch is of no use.
            match storage.after(&room, after, batch)?? {
                Ok(notice) => return Ok(notice),
                Err(read) => read,
            }
        }
        None => read,
    };
    storage.before(&room, read.before, read.missing(), |rows| {
        until_failure(rows, |older| read.complete(older))
    })?
}

/// Passes rows on until one cannot be read, which is an error.
fn until_failure<T, E>(
    rows: &mut Rows<'_, E>,
    take: impl FnOnce(&mut dyn Iterator<Item = Arc<Message>>) -> T,
) -> Result<T, E> {
    let mut failed = None;
    let taken = take(&mut rows.map_while(|row| row.map_err(|error| failed = Some(error)).ok()));
    failed.map_or(Ok(taken), Err)
}

/// The messages that a search has found, as many as one answer holds.
pub(crate) struct Results {
    messages: Vec<Arc<Message>>,
    limit: usize,
    bytes_left: usize,
    /// The number of the last message.
    oldest: u64,
    has_more: bool,
}

impl Results {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            messages: Vec::new(),
            limit,
            bytes_left: FOUND_BYTES_MAX,
            oldest: 0,
            has_more: false,
        }
    }

    /// Adds a message with its number. Returns false if it does not fit; then the answer is complete.
    pub(crate) fn add(&mut self, number: u64, message: Arc<Message>) -> bool {
        let fits = self.messages.is_empty() || self.bytes_left >= message.weight();
        self.has_more = self.messages.len() >= self.limit || !fits;
        if self.has_more {
            return false;
        }
        self.bytes_left = self.bytes_left.saturating_sub(message.weight());
        self.oldest = number;
        self.messages.push(message);
        true
    }

    pub(crate) fn into_notice(self) -> Notice {
        let before = self.has_more.then_some(self.oldest);
        Notice::Results { messages: self.messages, before }
    }
}
