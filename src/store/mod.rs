//! Storage of an embedder's own for the messages of all rooms, in place of a history file.
//!
//! A type that implements [`MessageStore`] is passed to [`Config::store`](crate::Config::store).
//! Clients then have the same as with a history file: exact resume over a restart, pages of older
//! messages, and search if the store can do it. Nicknames are not held over a restart.
//!
//! This store is a text file with one message per line, as `chinwag history export` writes them. The
//! epoch is in a second file.
//!
//! ```
//! use std::fs::{File, OpenOptions, read_to_string, rename, write};
//! use std::io::{BufRead, BufReader, ErrorKind, Write};
//! use std::path::PathBuf;
//! use std::sync::Arc;
//!
//! use chinwag::store::{MessageStore, StoreError, Stored};
//! use chinwag::{Config, Message, Nickname, RoomName, Server};
//!
//! struct Lines {
//!     path: PathBuf,
//! }
//!
//! impl Lines {
//!     fn messages(&self) -> Result<Vec<Arc<Message>>, StoreError> {
//!         let file = match File::open(&self.path) {
//!             Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
//!             file => file?,
//!         };
//!         BufReader::new(file).lines().map(|line| Ok(Message::from_json(&line?)?.into())).collect()
//!     }
//!
//!     fn of_room(&self, room: &RoomName) -> Result<Vec<Arc<Message>>, StoreError> {
//!         Ok(self.messages()?.into_iter().filter(|it| it.room() == room).collect())
//!     }
//!
//!     fn epoch_path(&self) -> PathBuf {
//!         self.path.with_extension("epoch")
//!     }
//! }
//!
//! impl MessageStore for Lines {
//!     fn load(&self) -> Result<Stored, StoreError> {
//!         let epoch = read_to_string(self.epoch_path()).ok();
//!         let mut rooms: Vec<(RoomName, u64)> = Vec::new();
//!         for message in self.messages()? {
//!             rooms.retain(|(room, _)| room != message.room());
//!             rooms.push((message.room().clone(), message.seq()));
//!         }
//!         Ok(Stored::new(epoch, rooms))
//!     }
//!
//!     fn set_epoch(&self, epoch: &str) -> Result<(), StoreError> {
//!         let new = self.path.with_extension("new");
//!         write(&new, epoch)?;
//!         Ok(rename(new, self.epoch_path())?)
//!     }
//!
//!     fn append(&self, messages: &[Arc<Message>]) -> Result<(), StoreError> {
//!         let lines: String = messages.iter().map(|it| it.to_json() + "\n").collect();
//!         let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
//!         // A store for more than an example removes a line that was written in part.
//!         Ok(file.write_all(lines.as_bytes())?)
//!     }
//!
//!     fn before(
//!         &self,
//!         room: &RoomName,
//!         before: u64,
//!         limit: usize,
//!     ) -> Result<Vec<Arc<Message>>, StoreError> {
//!         let mut messages = self.of_room(room)?;
//!         messages.retain(|it| it.seq() < before);
//!         Ok(messages.split_off(messages.len().saturating_sub(limit)))
//!     }
//!
//!     fn after(
//!         &self,
//!         room: &RoomName,
//!         after: u64,
//!         limit: usize,
//!     ) -> Result<Vec<Arc<Message>>, StoreError> {
//!         let messages = self.of_room(room)?.into_iter();
//!         Ok(messages.filter(|it| it.seq() > after).take(limit).collect())
//!     }
//! }
//!
//! # let folder = std::env::temp_dir().join(format!("chinwag-store-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("chat.jsonl");
//! # let config = Config::default().bind([std::net::Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
//! let config = config.store(Arc::new(Lines { path }));
//! let (lobby, clock) = (RoomName::lobby(), Nickname::parse("clock")?);
//! let running = Server::bind(&config)?.start()?;
//! running.handle().say(&lobby, &clock, "ten to two")?;
//! running.stop()?;
//!
//! // The next server has the messages of the first.
//! let running = Server::bind(&config)?.start()?;
//! let messages = running.handle().history(&lobby, None, 100)?;
//! assert_eq!(messages[0].text(), "ten to two");
//! running.stop()?;
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod record;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

pub use record::InvalidRecord;

pub use crate::chat::{InvalidId, Query, QueryError};
use crate::chat::{Message, RoomName};

/// The reason why a call of a [`MessageStore`] failed. It is logged.
pub type StoreError = Box<dyn Error + Send + Sync>;

