//! Opens files and connections of SQLite: for the owner alone, and never through a symbolic link.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::config::Durability;
use super::{HistoryError, schema};

/// How long a connection waits for a lock of SQLite. A lock is held only for a moment, unless
/// another program works on the file.
const BUSY_TIMEOUT: Duration = Duration::from_millis(200);
/// Length to which SQLite truncates a longer WAL when it starts it from the beginning (bytes).
pub(super) const WAL_BYTES: u64 = 1024 * 1024;

/// The purpose of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Opens a file that only its owner may read and write, and creates it if it does not exist.
pub(super) fn open_private(path: &Path) -> rustix::io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// Opens a history, or creates an empty file, and locks it against other servers.
pub(super) fn open_locked(path: &Path) -> Result<File, HistoryError> {
    let io = |error| HistoryError::Io { path: path.to_owned(), error };
    let file = open_private(path).map_err(|error| match error {
        Errno::LOOP => HistoryError::SymbolicLink(path.to_owned()),
        error => io(error.into()),
    })?;
    let metadata = file.metadata().map_err(io)?;
    // SQLite treats a file of one byte as empty, and would overwrite it.
    if !metadata.is_file() || metadata.len() == 1 {
        return Err(HistoryError::Foreign(path.to_owned()));
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(HistoryError::Locked(path.to_owned())),
        Err(error) => Err(io(error.into())),
    }
}

/// Opens a connection to an existing file.
pub(super) fn connect(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    // Each connection belongs to one thread. A reader may be the last to close, and must then be
    // able to remove the files that SQLite keeps next to this one. SQLite opens a read-only file
    // with these flags, too.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(canonical(path), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // The schema is not trusted: the file may come from another program.
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = OFF; PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0;",
    )?;
    // The kernel caches the file for readers, so a small cache saves memory on small machines.
    let cache_kib = if access == Access::Read { 512 } else { 1024 };
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "query_only", access == Access::Read)?;
    Ok(connection)
}

/// Opens a connection for reading an existing history. A server may have it open.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, HistoryError> {
    let sql = |error| HistoryError::of(path, error);
    if let Err(error) = fs::metadata(path) {
        return Err(HistoryError::Io { path: path.to_owned(), error });
    }
    // The next server looks for the WAL of one that was killed, so it must stay.
    let has_wal = wal_length(path) > 0;
    let connection = connect(path, Access::Read).map_err(sql)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_wal).map_err(sql)?;
    match schema::version_of(&connection, path)? {
        0 => Err(HistoryError::Foreign(path.to_owned())),
        _ => Ok(connection),
    }
}

/// Sets the journal of the writer's connection.
pub(super) fn set_journal(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Machine => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}

/// Moves the WAL into the file. `mode` is one of SQLite's: `PASSIVE` waits for no reader, `TRUNCATE`
/// also truncates the WAL.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

/// Closes a connection without a checkpoint, because its WAL may belong to another file.
pub(super) fn close_without_checkpoint(connection: Connection) {
    if connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).is_ok() {
        drop(connection);
    } else {
        // A leaked connection does no harm, unlike a checkpoint into another file.
        std::mem::forget(connection);
    }
}

/// Resolves symbolic links in the folder of a file. SQLite would refuse them, but the administrator
/// may use them.
fn canonical(path: &Path) -> PathBuf {
    let (folder, name) = (path.parent(), path.file_name());
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), name) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Returns the length of the WAL of a file, or 0 if there is none (bytes).
pub(super) fn wal_length(path: &Path) -> u64 {
    fs::metadata(sibling(path, "-wal")).map_or(0, |it| it.len())
}

/// Returns the path of a file next to this one, whose name has this suffix.
pub(super) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
