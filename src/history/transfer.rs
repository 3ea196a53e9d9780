//! Exports a history as JSON Lines, one message per line, and imports them.

use std::collections::HashMap;
use std::io::{self, BufRead, Read as _, Write};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::file::HistoryFile;
use super::open::{Access, checkpoint, open_to_read};
use super::row::{find_or_insert_room, insert, last_number};
use super::{HistoryError, row, schema};
use crate::chat::{Message, RoomName};
use crate::store::record;

/// Size of SQLite's cache during an import (KiB).
const IMPORT_CACHE_KIB: i64 = 64 * 1024;
/// Maximum length of a line of an import (bytes).
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Maximum length of a text of an import (bytes).
const TEXT_BYTES_MAX: usize = 8192;
/// Maximum size of the lines that an export reads at once (bytes). The last may be longer.
const PART_BYTES: usize = 256 * 1024;
/// Maximum number of messages that an export reads at once.
const PART_MESSAGES: usize = 1000;
/// How often progress is reported (messages).
const REPORT_EVERY: u64 = 10_000;

/// The reason why an export or an import fails. An import then leaves the history as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The history cannot be used.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The reader or the writer failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line of the import is not a message, or contradicts the history.
    #[error("line {line}: {reason}")]
    Line {
        /// The number of the line, from 1.
        line: u64,
        /// The defect of the line.
        reason: String,
    },
}

/// The result of [`export`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Number of messages that were written.
    pub written: u64,
    /// Number of messages that cannot be read, and were left out.
    pub unreadable: u64,
}

/// Writes every message of a history as a line of JSON, in the order of their arrival. A server may
/// have it open; messages that arrive meanwhile may be included. `progress` is called with the number
/// of messages so far.
///
/// # Errors
/// If the history cannot be read, or the lines cannot be written.
pub fn export(
    path: &Path,
    out: &mut impl Write,
    mut progress: impl FnMut(u64),
) -> Result<Exported, TransferError> {
    let sql = |error| HistoryError::of(path, error);
    let connection = open_to_read(path)?;
    let mut messages = connection
        .prepare(&format!(
            "SELECT {}, r.name, m.number FROM message AS m LEFT JOIN room AS r ON r.id = m.room
                WHERE m.number > ?1 ORDER BY m.number LIMIT ?2",
            row::COLUMNS
        ))
        .map_err(sql)?;
    let (mut exported, mut last, mut part) =
        (Exported { written: 0, unreadable: 0 }, i64::MIN, Vec::new());
    let mut reported = 0;
    loop {
        let before = last;
        {
            let mut rows = messages.query(params![before, PART_MESSAGES]).map_err(sql)?;
            while part.len() < PART_BYTES {
                let Some(it) = rows.next().map_err(sql)? else { break };
                last = it.get(7).map_err(sql)?;
                match row::room(it, 6).and_then(|room| row::message(room, it)) {
                    Ok(message) => {
                        part.extend_from_slice(message.to_json().as_bytes());
                        part.push(b'\n');
                        exported.written += 1;
                    }
                    Err(_) => exported.unreadable += 1,
                }
            }
        }
        if last == before {
            break;
        }
        // No read transaction is open here: it would keep the server from truncating its WAL, and the
        // reader of a pipe may pause for a long time.
        out.write_all(&part)?;
        part.clear();
        if exported.written - reported >= REPORT_EVERY {
            reported = exported.written;
            progress(reported);
        }
    }
    progress(exported.written);
    out.flush()?;
    Ok(exported)
}

/// Adds messages, one line of JSON each, to a history, and creates it if necessary. Messages that the
/// history already has are skipped. Returns the number of messages that were added. `progress` is
/// called with the number of lines so far. No server may have the history open.
///
/// # Errors
/// If the history cannot be written, or if a line is not a message or contradicts the history. No
/// message is added then.
pub fn import(
    path: &Path,
    lines: &mut impl BufRead,
    mut progress: impl FnMut(u64),
) -> Result<u64, TransferError> {
    let sql = |error| TransferError::from(HistoryError::of(path, error));
    let file = HistoryFile::open(path)?;
    let mut connection = file.connect(Access::Write).map_err(sql)?;
    schema::prepare(&mut connection, path)?;
    connection.pragma_update(None, "journal_mode", "wal").map_err(sql)?;
    connection.pragma_update(None, "cache_size", -IMPORT_CACHE_KIB).map_err(sql)?;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    let mut room_ids = HashMap::new();
    let mut number = last_number(&transaction).map_err(sql)?;
    let (mut bytes, mut line, mut added) = (Vec::new(), 0, 0);
    loop {
        line += 1;
        bytes.clear();
        // One byte more shows that a line is too long.
        let bytes_max = u64::try_from(LINE_BYTES_MAX + 1).unwrap_or(u64::MAX);
        if lines.by_ref().take(bytes_max).read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let wrong = |reason| TransferError::Line { line, reason };
        let text = text_of(&bytes, line == 1).map_err(wrong)?;
        if text.trim().is_empty() {
            continue;
        }
        let message = record::parse(text, TEXT_BYTES_MAX).map_err(wrong)?;
        match find(&transaction, &mut room_ids, &message).map_err(sql)? {
            Some(found) if found == message => {}
            Some(_) => {
                let Message { room, seq, .. } = &message;
                let reason = format!("the history has another message {seq} of {room}");
                return Err(TransferError::Line { line, reason });
            }
            None => {
                insert(&transaction, &mut room_ids, &[message.into()], &mut number).map_err(sql)?;
                added += 1;
            }
        }
        if line % REPORT_EVERY == 0 {
            progress(line);
        }
    }
    transaction.commit().map_err(sql)?;
    checkpoint(&connection, "TRUNCATE").map_err(sql)?;
    Ok(added)
}

/// Returns the message of the history with the room and the number of this one.
fn find(
    connection: &Connection,
    room_ids: &mut HashMap<RoomName, i64>,
    message: &Message,
) -> rusqlite::Result<Option<Message>> {
    let room = find_or_insert_room(connection, room_ids, &message.room)?;
    let mut find = connection.prepare_cached(&format!(
        "SELECT {} FROM message AS m WHERE room = ?1 AND seq = ?2",
        row::COLUMNS
    ))?;
    let read = |it: &rusqlite::Row<'_>| row::message(message.room.clone(), it);
    let found = find.query_row(params![room, message.seq], read).optional()?;
    Ok(found.map(|found| found.as_ref().clone()))
}

/// Decodes a line. Some editors put a byte order mark before the first.
fn text_of(line: &[u8], is_first: bool) -> Result<&str, String> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let line = line.strip_prefix(MARK).filter(|_| is_first).unwrap_or(line);
    if is_first && is_utf_16(line) {
        return Err("this is UTF-16, and UTF-8 is needed: save it as UTF-8, or convert it with \
                    iconv -f UTF-16 -t UTF-8"
            .to_owned());
    }
    if line.len() > LINE_BYTES_MAX && !line.ends_with(b"\n") {
        return Err("line is longer than 1 MiB".to_owned());
    }
    std::str::from_utf8(line)
        .map_err(|error| format!("not UTF-8, at byte {}", error.valid_up_to() + 1))
}

/// Returns whether the first line is UTF-16: it has a byte order mark, or zeros next to ASCII
/// characters. JSON has no zeros.
fn is_utf_16(line: &[u8]) -> bool {
    let has_mark = line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff");
    has_mark || line.iter().take(2).any(|byte| *byte == 0)
}
