//! The locked file of a history, its connections and its checkpoints.
//!
//! Once the file is lost (removed, replaced or changed by another program), it hands out no
//! connection until the writer has opened the file that is now at its path.

use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::HistoryError;
use super::fingerprint::{FileId, Fingerprint, id, id_and_length};
use super::open::{Access, close_without_checkpoint, connect, open_locked, sibling};

/// Suffixes of the files that SQLite and the server keep next to a history.
const SIBLINGS: [&str; 6] =
    ["-wal", "-shm", "-search", "-search-wal", "-search-shm", "-incomplete"];

/// The file of a history, locked for this process.
#[derive(Debug)]
pub(super) struct HistoryFile {
    path: PathBuf,
    /// Unused connections of readers. They need a lock, because the writer has to close those of
    /// other threads before it opens another file in the place of a lost one.
    idle: Mutex<Vec<Connection>>,
    /// Number of connections in use, without the writer's own.
    in_use: AtomicU64,
    /// The file is lost: no connection is opened until another file is.
    is_lost: AtomicBool,
    /// How often the file was lost.
    losses: AtomicU64,
    /// Minimum length of the `-shm` file (bytes), which SQLite maps. A read behind its end would
    /// kill the process.
    shm_length: AtomicU64,
    /// The file after the last checkpoint. The lock is held during a checkpoint, because the file
    /// changes meanwhile.
    fingerprint: Mutex<Fingerprint>,
    /// Holds the lock. It is the last field, so that it is closed after every connection: closing
    /// any descriptor of a file releases the locks of SQLite on it.
    lock: Mutex<Option<File>>,
}

/// A connection of a thread other than the writer. Returns to the pool of its file when dropped.
pub(super) struct PooledConnection<'a> {
    file: &'a HistoryFile,
    /// `None` only while it is opened, and when it is dropped.
    connection: Option<Connection>,
    is_reusable: bool,
}

