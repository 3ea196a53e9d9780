//! The `seq` of forgotten rooms, so that a number never means two messages of an epoch.

use std::collections::{HashMap, VecDeque};

use super::room_name::RoomName;

/// Maximum number of forgotten rooms whose `seq` is remembered, so that a room that comes back
/// continues its numbers.
const EMPTY_ROOMS_MAX: usize = 10_000;

/// Rooms with nothing but their `seq` in memory.
#[derive(Debug, Default)]
pub(super) struct ForgottenRooms {
    seqs: HashMap<RoomName, u64>,
    oldest_first: VecDeque<RoomName>,
    /// Highest `seq` of the rooms that are not in `seqs` any more. New rooms start above it.
    floor: u64,
}

impl ForgottenRooms {
    pub(super) fn raise_floor(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
    }

    /// Returns the `seq` with which a room starts.
    pub(super) fn seq_of(&self, name: &RoomName) -> u64 {
        self.seqs.get(name).copied().unwrap_or(self.floor)
    }

    #[cfg(feature = "history")]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&RoomName, u64)> {
        self.seqs.iter().map(|(name, seq)| (name, *seq))
    }

    /// Remembers the `seq` of a room, and forgets the oldest one if there are too many.
    pub(super) fn insert(&mut self, name: &RoomName, seq: u64) {
        if self.seqs.insert(name.clone(), seq).is_none() {
            self.oldest_first.push_back(name.clone());
        }
        if self.oldest_first.len() > EMPTY_ROOMS_MAX {
            let oldest = self.oldest_first.pop_front();
            let seq = oldest.and_then(|oldest| self.seqs.remove(&oldest));
            self.raise_floor(seq.unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_rooms_start_above_the_numbers_of_rooms_that_are_not_remembered() {
        let name = |number: usize| RoomName::parse(&format!("room-{number}")).unwrap();
        let mut rooms = ForgottenRooms::default();
        rooms.insert(&name(0), 7);
        assert_eq!((rooms.seq_of(&name(0)), rooms.seq_of(&name(1))), (7, 0));
        for number in 1..=EMPTY_ROOMS_MAX {
            rooms.insert(&name(number), 3);
        }
        assert_eq!((rooms.seq_of(&name(0)), rooms.seq_of(&name(1))), (7, 3));
        assert_eq!(rooms.seq_of(&name(EMPTY_ROOMS_MAX + 1)), 7);
    }
}
