//! After a failure, writes the messages that memory holds and the file lacks.

use std::collections::HashMap;

use rusqlite::{Transaction, params};

use super::row::{ROWS_MAX, find_or_insert_room, insert, unsigned};
use crate::chat::{Chat, RoomName};

/// The result of [`write_missing`].
#[derive(Debug)]
pub(super) struct Recovery {
    /// The file has every message of the rooms in memory that clients got.
    pub(super) is_complete: bool,
    /// Number of rooms in memory that have messages.
    pub(super) rooms: usize,
}

/// Writes the messages that `chat` holds and the file lacks. Messages that were deleted from the file
/// are not written again.
pub(super) fn write_missing(
    transaction: &Transaction<'_>,
    room_ids: &mut HashMap<RoomName, i64>,
    chat: &Chat,
    last_number: &mut i64,
) -> rusqlite::Result<Recovery> {
    let mut recovery = Recovery { is_complete: true, rooms: 0 };
    let mut missing = Vec::new();
    for (room, seq, held) in chat.known().filter(|(_, seq, _)| *seq > 0) {
        recovery.rooms += 1;
        let id = find_or_insert_room(transaction, room_ids, room)?;
        let mut newest = transaction.prepare_cached(
            "SELECT max(last_seq, coalesce((SELECT max(seq) FROM message WHERE room = ?1), 0))
                FROM room WHERE id = ?1",
        )?;
        let written: u64 = newest.query_row([id], |it| unsigned(it, 0))?;
        let mut unwritten = held.filter(|message| message.seq > written).cloned().peekable();
        let next = unwritten.peek().map_or(seq.saturating_add(1), |first| first.seq);
        recovery.is_complete &= next <= written.saturating_add(1);
        missing.extend(unwritten);
        // Messages that are lost have used their numbers, too.
        let update = "UPDATE room SET last_seq = ?2 WHERE id = ?1 AND last_seq < ?2";
        transaction.prepare_cached(update)?.execute(params![id, seq])?;
    }
    // Between rooms, the time is the only record of the order.
    missing.sort_by_key(|message| message.time);
    for messages in missing.chunks(ROWS_MAX) {
        insert(transaction, room_ids, messages, last_number)?;
    }
    Ok(recovery)
}
