//! Reads the part of a history that a server continues with.

use rusqlite::{Connection, params};

use super::{names, row};
use crate::broadcaster::history::RestoredRoom;
use crate::chat::{Digest, HistoryLimits, Nickname};

/// Maximum number of rooms whose `seq` is held in memory after the start.
pub(super) const ROOMS_MAX: usize = 10_000;
/// Maximum number of messages of a room that are restored at the start. The rest stays in the file.
const RESTORED_MAX: usize = 100;

/// The content of a history that a server continues with.
#[derive(Debug)]
pub(super) struct Restored {
    /// The most recently used rooms, the newest last.
    pub(super) rooms: Vec<RestoredRoom>,
    /// Highest `seq` of all other rooms. They continue above it.
    pub(super) floor: u64,
    /// Nicknames of the sessions of the last run.
    pub(super) names: Vec<(Digest, Nickname)>,
}

/// Reads the content of the history. Writes nothing.
pub(super) fn restore(
    connection: &Connection,
    limits: HistoryLimits,
) -> rusqlite::Result<Restored> {
    let mut rooms = connection.prepare(
        "SELECT r.name, r.id,
            max(r.last_seq, coalesce((SELECT max(seq) FROM message WHERE room = r.id), 0)),
            coalesce((SELECT number FROM message WHERE room = r.id
                ORDER BY seq DESC LIMIT 1), 0) AS newest
         FROM room AS r ORDER BY newest DESC",
    )?;
    let rows = rooms
        .query_map([], |it| Ok((row::room(it, 0)?, it.get::<_, i64>(1)?, row::unsigned(it, 2)?)))?;
    let mut rooms: Vec<_> = rows.collect::<Result<_, _>>()?;
    let rest = rooms.split_off(rooms.len().min(ROOMS_MAX));
    let floor = rest.iter().map(|(_, _, seq)| *seq).max().unwrap_or(0);
    rooms.reverse();
    let skipped = rooms.len().saturating_sub(limits.idle_rooms_max);
    let mut messages = connection.prepare(&format!(
        "SELECT {} FROM message AS m WHERE room = ?1 ORDER BY seq DESC LIMIT ?2",
        row::COLUMNS
    ))?;
    let each = rooms.into_iter().enumerate().map(|(index, (room, id, seq))| {
        let count = if index < skipped { 0 } else { limits.lines_max.min(RESTORED_MAX) };
        let read = |it: &rusqlite::Row<'_>| row::message(room.clone(), it);
        let newest_first = messages.query_map(params![id, count], read)?;
        let mut messages: Vec<_> = newest_first.collect::<Result<_, _>>()?;
        messages.reverse();
        Ok(RestoredRoom { room, seq, messages })
    });
    Ok(Restored {
        rooms: each.collect::<rusqlite::Result<_>>()?,
        floor,
        names: names::read(connection)?,
    })
}
