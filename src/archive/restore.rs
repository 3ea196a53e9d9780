//! Reads the rooms with which a server continues.

use super::Storage;
use crate::broadcaster::history::RestoredRoom;
use crate::chat::{HistoryLimits, RoomName};

/// Maximum number of rooms whose `seq` is held in memory after the start.
pub(crate) const ROOMS_MAX: usize = 10_000;
/// Maximum number of messages of a room that are restored at the start. The rest stays in the storage.
const RESTORED_MAX: usize = 100;

/// The rooms with which a server continues.
#[derive(Debug)]
pub(crate) struct RestoredRooms {
    /// The most recently used rooms, the newest last.
    pub(crate) rooms: Vec<RestoredRoom>,
    /// Highest `seq` of all other rooms. They continue above it.
    pub(crate) floor: u64,
}

/// Restores rooms of a storage, of which `rooms` has the names and the highest numbers that they ever
/// had, the most recently used last.
pub(crate) fn restore<S: Storage>(
    storage: &S,
    mut rooms: Vec<(RoomName, u64)>,
    limits: HistoryLimits,
) -> Result<RestoredRooms, S::Error> {
    let recent = rooms.split_off(rooms.len().saturating_sub(ROOMS_MAX));
    let floor = rooms.iter().map(|(_, seq)| *seq).max().unwrap_or(0);
    let skipped = recent.len().saturating_sub(limits.idle_rooms_max);
    let rooms = recent.into_iter().enumerate().map(|(index, (room, seq))| {
        let count = if index < skipped { 0 } else { limits.lines_max.min(RESTORED_MAX) };
        let newest_first = storage
            .before(&room, u64::MAX, count, |rows| rows.collect::<Result<Vec<_>, _>>())??;
        let messages = newest_first.into_iter().rev().collect();
        Ok(RestoredRoom { room, seq, messages })
    });
    Ok(RestoredRooms { rooms: rooms.collect::<Result<_, _>>()?, floor })
}
