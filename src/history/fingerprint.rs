//! Recognises a file, in order to notice that another program has replaced or changed it.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

/// Length of the beginning of a file by which a history is recognised (bytes): the header, which
/// changes with the size, and the table that contains the epoch.
const FIRST_PAGES: usize = 4 * 4096;

/// Device and inode of a file.
pub(super) type FileId = (u64, u64);

/// The state of a file after its last checkpoint.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fingerprint {
    id: FileId,
    length: u64,
    /// Seconds and nanoseconds of Unix time.
    modified: (i64, i64),
    /// Empty if the disk could not be read.
    first_pages: Vec<u8>,
}

impl Fingerprint {
    /// Reads the fingerprint of an open file.
    pub(super) fn of(file: &File) -> Option<Self> {
        let metadata = file.metadata().ok()?;
        let mut first_pages = vec![0; FIRST_PAGES];
        let length = file.read_at(&mut first_pages, 0).unwrap_or(0);
        first_pages.truncate(length);
        Some(Self {
            id: id(&metadata),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            first_pages,
        })
    }

    /// Returns whether another program has changed the file. `metadata` is that of its path, and
    /// `read` reads its present fingerprint. A `touch` changes nothing and is remembered.
    pub(super) fn has_changed(
        &mut self,
        metadata: &Metadata,
        read: impl FnOnce() -> Option<Self>,
    ) -> bool {
        if (id(metadata), metadata.len()) != (self.id, self.length) {
            return true;
        }
        if (metadata.mtime(), metadata.mtime_nsec()) == self.modified {
            return false;
        }
        let Some(now) = read() else { return false };
        let is_same = now.first_pages == self.first_pages || now.first_pages.is_empty();
        if is_same {
            *self = now;
        }
        !is_same
    }
}

/// Returns the id of a file from its metadata.
pub(super) fn id(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// Returns the id and the length of the file at a path (bytes).
pub(super) fn id_and_length(path: &Path) -> Option<(FileId, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (id(&metadata), metadata.len()))
}
