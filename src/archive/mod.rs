//! The part of a history that does not depend on its storage, and the history in a store of the
//! embedder's own.
//!
//! [`answers`] completes the lookups of clients from any storage, and [`restore`] reads the rooms with
//! which a server continues. `src/history/` uses both for SQLite; [`stored`] uses them for a
//! [`MessageStore`](crate::store::MessageStore).

pub(crate) mod answers;
pub(crate) mod restore;
pub(crate) mod stored;
mod writer;

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use crate::chat::{Message, RoomName};

/// How long a writer waits after a failure before it tries again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The warning for clients when messages are no longer stored.
pub(crate) const FAILED: &str = "The history cannot be written: what is said now may be lost when \
                                 the server restarts.";
/// The notice for clients when all messages are stored again.
pub(crate) const RECOVERED: &str = "The history is written again.";
/// The warning for clients when messages are stored again, but some of the earlier ones are not.
pub(crate) const RECOVERED_IN_PART: &str = "The history is written again, but some of what was said \
                                            before is missing from it.";

/// Messages of a storage, in their order. Reading each of them may fail.
pub(crate) type Rows<'a, E> = dyn Iterator<Item = Result<Arc<Message>, E>> + 'a;

/// A storage from which messages of a room are read.
pub(crate) trait Storage {
    type Error: Display;

    /// Passes the messages of a room before `before` to `take`, newest first, at most `limit`.
    fn before<T>(
        &self,
        room: &RoomName,
        before: u64,
        limit: usize,
        take: impl FnOnce(&mut Rows<'_, Self::Error>) -> T,
    ) -> Result<T, Self::Error>;

    /// Passes the messages of a room after `after` to `take`, oldest first.
    fn after<T>(
        &self,
        room: &RoomName,
        after: u64,
        take: impl FnOnce(&mut Rows<'_, Self::Error>) -> T,
    ) -> Result<T, Self::Error>;
}

/// The work of a thread of the history. It ends when the broadcaster has ended.
pub(crate) struct Worker {
    /// The name of the thread.
    pub(crate) name: &'static str,
    pub(crate) work: Box<dyn FnOnce() + Send>,
}

impl Worker {
    pub(crate) fn new(name: &'static str, work: impl FnOnce() + Send + 'static) -> Self {
        Self { name, work: Box::new(work) }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
