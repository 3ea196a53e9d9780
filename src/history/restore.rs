//! What a server takes up of what an earlier one left.

use rusqlite::{Connection, params};

use super::{names, row};
use crate::broadcaster::history::RestoredRoom;
use crate::chat::{Digest, HistoryLimits, Nickname};

/// So many rooms at most have their numbers remembered in memory.
pub(super) const ROOMS_MAX: usize = 10_000;
/// So many messages of a room are taken up at the start; the rest stays in the file.
const TAKEN_UP_MAX: usize = 100;

/// What a server needs to go on where the last one ended.
#[derive(Debug)]
pub(super) struct Restored {
    /// The rooms that were used last.
    pub(super) rooms: Vec<RestoredRoom>,
    /// The largest number of all other rooms, from which those go on counting.
    pub(super) floor: u64,
    /// The nicknames of the sessions that there were.
    pub(super) names: Vec<(Digest, Nickname)>,
}

/// Reads it, and writes nothing.
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
        .query_map([], |it| Ok((row::room(it, 0)?, it.get::<_, i64>(1)?, row::whole(it, 2)?)))?;
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
        let count = if index < skipped { 0 } else { limits.lines_max.min(TAKEN_UP_MAX) };
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
