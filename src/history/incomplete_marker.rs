//! The incomplete_marker beside a history that does not have everything that was said: an empty file. Whoever
//! takes the history up and finds it knows that the last server ended before it could write again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::file::{beside, open_private};
use crate::config::Durability;

/// Whether it is set, or may be.
pub(super) fn is_set(history: &Path) -> bool {
    path(history).try_exists().unwrap_or(true)
}

/// Sets the incomplete_marker, also if it is set. It outlives what the history does.
pub(super) fn set(history: &Path, durability: Durability) -> io::Result<()> {
    let incomplete_marker = open_private(&path(history))?;
    if durability == Durability::Machine {
        incomplete_marker.sync_all()?;
        let folder = history.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// What is left of it is found by the next server, which is then careful without need.
pub(super) fn clear(history: &Path) {
    let _ = fs::remove_file(path(history));
}

fn path(history: &Path) -> PathBuf {
    beside(history, "-incomplete")
}
