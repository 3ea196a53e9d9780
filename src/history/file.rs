//! The file itself: made for its owner alone, never through a symbolic link, locked against a second
//! server, opened by each of those who use it, and watched: whatever others do to it, nothing is
//! written to a file that is not the history any more.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::ops::Deref;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::HistoryError;

/// How long a connection waits for a lock of SQLite's: it is held for a moment at most, unless
/// another program works on the file.
const BUSY: Duration = Duration::from_millis(200);
/// How often the paths are looked at, while something is written.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The log becomes shorter when it begins again and is longer than this (bytes).
pub(super) const SHRINKS_ABOVE: u64 = 1024 * 1024;
/// The length of the first pages of a history, by which it is known again (bytes): the header, which
/// changes with the size, and the table that has the epoch.
const FIRST_PAGES: usize = 4 * 4096;
/// What SQLite and the server keep beside a history.
const BESIDE: [&str; 6] = ["-wal", "-shm", "-search", "-search-wal", "-search-shm", "-incomplete"];

/// A history's file, while it is locked for this process.
#[derive(Debug)]
pub(super) struct HistoryFile {
    path: PathBuf,
    /// Connections that read, while no thread uses them. They are behind a lock, because the writer
    /// has to close them before it opens another file in the place of a lost one.
    idle: Mutex<Vec<Connection>>,
    /// How many connections are in use, beside the writer's.
    lent: AtomicU64,
    /// The file is lost: no connection is made any more until there is another.
    is_lost: AtomicBool,
    /// How often it was lost.
    losses: AtomicU64,
    /// The length that the shared index of the log has at least (bytes). To read behind its end
    /// would end the process.
    shm_len: AtomicU64,
    /// The file as it was left by whatever moved the log into it last. The lock is held during that:
    /// meanwhile the file changes.
    content: Mutex<Content>,
    /// Holds the lock, and is closed after every connection: to close it sooner would let go of
    /// SQLite's own locks, too.
    lock: Mutex<Option<File>>,
}

/// Which file it is on its file system.
type Identity = (u64, u64);

#[derive(Debug, Default, PartialEq)]
struct Content {
    identity: Identity,
    length: u64,
    /// When it was changed last.
    changed: (i64, i64),
    first_pages: Vec<u8>,
}

/// What has become of a file that is not the history any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Loss {
    #[error("the file is gone")]
    Gone,
    #[error("another file is in its place")]
    Replaced,
    #[error("another program has changed the file")]
    Changed,
    #[error("its log was removed")]
    LogGone,
    #[error("its log was cut off")]
    LogCut,
    #[error("the index of its log was removed or cut off")]
    ShmGone,
}

/// The file and the two beside it, as the writer left them.
#[derive(Clone, Copy, Debug, Default)]
struct Restored {
    file: Identity,
    wal: (Identity, u64),
    shm: (Identity, u64),
}

/// Looks whether the file is still the history. It is the writer's own.
#[derive(Debug)]
pub(super) struct Watch {
    paths: [PathBuf; 3],
    left: Restored,
    /// The three files, whatever stands at their paths: to look at these takes a fraction of the time
    /// of a look at the paths. They are opened by `O_PATH`: to close another kind of descriptor
    /// would let go of SQLite's locks.
    open: Option<[File; 3]>,
    /// What the file was like at the last look at the paths, and when the next is due.
    seen: Option<Seen>,
    next_look: Option<Instant>,
}

/// What changes with a file when it is written, renamed, removed or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    length: u64,
    is_linked: bool,
    written: (i128, i128),
    changed: (i128, i128),
}

impl Seen {
    /// Of a file that is open. (What std asks for takes three times as long.)
    fn of(file: &File) -> Option<Self> {
        let is = rustix::fs::fstat(file).ok()?;
        Some(Self {
            length: u64::try_from(is.st_size).unwrap_or(0),
            is_linked: is.st_nlink > 0,
            written: (is.st_mtime.into(), is.st_mtime_nsec.into()),
            changed: (is.st_ctime.into(), is.st_ctime_nsec.into()),
        })
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
}

/// A connection in use.
pub(super) struct Lent<'a> {
    file: &'a HistoryFile,
    connection: Option<Connection>,
    /// It goes back to the idle ones.
    is_to_stay: bool,
}

