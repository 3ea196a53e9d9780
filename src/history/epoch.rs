//! The epoch, which identifies a history to its clients. It changes when the file may lack messages
//! that clients got, so that no client takes the history for the one that it knew.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::config::Durability;
use super::incomplete_marker;
use super::open::{checkpoint, set_journal};

/// Value of `opened_in` when every message is on the disk as soon as it is committed.
const FULL: &str = "full";

/// Opens the history for a run of the server, and returns its epoch. The epoch is a new one if the
/// last run could not write some messages, or if the machine went down before all of them were on
/// the disk.
pub(super) fn begin_run(
    connection: &Connection,
    path: &Path,
    durability: Durability,
    has_wal: bool,
) -> rusqlite::Result<String> {
    set_journal(connection, Durability::Machine)?;
    let opened_in: Option<String> =
        connection.query_row("SELECT opened_in FROM history", [], |it| it.get(0))?;
    let boot = boot_id();
    let is_complete = opened_in.is_none_or(|opened_in| {
        has_wal && (opened_in == FULL || (!boot.is_empty() && opened_in == boot))
    });
    if !is_complete || incomplete_marker::is_set(path) {
        log::warn!(
            "{} may lack the last messages; clients are told so by a new epoch",
            path.display()
        );
        renew(connection)?;
    }
    // This must be on the disk before any message is.
    set_opened(connection, durability)?;
    incomplete_marker::clear(path);
    // If the WAL is removed later, the file itself must say that there was one.
    checkpoint(connection, "PASSIVE")?;
    set_journal(connection, durability)?;
    read(connection)
}

pub(super) fn read(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("SELECT epoch FROM history", [], |it| it.get(0))
}

/// Gives the history a new epoch.
pub(super) fn renew(connection: &Connection) -> rusqlite::Result<()> {
    let update = "UPDATE history SET epoch = lower(hex(randomblob(8)))";
    connection.execute(update, []).map(drop)
}

/// Records that a server has the history open. At the next start this shows that the server did not
/// end in order.
pub(super) fn set_opened(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    let opened_in = match durability {
        Durability::Process => boot_id(),
        Durability::Machine => FULL.to_owned(),
    };
    connection.execute("UPDATE history SET opened_in = ?1", [opened_in]).map(drop)
}

/// Records that the server has closed the history in order.
pub(super) fn set_closed(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE history SET opened_in = NULL", []).map(drop)
}

/// Returns the id of this boot of the machine, or an empty text if it has none.
fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
