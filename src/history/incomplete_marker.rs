//! The marker file `FILE-incomplete`, which is empty. It exists while the history may lack messages
//! that clients got. The next server finds it if this one ends before it can write them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::config::Durability;
use super::open::{open_private, sibling};

/// Returns whether the marker exists. If this cannot be read, it may exist.
pub(super) fn is_set(history: &Path) -> bool {
    path(history).try_exists().unwrap_or(true)
}

/// Creates the marker if it does not exist. It is as durable as the messages of the history.
pub(super) fn set(history: &Path, durability: Durability) -> io::Result<()> {
    let marker = open_private(&path(history))?;
    if durability == Durability::Machine {
        marker.sync_all()?;
        let folder = history.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Removes the marker. If that fails, the next server changes the epoch without need.
pub(super) fn clear(history: &Path) {
    let _ = fs::remove_file(path(history));
}

fn path(history: &Path) -> PathBuf {
    sibling(history, "-incomplete")
}
