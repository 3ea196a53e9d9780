//! Reads the part of a history that a server continues with.

use rusqlite::Connection;

use super::{names, row};
use crate::archive::restore::{self, RestoredRooms};
use crate::broadcaster::history::RestoredRoom;
use crate::chat::{Digest, HistoryLimits, Nickname};

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
        "SELECT r.name,
            max(r.last_seq, coalesce((SELECT max(seq) FROM message WHERE room = r.id), 0)),
            coalesce((SELECT number FROM message WHERE room = r.id
                ORDER BY seq DESC LIMIT 1), 0) AS newest
         FROM room AS r ORDER BY newest",
    )?;
    let rows = rooms.query_map([], |it| Ok((row::room(it, 0)?, row::unsigned(it, 1)?)))?;
    let rooms = rows.collect::<Result<_, _>>()?;
    let RestoredRooms { rooms, floor } = restore::restore(connection, rooms, limits)?;
    Ok(Restored { rooms, floor, names: names::read(connection)? })
}
