//! The history on disk: everything that is said, in SQLite.
//!
//! | part | thread | does |
//! |---|---|---|
//! | [`Writer`] | `broadcaster` | commits what a turn brought before anybody is sent it; the only one to write the file |
//! | [`reader`] | `history`, `search` | reads back, and searches |
//! | [`maintenance`] | `maintenance` | fills the search index, a file of its own that can be made anew at any time, and moves what was written from the log into the file |
//!
//! A connection each to one file in WAL mode: readers and the writer do not wait for each other.

mod clock;
mod file;
mod incomplete_marker;
mod index;
mod inspect;
mod maintenance;
mod names;
mod reader;
mod restore;
mod retention;
mod row;
mod schema;
mod transfer;
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

pub use crate::config::{Durability, HistoryConfig};

use crate::broadcaster::history::{
    HistoryQuery, HistoryQueue, OpenedHistory, READINGS_MAX, SEARCHES_MAX,
};
use crate::chat::HistoryLimits;
use file::HistoryFile;
use index::Index;
use restore::Restored;
use writer::Writer;

/// Returns the configuration with durations that a clock can add.
fn checked(config: &HistoryConfig) -> Result<HistoryConfig, HistoryError> {
    /// The shortest time for which messages may be kept.
    const KEEP_MIN: Duration = Duration::from_secs(60 * 60);
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    match config.keep {
        Some(keep) if keep < KEEP_MIN => Err(HistoryError::KeepTooShort(keep)),
        _ => Ok(config.clone().deletion_notice(config.deletion_notice.min(LONGEST))),
    }
}

/// Why a history cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Another server has it open.
    #[error("{} is in use by another server", .0.display())]
    Locked(PathBuf),
    /// It would be written to wherever somebody else says.
    #[error("{} is a symbolic link, which is not followed", .0.display())]
    SymbolicLink(PathBuf),
    /// It is something else.
    #[error("{} is no history of chinwag", .0.display())]
    Foreign(PathBuf),
    /// A newer chinwag wrote it.
    #[error("{} was written by a newer chinwag (version {found} of the format; this one knows {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// It cannot be read as what it is. It is left as it is.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// Messages would be deleted nearly as soon as they are said.
    #[error("messages are kept for at least 1 h, and {} is less", humantime::format_duration(*.0))]
    KeepTooShort(Duration),
    /// The file, or its folder, cannot be used.
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
}

impl HistoryError {
    fn full(path: PathBuf) -> Self {
        let error = io::Error::new(io::ErrorKind::StorageFull, "the disk is full");
        Self::Io { path, error }
    }
}

/// Whether the disk of a file has no room left, for bytes or for files. SQLite does not always know why a call failed.
fn is_full(path: &Path) -> bool {
    rustix::fs::statvfs(path)
        .is_ok_and(|disk| disk.f_bavail == 0 || (disk.f_files > 0 && disk.f_favail == 0))
}

/// A history that is open, before the server runs.
#[derive(Debug)]
pub(crate) struct Store {
    writer: Writer,
    epoch: String,
    left: Restored,
    file: Arc<HistoryFile>,
    index: Index,
    bell: Receiver<()>,
}

/// What is done beside the broadcaster.
#[derive(Debug)]
pub(crate) struct HistoryWorkers {
    file: Arc<HistoryFile>,
    index: Index,
    readings: Receiver<Box<HistoryQuery>>,
    searches: Receiver<Box<HistoryQuery>>,
    bell: Receiver<()>,
    /// Messages are deleted, and have to go out of the index.
    deletes: bool,
}

impl Store {
    /// Opens the history, or makes it.
    pub(crate) fn open(
        config: &HistoryConfig,
        limits: HistoryLimits,
    ) -> Result<Self, HistoryError> {
        let config = &checked(config)?;
        let is_new = std::fs::symlink_metadata(&config.path).is_err();
        let opened = Self::open_checked(config, limits);
        if is_new && matches!(opened, Err(HistoryError::Io { .. })) {
            // Nothing was there before, and what is there now is of no use.
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(file::beside(&config.path, suffix));
            }
        }
        opened
    }

    fn open_checked(config: &HistoryConfig, limits: HistoryLimits) -> Result<Self, HistoryError> {
        let file = Arc::new(HistoryFile::open(&config.path)?);
        let (ring, bell) = bounded(1);
        let (writer, epoch, left) = Writer::open(file.clone(), config, limits, ring)?;
        let index = Index::at(&config.path, &epoch);
        if let Err(error) = index.open() {
            log::warn!("there will be no search: {error}");
        }
        Ok(Self { writer, epoch, left, file, index, bell })
    }

    /// The broadcaster's share, and the rest.
    pub(crate) fn into_parts(self) -> (OpenedHistory, HistoryWorkers) {
        let Self { writer, epoch, left, file, index, bell } = self;
        let Restored { rooms, floor, names } = left;
        let (to_reader, readings) = bounded(READINGS_MAX);
        let (to_searcher, searches) = bounded(SEARCHES_MAX);
        let queue = HistoryQueue { readings: to_reader, searches: to_searcher };
        let deletes = writer.deletes();
        let opened = OpenedHistory { epoch, rooms, floor, names, writer: Box::new(writer), queue };
        (opened, HistoryWorkers { file, index, readings, searches, bell, deletes })
    }
}

impl HistoryWorkers {
    /// Answers readings, until the broadcaster has ended.
    pub(crate) fn read(&self) {
        reader::serve(&self.file, &self.index, &self.readings);
    }

    /// Answers searches, until the broadcaster has ended. A search may take a hundred times as long
    /// as a reading, so it has a thread of its own.
    pub(crate) fn search(&self) {
        reader::serve(&self.file, &self.index, &self.searches);
    }

    /// Keeps the house, until the broadcaster has ended.
    pub(crate) fn run_maintenance(&self) {
        maintenance::run_maintenance(&self.file, &self.index, &self.bell, self.deletes);
    }
}
