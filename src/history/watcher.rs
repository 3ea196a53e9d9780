//! Checks before each write that the files are still those of the history, so that nothing is
//! written to any other file.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::HistoryError;
use super::file::HistoryFile;
use super::fingerprint::{FileId, id, id_and_length};
use super::open::{WAL_BYTES, sibling};

/// How often the paths of the files are checked while messages are written.
const CHECK_PATHS_EVERY: Duration = Duration::from_secs(1);

/// How a file was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Loss {
    #[error("the file is gone")]
    Gone,
    #[error("another file is in its place")]
    Replaced,
    #[error("another program has changed the file")]
    Changed,
    #[error("its -wal file was removed")]
    WalGone,
    #[error("its -wal file was truncated")]
    WalTruncated,
    #[error("its -shm file was removed or truncated")]
    ShmGone,
}

/// Watches the file of a history, its WAL and its `-shm` file, for the writer.
#[derive(Debug)]
pub(super) struct FileWatcher {
    /// The paths of the three files.
    paths: [PathBuf; 3],
    expected: Expected,
    /// The three files. Their state takes a fraction of the time that their paths take. They are
    /// opened with `O_PATH`: closing any other descriptor would release the locks of SQLite.
    open: Option<[File; 3]>,
    /// The state of the file when the paths were last checked.
    checked: Option<FileState>,
    next_check: Option<Instant>,
}

/// The three files as the writer left them. Lengths are minimums (bytes).
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    file: FileId,
    wal: (FileId, u64),
    shm: (FileId, u64),
}

/// The metadata that change when a file is written, renamed, removed or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileState {
    length: u64,
    is_linked: bool,
    /// Seconds and nanoseconds of Unix time, like `changed`.
    modified: (i128, i128),
    changed: (i128, i128),
}

impl FileState {
    /// Returns the state of an open file. (`File::metadata` takes three times as long.)
    fn of(file: &File) -> Option<Self> {
        let stat = rustix::fs::fstat(file).ok()?;
        Some(Self {
            length: u64::try_from(stat.st_size).unwrap_or(0),
            is_linked: stat.st_nlink > 0,
            modified: (stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed: (stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        })
    }
}

impl FileWatcher {
    pub(super) fn new(file: &HistoryFile) -> Self {
        let paths = ["", "-wal", "-shm"].map(|suffix| sibling(file.path(), suffix));
        let expected = Expected::default();
        Self { paths, expected, open: None, checked: None, next_check: None }
    }

    /// Starts to watch the present files, which are the history from now on.
    pub(super) fn start(&mut self, file: &HistoryFile) {
        let [path, wal, shm] = &self.paths;
        let [wal_found, shm_found] = [wal, shm].map(|it| id_and_length(it).unwrap_or_default());
        let file_id = file.id().unwrap_or_default();
        self.expected = Expected { file: file_id, wal: wal_found, shm: shm_found };
        file.set_shm_length(shm_found.1);
        let open = |path: &PathBuf| {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).ok().map(File::from)
        };
        let files = open(path).zip(open(wal)).zip(open(shm));
        self.open = files.map(|((file, wal), shm)| [file, wal, shm]);
        (self.checked, self.next_check) = (None, None);
        file.set_found();
    }

    /// Checks that the files are those of the history, before anything is written. The paths are
    /// checked once a second, and when the state of a file has changed.
    pub(super) fn check(&mut self, file: &HistoryFile, now: Instant) -> Result<(), Loss> {
        let state = self.state();
        let is_due = self.next_check.is_none_or(|next| now >= next);
        if state.is_some() && state == self.checked && !is_due {
            return Ok(());
        }
        self.check_paths(file)?;
        (self.checked, self.next_check) = (state, Some(now + CHECK_PATHS_EVERY));
        Ok(())
    }

    /// Returns the state of the file, or `None` if one of the three needs a closer check.
    fn state(&self) -> Option<FileState> {
        let [file, wal, shm] = self.open.as_ref()?;
        let is_intact = |file: &File, length: u64| {
            FileState::of(file).is_some_and(|it| it.is_linked && it.length >= length)
        };
        let is_intact = is_intact(wal, self.expected.wal.1) && is_intact(shm, self.expected.shm.1);
        FileState::of(file).filter(|_| is_intact)
    }

    fn check_paths(&mut self, file: &HistoryFile) -> Result<(), Loss> {
        let [path, wal, shm] = &self.paths;
        let metadata = fs::symlink_metadata(path).map_err(|_| Loss::Gone)?;
        if id(&metadata) != self.expected.file {
            return Err(Loss::Replaced);
        }
        if file.has_changed() {
            return Err(Loss::Changed);
        }
        let [wal, shm] = [wal, shm].map(|path| id_and_length(path));
        let expected = &mut self.expected;
        let (wal_id, length) = wal.filter(|(id, _)| *id == expected.wal.0).ok_or(Loss::WalGone)?;
        if length < expected.wal.1 {
            return Err(Loss::WalTruncated);
        }
        expected.wal = (wal_id, length);
        let is_expected = |shm: &(FileId, u64)| shm.0 == expected.shm.0 && shm.1 >= expected.shm.1;
        expected.shm = shm.filter(is_expected).ok_or(Loss::ShmGone)?;
        file.set_shm_length(expected.shm.1);
        Ok(())
    }

    /// Remembers the length of the WAL, after a write that may have truncated it. `is_truncated` means
    /// that it may have done so at any length.
    pub(super) fn expect_wal(&mut self, is_truncated: bool) {
        let Some([_, wal, _]) = &self.open else { return };
        if is_truncated || self.expected.wal.1 > WAL_BYTES {
            if let Ok(wal) = wal.metadata() {
                self.expected.wal.1 = wal.len();
            }
        }
    }

    /// Opens and locks the file that is now at the path of a lost one, or creates it. Fails while
    /// another thread still uses the lost file.
    pub(super) fn reopen(&self, file: &HistoryFile, loss: Loss) -> Result<(), HistoryError> {
        file.close_connections()?;
        self.remove_leftovers(loss)?;
        file.lock_again()
    }

    /// Removes the WAL and the `-shm` file of the lost file, which SQLite would apply to the next file.
    /// If they belong to that one, they stay.
    fn remove_leftovers(&self, loss: Loss) -> Result<(), HistoryError> {
        let [_, wal, shm] = &self.paths;
        let may_be_new = matches!(loss, Loss::Gone | Loss::Replaced);
        let is_leftover = |path: &Path, expected: FileId| {
            !may_be_new || id_and_length(path).is_some_and(|(id, _)| id == expected)
        };
        if loss != Loss::ShmGone && is_leftover(wal, self.expected.wal.0) {
            remove(wal)?;
        }
        if is_leftover(shm, self.expected.shm.0) {
            remove(shm)?;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<(), HistoryError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(HistoryError::Io { path: path.to_owned(), error })
        }
        _ => Ok(()),
    }
}