impl HistoryFile {
    /// Locks the file, and creates it if it does not exist.
    pub(super) fn open(path: &Path) -> Result<Self, HistoryError> {
        for sibling in SIBLINGS.map(|suffix| sibling(path, suffix)) {
            if fs::symlink_metadata(&sibling).is_ok_and(|it| it.is_symlink()) {
                return Err(HistoryError::SymbolicLink(sibling));
            }
        }
        Ok(Self {
            lock: Mutex::new(Some(open_locked(path)?)),
            path: path.to_owned(),
            idle: Mutex::default(),
            in_use: AtomicU64::new(0),
            is_lost: AtomicBool::new(false),
            losses: AtomicU64::new(0),
            shm_length: AtomicU64::new(0),
            fingerprint: Mutex::default(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the connection of the writer.
    pub(super) fn connect(&self, access: Access) -> rusqlite::Result<Connection> {
        connect(&self.path, access)
    }

    /// Returns how often the file was lost.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::SeqCst)
    }

    /// Returns a connection for one task of a thread other than the writer. Fails while the file is
    /// lost.
    pub(super) fn acquire(&self, access: Access) -> rusqlite::Result<PooledConnection<'_>> {
        // This counts the connection and then checks the file; the writer marks the file as lost
        // and then checks the count. So at least one of the two sees the other.
        self.in_use.fetch_add(1, Ordering::SeqCst);
        let is_reusable = access == Access::Read;
        let mut pooled = PooledConnection { file: self, connection: None, is_reusable };
        if !self.is_intact() {
            return Err(lost());
        }
        let idle = if access == Access::Read { locked(&self.idle).pop() } else { None };
        pooled.connection = Some(idle.map_or_else(|| self.connect(access), Ok)?);
        Ok(pooled)
    }

    /// Returns whether the locked file is still at its path and safe to read. Checks only metadata.
    pub(super) fn is_intact(&self) -> bool {
        let is_at_path = || id_and_length(&self.path).is_some_and(|(id, _)| Some(id) == self.id());
        let shm_length = || id_and_length(&sibling(&self.path, "-shm")).map_or(0, |(_, it)| it);
        !self.is_lost.load(Ordering::SeqCst)
            && is_at_path()
            && shm_length() >= self.shm_length.load(Ordering::SeqCst)
    }

    /// Returns the id of the locked file.
    pub(super) fn id(&self) -> Option<FileId> {
        let lock = locked(&self.lock);
        lock.as_ref().and_then(|lock| lock.metadata().ok()).map(|metadata| id(&metadata))
    }

    /// Runs `checkpoint`, which moves the WAL into the file. Returns `None` without running it if
    /// another thread is doing so, or if the WAL may belong to another file.
    pub(super) fn checkpoint(
        &self,
        checkpoint: impl FnOnce() -> rusqlite::Result<()>,
    ) -> Option<rusqlite::Result<()>> {
        let mut fingerprint = self.fingerprint.try_lock().ok()?;
        if !self.is_intact() || self.differs(&mut fingerprint) {
            return None;
        }
        let result = checkpoint();
        if let Some(now) = self.read_fingerprint() {
            *fingerprint = now;
        }
        Some(result)
    }

    /// Returns whether another program has changed the file. During a checkpoint this is unknown, and
    /// the result is false.
    pub(super) fn has_changed(&self) -> bool {
        self.fingerprint.try_lock().is_ok_and(|mut fingerprint| self.differs(&mut fingerprint))
    }

    fn differs(&self, fingerprint: &mut Fingerprint) -> bool {
        let Ok(metadata) = fs::symlink_metadata(&self.path) else { return true };
        fingerprint.has_changed(&metadata, || self.read_fingerprint())
    }

    fn read_fingerprint(&self) -> Option<Fingerprint> {
        locked(&self.lock).as_ref().and_then(Fingerprint::of)
    }

    /// Marks the file as lost, so that no other thread gets a connection.
    pub(super) fn set_lost(&self) {
        if !self.is_lost.swap(true, Ordering::SeqCst) {
            self.losses.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Marks the file as the history, from which other threads may read.
    pub(super) fn set_found(&self) {
        *locked(&self.fingerprint) = self.read_fingerprint().unwrap_or_default();
        self.is_lost.store(false, Ordering::SeqCst);
    }

    /// Sets the minimum length of the `-shm` file (bytes). With 0 it may be missing.
    pub(super) fn set_shm_length(&self, length: u64) {
        self.shm_length.store(length, Ordering::SeqCst);
    }

    /// Closes the unused connections to a lost file. Fails while another connection is in use.
    pub(super) fn close_connections(&self) -> Result<(), HistoryError> {
        locked(&self.idle).drain(..).for_each(close_without_checkpoint);
        if self.in_use.load(Ordering::SeqCst) > 0 {
            return Err(HistoryError::of(&self.path, lost()));
        }
        Ok(())
    }

    /// Unlocks a lost file, and locks the file that is now at its path, or creates one.
    pub(super) fn lock_again(&self) -> Result<(), HistoryError> {
        let mut lock = locked(&self.lock);
        // If it is the same file, its own lock would be in the way.
        *lock = None;
        *lock = Some(open_locked(&self.path)?);
        self.set_shm_length(0);
        Ok(())
    }
}

impl PooledConnection<'_> {
    /// Closes the connection after use, because it has failed.
    pub(super) fn discard(&mut self) {
        self.is_reusable = false;
    }
}

impl Deref for PooledConnection<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("only `drop` takes it")
    }
}

impl Drop for PooledConnection<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            if !self.file.is_intact() {
                close_without_checkpoint(connection);
            } else if self.is_reusable && !std::thread::panicking() {
                locked(&self.file.idle).push(connection);
            }
        }
        self.file.in_use.fetch_sub(1, Ordering::SeqCst);
    }
}

fn lost() -> rusqlite::Error {
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    rusqlite::Error::SqliteFailure(busy, Some("the file is lost".to_owned()))
}

/// Locks a mutex of the file. No thread panics while it holds one.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