impl HistoryFile {
    /// Makes the file if there is none, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, HistoryError> {
        // What is beside it is opened by name, too.
        for beside in BESIDE.map(|suffix| beside(path, suffix)) {
            if fs::symlink_metadata(&beside).is_ok_and(|it| it.is_symlink()) {
                return Err(HistoryError::SymbolicLink(beside));
            }
        }
        Ok(Self {
            lock: Mutex::new(Some(open_and_lock(path)?)),
            path: path.to_owned(),
            idle: Mutex::default(),
            lent: AtomicU64::new(0),
            is_lost: AtomicBool::new(false),
            losses: AtomicU64::new(0),
            shm_len: AtomicU64::new(0),
            content: Mutex::default(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A connection for the writer.
    pub(super) fn connect(&self, purpose: Use) -> rusqlite::Result<Connection> {
        connect(&self.path, purpose)
    }

    /// How often the file was lost.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::SeqCst)
    }

    /// A connection for any other thread, for one work. It fails while the file is lost.
    pub(super) fn lend(&self, purpose: Use) -> rusqlite::Result<Lent<'_>> {
        // First it is counted, and then looked whether the file is there: the writer does it the
        // other way round.
        self.lent.fetch_add(1, Ordering::SeqCst);
        let mut lent = Lent { file: self, connection: None, is_to_stay: purpose == Use::Read };
        if !self.is_sound() {
            return Err(lost());
        }
        let idle = if purpose == Use::Read { locked(&self.idle).pop() } else { None };
        lent.connection = Some(idle.map_or_else(|| self.connect(purpose), Ok)?);
        Ok(lent)
    }

    /// Whether it can be read, as far as can be seen from outside.
    pub(super) fn is_sound(&self) -> bool {
        !self.is_lost.load(Ordering::SeqCst)
            && identity_of(&self.path).is_some_and(|is| Some(is) == self.identity())
            && length_of(&beside(&self.path, "-shm")) >= self.shm_len.load(Ordering::SeqCst)
    }

    /// Which file is locked.
    fn identity(&self) -> Option<Identity> {
        let lock = locked(&self.lock);
        lock.as_ref().and_then(|lock| lock.metadata().ok()).map(|it| identity(&it))
    }

    /// Moves the log into the file. `None` if that is being done, or if the file is not the one that
    /// the log belongs to.
    pub(super) fn move_log(
        &self,
        move_log: impl FnOnce() -> rusqlite::Result<()>,
    ) -> Option<rusqlite::Result<()>> {
        let mut content = self.content.try_lock().ok()?;
        if !self.is_sound() || self.has_changed(&mut content) {
            return None;
        }
        let moved = move_log();
        if let Some(is) = self.read_content() {
            *content = is;
        }
        Some(moved)
    }

    /// Whether another program has changed the file. A mere touch is no change.
    fn has_changed(&self, content: &mut Content) -> bool {
        let Ok(is) = fs::symlink_metadata(&self.path) else { return true };
        self.differs(&is, content)
    }

    fn differs(&self, is: &Metadata, content: &mut Content) -> bool {
        let times = (is.mtime(), is.mtime_nsec());
        if (identity(is), is.len()) != (content.identity, content.length) {
            return true;
        }
        if times == content.changed {
            return false;
        }
        let Some(is) = self.read_content() else { return false };
        // Empty: a disk that cannot be read tells nothing.
        let is_same = is.first_pages == content.first_pages || is.first_pages.is_empty();
        if is_same {
            *content = is;
        }
        !is_same
    }

    fn read_content(&self) -> Option<Content> {
        let lock = locked(&self.lock);
        let lock = lock.as_ref()?;
        let is = lock.metadata().ok()?;
        let mut first_pages = vec![0; FIRST_PAGES];
        let read = lock.read_at(&mut first_pages, 0).unwrap_or(0);
        first_pages.truncate(read);
        let changed = (is.mtime(), is.mtime_nsec());
        Some(Content { identity: identity(&is), length: is.len(), changed, first_pages })
    }

    /// No other thread begins to use the file from here on.
    pub(super) fn lose(&self) {
        if !self.is_lost.swap(true, Ordering::SeqCst) {
            self.losses.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Closes the file that is lost, and opens the one that is in its place, or makes one. It fails
    /// while another thread still uses the lost one, and where nothing can be opened.
    pub(super) fn reopen(&self, loss: Loss, watch: &Watch) -> Result<(), HistoryError> {
        locked(&self.idle).drain(..).for_each(close_as_it_is);
        if self.lent.load(Ordering::SeqCst) > 0 {
            return Err(HistoryError::of(&self.path, lost()));
        }
        let [_, wal, shm] = &watch.paths;
        let (ours, theirs) = (watch.left, matches!(loss, Loss::Gone | Loss::Replaced));
        let allows_host =
            |path: &Path, identity: Identity| !theirs || identity_of(path) == Some(identity);
        // What is in them is of the lost file. SQLite would take it for a part of the next.
        if loss != Loss::ShmGone && allows_host(wal, ours.wal.0) {
            remove(wal)?;
        }
        if allows_host(shm, ours.shm.0) {
            remove(shm)?;
        }
        // In this order: a lock of the same file would be in its own way.
        let mut lock = locked(&self.lock);
        *lock = None;
        *lock = Some(open_and_lock(&self.path)?);
        self.shm_len.store(0, Ordering::SeqCst);
        Ok(())
    }

    /// The writer has closed it in order: what SQLite keeps beside it may be gone.
    pub(super) fn is_closed(&self) {
        self.shm_len.store(0, Ordering::SeqCst);
    }

    /// The file that was opened is the history now.
    pub(super) fn is_found(&self, watch: &mut Watch) {
        *locked(&self.content) = self.read_content().unwrap_or_default();
        watch.begin(self);
        self.is_lost.store(false, Ordering::SeqCst);
    }
}

impl Watch {
    pub(super) fn new(file: &HistoryFile) -> Self {
        let paths = ["", "-wal", "-shm"].map(|suffix| beside(file.path(), suffix));
        Self { paths, left: Restored::default(), open: None, seen: None, next_look: None }
    }

    /// Looks whether the file is the history, before something is written to it. The paths are
    /// looked at when something has happened to the files, and once a second.
    pub(super) fn look(&mut self, file: &HistoryFile, now: Instant) -> Result<(), Loss> {
        let seen = self.look_at_open();
        if seen.is_some() && seen == self.seen && self.next_look.is_some_and(|next| now < next) {
            return Ok(());
        }
        self.look_at_paths(file)?;
        (self.seen, self.next_look) = (seen, Some(now + LOOK_EVERY));
        Ok(())
    }

    /// What the file is like, if nothing is wrong with the other two.
    fn look_at_open(&self) -> Option<Seen> {
        let [file, wal, shm] = self.open.as_ref()?;
        let is_whole = |file: &File, left: u64| {
            Seen::of(file).is_some_and(|it| it.is_linked && it.length >= left)
        };
        let is_sound = is_whole(wal, self.left.wal.1) && is_whole(shm, self.left.shm.1);
        Seen::of(file).filter(|_| is_sound)
    }

    fn look_at_paths(&mut self, file: &HistoryFile) -> Result<(), Loss> {
        let [path, wal, shm] = &self.paths;
        let is = fs::symlink_metadata(path).map_err(|_| Loss::Gone)?;
        if identity(&is) != self.left.file {
            return Err(Loss::Replaced);
        }
        if let Ok(mut content) = file.content.try_lock() {
            // Once more, in case that it was just being changed by the maintenance.
            if file.differs(&is, &mut content) && file.has_changed(&mut content) {
                return Err(Loss::Changed);
            }
        }
        let [wal, shm] = [wal, shm].map(|path| identity_and_length_of(path));
        let (is, length) = wal.filter(|(is, _)| *is == self.left.wal.0).ok_or(Loss::LogGone)?;
        if length < self.left.wal.1 {
            return Err(Loss::LogCut);
        }
        self.left.wal = (is, length);
        let left = &mut self.left.shm;
        *left = shm.filter(|is| is.0 == left.0 && is.1 >= left.1).ok_or(Loss::ShmGone)?;
        file.shm_len.store(left.1, Ordering::SeqCst);
        Ok(())
    }

    fn begin(&mut self, file: &HistoryFile) {
        let [_, wal, shm] = &self.paths;
        let [wal, shm] = [wal, shm].map(|it| identity_and_length_of(it).unwrap_or_default());
        self.left = Restored { file: file.identity().unwrap_or_default(), wal, shm };
        file.shm_len.store(shm.1, Ordering::SeqCst);
        let open = |path: &PathBuf| {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).ok().map(File::from)
        };
        let [path, wal, shm] = &self.paths;
        let files = open(path).zip(open(wal)).zip(open(shm));
        self.open = files.map(|((file, wal), shm)| [file, wal, shm]);
        (self.seen, self.next_look) = (None, None);
    }

    /// Remembers how long the log is, after something was written that may have made it shorter.
    pub(super) fn leave(&mut self, is_cut: bool) {
        let Some([_, wal, _]) = &self.open else { return };
        if is_cut || self.left.wal.1 > SHRINKS_ABOVE {
            if let Ok(wal) = wal.metadata() {
                self.left.wal.1 = wal.len();
            }
        }
    }
}

impl Lent<'_> {
    /// Closes it after use, because something is wrong with it.
    pub(super) fn spoil(&mut self) {
        self.is_to_stay = false;
    }
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            if !self.file.is_sound() {
                close_as_it_is(connection);
            } else if self.is_to_stay && !std::thread::panicking() {
                locked(&self.file.idle).push(connection);
            }
        }
        self.file.lent.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Closes a connection without moving the log into the file, which may not be its own any more.
pub(super) fn close_as_it_is(connection: Connection) {
    if connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).is_ok() {
        drop(connection);
    } else {
        // It is open for as long as the process is.
        std::mem::forget(connection);
    }
}

fn lost() -> rusqlite::Error {
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    rusqlite::Error::SqliteFailure(busy, Some("the file is lost".to_owned()))
}

/// Nothing panics while it holds one of these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn identity_of(path: &Path) -> Option<Identity> {
    fs::symlink_metadata(path).ok().map(|it| identity(&it))
}

fn identity_and_length_of(path: &Path) -> Option<(Identity, u64)> {
    fs::symlink_metadata(path).ok().map(|it| (identity(&it), it.len()))
}

fn length_of(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |it| it.len())
}

fn remove(path: &Path) -> Result<(), HistoryError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(HistoryError::Io { path: path.to_owned(), error })
        }
        _ => Ok(()),
    }
}

fn open_and_lock(path: &Path) -> Result<File, HistoryError> {
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
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => Err(HistoryError::Locked(path.to_owned())),
        Err(error) => Err(io(error.into())),
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
