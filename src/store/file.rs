//! The file itself: made for its owner alone, never through a symbolic link, locked against a second
//! server, and opened by each of those who use it.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::HistoryError;

/// For so long somebody waits for a lock of SQLite's: it is held for a moment at most, unless
/// somebody else works on the file.
const BUSY: Duration = Duration::from_millis(200);

/// A history's file, while it is locked for this process.
#[derive(Debug)]
pub(super) struct HistoryFile {
    path: PathBuf,
    /// Holds the lock, and is closed after every connection: to close it sooner would let go of
    /// SQLite's own locks, too.
    _lock: File,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
}

impl HistoryFile {
    /// Makes the file if there is none, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, HistoryError> {
        let io = |error| HistoryError::Io { path: path.to_owned(), error };
        let lock = open_private(path).map_err(|error| match error {
            Errno::LOOP => HistoryError::SymbolicLink(path.to_owned()),
            error => io(error.into()),
        })?;
        let metadata = lock.metadata().map_err(io)?;
        // SQLite takes a file of one byte for an empty one.
        if !metadata.is_file() || metadata.len() == 1 {
            return Err(HistoryError::Foreign(path.to_owned()));
        }
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(Errno::WOULDBLOCK) => Err(HistoryError::Locked(path.to_owned())),
            Err(error) => Err(io(error.into())),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn connect(&self, purpose: Use) -> rusqlite::Result<Connection> {
        connect(&self.path, purpose)
    }
}

/// Opens a file for its owner alone, and makes it if there is none.
pub(super) fn open_private(path: &Path) -> rustix::io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// A connection to a file that is there.
pub(super) fn connect(path: &Path, purpose: Use) -> rusqlite::Result<Connection> {
    // Each connection is one thread's own. One that only reads may be the last to close, and has to
    // clear away what SQLite keeps beside the file; what is write-protected is opened all the same.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(canonical(path), flags)?;
    connection.busy_timeout(BUSY)?;
    // Whoever made the file may have put anything into its schema.
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = OFF; PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0;",
    )?;
    // Readers have the file in the cache of the machine; small machines are to have room for more.
    let cache_kib = if purpose == Use::Read { 512 } else { 1024 };
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "query_only", purpose == Use::Read)?;
    Ok(connection)
}

/// SQLite refuses a symbolic link anywhere in the path. In the folders before the file they are the
/// administrator's.
fn canonical(path: &Path) -> PathBuf {
    let (folder, name) = (path.parent(), path.file_name());
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), name) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// The path of a file that stands beside this one.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