/// Storage for the messages of all rooms. Private messages are not stored. The module has an example.
///
/// # Threads
///
/// | method | thread | effect of a slow call |
/// |---|---|---|
/// | [`load`](Self::load) | the one that calls [`Server::bind`](crate::Server::bind), which also calls [`before`](Self::before) for the newest messages of up to 100 rooms | the start waits |
/// | [`append`](Self::append), [`set_epoch`](Self::set_epoch) | `broadcaster` | every client waits, and every call of a [`Handle`](crate::Handle) |
/// | [`before`](Self::before), [`after`](Self::after) | `history` | only clients that read older messages wait |
/// | [`search`](Self::search) | `search` | only clients that search wait |
///
/// Reads may run while messages are appended. The server ends only when each running call has
/// returned. The threads have stacks of 256 KiB. No method may call the `Handle` of its server: it
/// could wait for itself.
///
/// # Failures
///
/// An error is logged, and so is a panic, which counts as an error (unless the program is built with
/// `panic = "abort"`). If a read fails, the client gets the messages in memory, or the error
/// `unavailable`. If messages cannot be appended, JSON clients get a `notice`, and the chat continues
/// in memory. A second later, and each further second, all messages that were not stored are appended
/// again, in their order. At most 4 MiB of them are held; then the oldest are dropped, and another
/// `notice` says so.
///
/// # Exactness
///
/// A client that comes back trusts the epoch: under the same epoch it expects to find each message
/// that it got. The server sets another epoch with [`set_epoch`](Self::set_epoch) as soon as messages
/// cannot be appended, and sets the former one again when all of them are. So a store needs only to
/// keep the messages and the epoch over any end of the process. If neither call succeeds before the process is
/// killed, the store cannot know that messages are missing. After a power failure that may have taken
/// messages, [`load`](Self::load) should return no epoch.
///
/// A store serves one server at a time.
pub trait MessageStore: Send + Sync {
    /// Returns the content of an earlier run; the default if there was none.
    ///
    /// # Errors
    /// If the store cannot be used. [`Server::bind`](crate::Server::bind) then fails.
    fn load(&self) -> Result<Stored, StoreError>;

    /// Stores the epoch, which [`load`](Self::load) returns from then on: 1 to 64 visible ASCII
    /// characters.
    ///
    /// # Errors
    /// If it is not stored. At the start [`Server::bind`](crate::Server::bind) then fails. Later the
    /// call is repeated.
    fn set_epoch(&self, epoch: &str) -> Result<(), StoreError>;

    /// Stores the messages of one turn, in the order of their arrival. Clients get them after this
    /// returns, so it must be fast: a millisecond is long. A busy server calls it many times a second.
    ///
    /// # Errors
    /// If not all of them are stored. The same messages come again, and the store must skip those
    /// that it already has (the same room and `seq`).
    fn append(&self, messages: &[Arc<Message>]) -> Result<(), StoreError>;

    /// Returns the newest messages of a room with a `seq` below `before`, at most `limit`, the oldest
    /// of them first. There are none of an unknown room. `before` is at most `i64::MAX`.
    ///
    /// # Errors
    /// If they cannot be read.
    fn before(
        &self,
        room: &RoomName,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, StoreError>;

    /// Returns the oldest messages of a room with a `seq` above `after`, at most `limit`, the oldest
    /// first. There are none of an unknown room. `after` is at most `i64::MAX`.
    ///
    /// # Errors
    /// If they cannot be read.
    fn after(
        &self,
        room: &RoomName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, StoreError>;

    /// Returns whether the store implements [`search`](Self::search). Asked once, at the start.
    fn can_search(&self) -> bool {
        false
    }

    /// Returns the newest messages that match the query, of one room or of all, at most `limit`, the
    /// newest first. Each comes with a number of the store's choice, below 2^53: a newer message has
    /// a higher one. If there is a `before`, returns only messages with lower numbers.
    ///
    /// # Errors
    /// If they cannot be read.
    fn search(
        &self,
        query: &Query,
        room: Option<&RoomName>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Arc<Message>)>, StoreError> {
        let _ = (query, room, before, limit);
        Err("this store cannot search".into())
    }
}

impl fmt::Debug for dyn MessageStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageStore")
    }
}

/// The content of a store, as an earlier run of a server left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The epoch that was set last. `None` means that messages may be missing, and gives the server a
    /// new one.
    pub epoch: Option<String>,
    /// The rooms, the most recently used last, with the highest `seq` that a message of each ever
    /// had. A store that deletes messages must remember it.
    pub rooms: Vec<(RoomName, u64)>,
}

impl Stored {
    /// Returns the content with this epoch and these rooms.
    pub fn new(epoch: Option<String>, rooms: Vec<(RoomName, u64)>) -> Self {
        Self { epoch, rooms }
    }
}
