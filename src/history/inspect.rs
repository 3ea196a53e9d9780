//! Verifies a history, and counts its content.

use std::path::Path;

use rusqlite::Connection;

use super::open::{open_to_read, sibling};
use super::{HistoryError, row, schema};

/// Maximum number of problems in the result.
const PROBLEMS_MAX: usize = 20;
/// Maximum number of rooms in the result: the largest.
const ROOMS_MAX: usize = 20;

/// The result of [`verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Number of messages that could be read.
    pub messages: u64,
    /// The defects, a sentence each; at most 20. Empty for a sound history.
    pub problems: Vec<String>,
}

/// The result of [`stats`]: the numbers and sizes of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The version of the format.
    pub version: i64,
    /// The id of this history, by which clients recognise it.
    pub epoch: String,
    /// Number of messages.
    pub messages: u64,
    /// Number of rooms.
    pub rooms: u64,
    /// Times of the first and the last message: Unix time (ms).
    pub times: Option<(u64, u64)>,
    /// Size of the file, with the files of SQLite next to it (bytes).
    pub bytes: u64,
    /// Size of the search index (bytes).
    pub index_bytes: u64,
    /// The 20 largest rooms, the largest first.
    pub largest: Vec<RoomStats>,
}

/// The numbers of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomStats {
    /// The name of the room.
    pub room: String,
    /// Number of messages.
    pub messages: u64,
    /// The numbers (`seq`) of the first and the last message.
    pub numbers: (u64, u64),
}

/// Reads all of a history, and returns its defects. A server may have it open.
///
/// # Errors
/// If the history cannot be read at all.
pub fn verify(path: &Path) -> Result<Report, HistoryError> {
    let connection = open_to_read(path)?;
    let mut report = Report { messages: 0, problems: Vec::new() };
    if let Err(error) = read_all(&connection, &mut report) {
        report.problems.push(error.to_string());
    }
    report.problems.truncate(PROBLEMS_MAX);
    Ok(report)
}

fn read_all(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let mut problems = connection.prepare("PRAGMA integrity_check(20)")?;
    let problems = problems.query_map([], |it| it.get::<_, String>(0))?;
    for problem in problems {
        report.problems.extend(Some(problem?).filter(|problem| problem != "ok"));
    }
    let mut messages = connection.prepare(&format!(
        "SELECT {}, r.name, m.number FROM message AS m LEFT JOIN room AS r ON r.id = m.room",
        row::COLUMNS
    ))?;
    let mut rows = messages.query([])?;
    while let Some(it) = rows.next()? {
        match row::room(it, 6).and_then(|room| row::message(room, it)) {
            Ok(_) => report.messages += 1,
            Err(error) if report.problems.len() < PROBLEMS_MAX => {
                let number: i64 = it.get(7)?;
                report.problems.push(format!("message number {number}: {error}"));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Counts the messages of a history, and of its largest rooms. A server may have it open.
///
/// # Errors
/// If the history cannot be read.
pub fn stats(path: &Path) -> Result<Stats, HistoryError> {
    let connection = open_to_read(path)?;
    let version = schema::version_of(&connection, path)?;
    count(&connection, path, version).map_err(|error| HistoryError::of(path, error))
}

fn count(connection: &Connection, path: &Path, version: i64) -> rusqlite::Result<Stats> {
    let size = |suffix| std::fs::metadata(sibling(path, suffix)).map_or(0, |it| it.len());
    let (messages, times) =
        connection.query_row("SELECT count(*), min(time), max(time) FROM message", [], |it| {
            Ok((row::unsigned(it, 0)?, it.get::<_, Option<u64>>(1)?.zip(it.get(2)?)))
        })?;
    let mut rooms = connection.prepare(
        "SELECT r.name, count(*), min(m.seq), max(m.seq)
            FROM message AS m JOIN room AS r ON r.id = m.room
            GROUP BY m.room ORDER BY 2 DESC, 1 LIMIT ?1",
    )?;
    let largest = rooms.query_map([ROOMS_MAX], |it| {
        let numbers = (row::unsigned(it, 2)?, row::unsigned(it, 3)?);
        Ok(RoomStats { room: it.get(0)?, messages: row::unsigned(it, 1)?, numbers })
    })?;
    Ok(Stats {
        version,
        epoch: connection.query_row("SELECT epoch FROM history", [], |it| it.get(0))?,
        messages,
        rooms: connection.query_row("SELECT count(*) FROM room", [], |it| row::unsigned(it, 0))?,
        times,
        bytes: ["", "-wal", "-shm"].into_iter().map(size).sum(),
        index_bytes: ["-search", "-search-wal", "-search-shm"].into_iter().map(size).sum(),
        largest: largest.collect::<Result<_, _>>()?,
    })
}
