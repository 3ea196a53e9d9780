//! A history in a file: its configuration, and tools that work on such a file.
//!
//! A server keeps a history if [`Config::history`](crate::Config::history) names a file. The functions here export, import,
//! verify and count one. All but [`import`] also work while a server has it open.
//!
//! ```
//! use chinwag::history::{export, import, stats, verify};
//!
//! # let folder = std::env::temp_dir().join(format!("chinwag-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let file = folder.join("chat.db");
//! let lines = r#"{"room":"lobby","seq":1,"time":1770000000000,"nick":"ana","text":"hello"}"#;
//! assert_eq!(import(&file, &mut lines.as_bytes(), |_| {})?, 1);
//! assert!(verify(&file)?.problems.is_empty());
//! assert_eq!(stats(&file)?.messages, 1);
//! let mut exported = Vec::new();
//! export(&file, &mut exported, |_| {})?;
//! assert!(exported.starts_with(br#"{"room":"lobby","seq":1"#));
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The threads
//!
//! The history is an SQLite file. Its parts run on these threads of the server:
//!
//! | module | thread | task |
//! |---|---|---|
//! | `writer` | `broadcaster` | commits the messages of a turn before any client gets them, and deletes old ones. No other thread writes messages |
//! | `reader` | `history`, `search` | reads older messages, and searches |
//! | `maintenance` | `maintenance` | fills the search index, which is a separate file, and moves the WAL into the file |
//!
//! Each thread has its own connection to the file. In WAL mode readers and the writer do not wait for
//! each other.

mod clock;
mod config;
mod epoch;
mod file;
mod fingerprint;
mod incomplete_marker;
mod index;
mod inspect;
mod maintenance;
mod names;
mod open;
mod reader;
mod recovery;
mod restore;
mod retention;
mod row;
mod schema;
mod transfer;
mod watcher;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use rusqlite::ErrorCode;

pub use inspect::{Report, RoomStats, Stats, stats, verify};
pub use transfer::{Exported, TransferError, export, import};

pub use config::{Durability, HistoryConfig};

use crate::archive::Worker;
use crate::broadcaster::history::{HistoryQueue, OpenedHistory, READS_MAX, SEARCHES_MAX};
use crate::chat::HistoryLimits;
use file::HistoryFile;
use index::Index;
use restore::Restored;
use writer::Writer;

/// Minimum time for which messages are kept.
const KEEP_MIN: Duration = Duration::from_secs(60 * 60);

/// Returns the configuration with durations that can be added to a clock, or an error if messages
/// would be kept for less than [`KEEP_MIN`].
fn check_config(config: &HistoryConfig) -> Result<HistoryConfig, HistoryError> {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    match config.keep {
        Some(keep) if keep < KEEP_MIN => Err(HistoryError::KeepTooShort(keep)),
        _ => Ok(config.clone().deletion_notice(config.deletion_notice.min(LONGEST))),
    }
}

/// The reason why a history cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Another server has the file open.
    #[error("{} is in use by another server", .0.display())]
    Locked(PathBuf),
    /// The file is a symbolic link, which could lead to any file.
    #[error("{} is a symbolic link, which is not followed", .0.display())]
    SymbolicLink(PathBuf),
    /// The file is something else.
    #[error("{} is no history of chinwag", .0.display())]
    Foreign(PathBuf),
    /// A newer version of chinwag wrote the file.
    #[error("{} was written by a newer chinwag (version {found} of the format; this one knows {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        found: i64,
        /// The newest version of the format that this program knows.
        known: i64,
    },
    /// The file is damaged. It is not changed.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The message of SQLite.
        reason: String,
    },
    /// Messages would be deleted soon after they are sent.
    #[error("messages are kept for at least 1 h, and {} is less", humantime::format_duration(*.0))]
    KeepTooShort(Duration),
    /// The file or its folder cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The failure.
        #[source]
        error: io::Error,
    },
}

impl HistoryError {
    /// Returns the error for this file that an error of SQLite means.
    fn of(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign(path),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(path),
            Some(ErrorCode::DiskFull) => Self::full(path),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if is_full(&path) => {
                Self::full(path)
            }
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => Self::Io { path, error: io::Error::other(error) },
            _ => Self::Damaged { path, reason: error.to_string() },
        }
    }

    fn full(path: PathBuf) -> Self {
        let error = io::Error::new(io::ErrorKind::StorageFull, "the disk is full");
        Self::Io { path, error }
    }
}

/// Returns whether the disk of a file is full, of bytes or of files. SQLite does not always say so.
fn is_full(path: &Path) -> bool {
    rustix::fs::statvfs(path)
        .is_ok_and(|disk| disk.f_bavail == 0 || (disk.f_files > 0 && disk.f_favail == 0))
}

/// An open history, before the server runs.
#[derive(Debug)]
pub(crate) struct History {
    writer: Writer,
    epoch: String,
    restored: Restored,
    file: Arc<HistoryFile>,
    index: Index,
    /// Wakes the maintenance.
    wakeups: Receiver<()>,
}

impl History {
    /// Opens the history, or creates it.
    pub(crate) fn open(
        config: &HistoryConfig,
        limits: HistoryLimits,
    ) -> Result<Self, HistoryError> {
        let config = &check_config(config)?;
        let is_new = std::fs::symlink_metadata(&config.path).is_err();
        let opened = Self::open_checked(config, limits);
        if is_new && matches!(opened, Err(HistoryError::Io { .. })) {
            // The files that were created are of no use.
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(open::sibling(&config.path, suffix));
            }
        }
        opened
    }

    fn open_checked(config: &HistoryConfig, limits: HistoryLimits) -> Result<Self, HistoryError> {
        let file = Arc::new(HistoryFile::open(&config.path)?);
        let (wakeup, wakeups) = bounded(1);
        let (writer, epoch, restored) = Writer::open(file.clone(), config, limits, wakeup)?;
        let index = Index::new(&config.path, &epoch);
        if let Err(error) = index.open() {
            log::warn!("cannot open the search index: {error}");
        }
        Ok(Self { writer, epoch, restored, file, index, wakeups })
    }

    /// Returns the part of the broadcaster, and that of the other threads. A search may take a hundred
    /// times as long as a reading, so searches have a separate thread.
    pub(crate) fn into_parts(self) -> (OpenedHistory, Vec<Worker>) {
        let Self { writer, epoch, restored, file, index, wakeups } = self;
        let Restored { rooms, floor, names } = restored;
        let (to_reader, reads) = bounded(READS_MAX);
        let (to_searcher, searches) = bounded(SEARCHES_MAX);
        let queue = HistoryQueue { reads: to_reader, searches: to_searcher };
        let read = |queries| {
            let (file, index) = (file.clone(), index.clone());
            move || reader::serve(&file, &index, &queries)
        };
        let mut workers =
            vec![Worker::new("history", read(reads)), Worker::new("search", read(searches))];
        // If messages are deleted after some time, they must be removed from the index.
        let deletes_messages = writer.deletes_messages();
        let maintain = move || maintenance::run(&file, &index, &wakeups, deletes_messages);
        workers.push(Worker::new("maintenance", maintain));
        let (writer, can_search) = (Box::new(writer), true);
        let opened = OpenedHistory { epoch, rooms, floor, names, writer, queue, can_search };
        (opened, workers)
    }
}
