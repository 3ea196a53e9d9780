//! All rooms of a chat, and how many of them and of their messages stay in memory.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::PersonId;
use super::forgotten_rooms::ForgottenRooms;
use super::message::{Draft, Message};
use super::network::Network;
use super::quota::ROOMS_PER_NETWORK_MAX;
use super::room::{Audience, Listener, Room};
use super::room_name::RoomName;

/// Maximum number of rooms.
const ROOMS_MAX: usize = 10_000;

/// Limits of the messages that are held in memory. It is part of [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryLimits {
    /// Maximum number of messages of each room. The default is 500; 0 keeps none.
    pub lines_max: usize,
    /// Maximum number of empty rooms whose messages stay in memory. The default is 100. When there
    /// are more, the address that opened most of them loses the one that has been empty longest.
    pub idle_rooms_max: usize,
    /// Maximum memory for the messages of all rooms (bytes): their texts, and 200 for each message.
    /// The default is 64 MiB. When there is more, the largest rooms shrink first.
    pub bytes_max: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { lines_max: 500, idle_rooms_max: 100, bytes_max: 64 * 1024 * 1024 }
    }
}

/// All rooms. The first member creates a room. A room without members is *idle*: it stays in memory
/// for its messages, up to a number of such rooms.
#[derive(Debug)]
pub(super) struct Rooms {
    limits: HistoryLimits,
    rooms: HashMap<RoomName, Room>,
    /// The names of the rooms, sorted.
    names: BTreeSet<RoomName>,
    /// Number of rooms that each network has opened.
    opened: HashMap<Network, usize>,
    /// Number of seats given so far.
    seats: u64,
    /// The weight of the messages of all rooms (bytes).
    history_bytes: usize,
    /// The idle rooms, the one that has been idle longest first.
    idle: VecDeque<RoomName>,
    forgotten: ForgottenRooms,
}

impl Rooms {
    pub(super) fn new(limits: HistoryLimits) -> Self {
        Self {
            limits,
            rooms: HashMap::new(),
            names: BTreeSet::new(),
            opened: HashMap::new(),
            seats: 0,
            history_bytes: 0,
            idle: VecDeque::new(),
            forgotten: ForgottenRooms::default(),
        }
    }

    /// Restores a room of an earlier run of the server, with its `seq` and its newest messages.
    /// Rooms must be restored in the order of their last use.
    pub(super) fn restore(&mut self, name: RoomName, seq: u64, history: VecDeque<Arc<Message>>) {
        let room = Room::restored(seq, history);
        self.history_bytes += room.bytes();
        self.idle.push_back(name.clone());
        self.insert(&name, room);
        if self.idle.len() > self.limits.idle_rooms_max {
            self.forget_idle();
        }
        self.shrink();
    }

    /// Makes rooms that are not known start above `floor`.
    pub(super) fn raise_floor(&mut self, floor: u64) {
        self.forgotten.raise_floor(floor);
    }

    fn insert(&mut self, name: &RoomName, room: Room) {
        if let Some(network) = room.opened_by() {
            *self.opened.entry(network).or_default() += 1;
        }
        self.names.insert(name.clone());
        self.rooms.insert(name.clone(), room);
    }

    /// Returns whether a client of this network may join a room, and open it if it is new. Forgets an
    /// idle room if there are too many rooms.
    pub(super) fn admits(&mut self, name: &RoomName, network: Option<Network>) -> bool {
        if self.rooms.contains_key(name) {
            return true;
        }
        let opened = network.and_then(|network| self.opened.get(&network));
        if opened.is_some_and(|opened| *opened >= ROOMS_PER_NETWORK_MAX) {
            let is_its_own = |idle: &RoomName| self.opened_by(idle) == network;
            let Some(position) = self.idle.iter().position(is_its_own) else { return false };
            self.forget_idle_at(position);
        }
        if self.rooms.len() >= ROOMS_MAX {
            if self.idle.is_empty() {
                return false;
            }
            self.forget_idle();
        }
        true
    }

    fn opened_by(&self, name: &RoomName) -> Option<Network> {
        self.rooms.get(name)?.opened_by()
    }

    /// Opens a room without members, unless it exists.
    pub(super) fn open(&mut self, name: &RoomName) {
        if self.rooms.contains_key(name) {
            return;
        }
        // Before the new room is idle, so that it is not forgotten itself.
        while self.idle.len() >= self.limits.idle_rooms_max.max(1) {
            self.forget_idle();
        }
        self.insert(name, Room::new(self.forgotten.seq_of(name), None));
        self.idle.push_back(name.clone());
    }

    /// Returns every known room, with its `seq` and its messages in memory.
    #[cfg(feature = "history")]
    pub(super) fn known(
        &self,
    ) -> impl Iterator<Item = (&RoomName, u64, impl Iterator<Item = &Arc<Message>>)> {
        let forgotten = self.forgotten.iter().filter(|(name, _)| !self.rooms.contains_key(*name));
        let forgotten = forgotten.map(|(name, seq)| (name, seq, None));
        let rooms = self.rooms.iter().map(|(name, room)| (name, room.seq(), Some(room)));
        let known = forgotten.chain(rooms);
        known.map(|(name, seq, room)| (name, seq, room.into_iter().flat_map(Room::messages)))
    }

    pub(super) fn get(&self, name: &RoomName) -> Option<&Room> {
        self.rooms.get(name)
    }

    /// Returns the rooms after a name, sorted by name.
    pub(super) fn after(
        &self,
        name: Option<&RoomName>,
    ) -> impl Iterator<Item = (&RoomName, &Room)> {
        let start = name.map_or(Bound::Unbounded, Bound::Excluded);
        let names = self.names.range((start, Bound::Unbounded));
        names.filter_map(|name| self.rooms.get_key_value(name))
    }

    pub(super) fn listeners(&self, name: &RoomName) -> impl Iterator<Item = Listener> {
        self.rooms.get(name).into_iter().flat_map(Room::listeners)
    }

    pub(super) fn audience(&self, name: &RoomName) -> Audience {
        self.rooms.get(name).map_or_else(Audience::default, Room::audience)
    }

    /// Adds a person to a room, and returns its seat. If the room is new, `network` has opened it.
    pub(super) fn add_member(
        &mut self,
        name: &RoomName,
        person: PersonId,
        network: Option<Network>,
    ) -> u64 {
        if let Some(position) = self.idle.iter().position(|idle| idle == name) {
            self.idle.remove(position);
        }
        if !self.rooms.contains_key(name) {
            self.insert(name, Room::new(self.forgotten.seq_of(name), network));
        }
        self.seats += 1;
        if let Some(room) = self.rooms.get_mut(name) {
            room.add_member(self.seats, person);
        }
        self.seats
    }

    /// Sets or removes the connection that listens for a member.
    pub(super) fn set_listener(
        &mut self,
        name: &RoomName,
        seat_id: u64,
        listener: Option<Listener>,
    ) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.set_listener(seat_id, listener);
        }
    }

    /// Removes a member. Without members the room becomes idle, or is forgotten if it has no messages.
    pub(super) fn remove_member(&mut self, name: &RoomName, seat_id: u64) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.remove_member(seat_id);
        if room.members().len() > 0 {
            return;
        }
        if !room.has_messages() {
            return self.forget(name);
        }
        self.idle.push_back(name.clone());
        if self.idle.len() > self.limits.idle_rooms_max {
            self.forget_idle();
        }
    }

    /// Numbers a message of a room, and stores it in memory.
    pub(super) fn push(&mut self, name: &RoomName, draft: Draft, time: u64) -> Arc<Message> {
        let Some(room) = self.rooms.get_mut(name) else {
            // A message of the embedder that no client gets.
            return Arc::new(draft.into_message(name.clone(), 0, time));
        };
        let message = Arc::new(draft.into_message(name.clone(), room.next_seq(), time));
        if self.limits.lines_max == 0 {
            return message;
        }
        let before = room.bytes();
        room.push(message.clone(), self.limits.lines_max);
        self.history_bytes = self.history_bytes + room.bytes() - before;
        if self.history_bytes > self.limits.bytes_max {
            self.shrink();
        }
        message
    }

    /// Shrinks the largest rooms, all to the same weight, if the messages take too much memory. It
    /// frees more than is needed, because it looks at all rooms.
    fn shrink(&mut self) {
        /// The part of the memory that is freed at once.
        const SPARE: usize = 16;
        if self.history_bytes <= self.limits.bytes_max {
            return;
        }
        let wanted = self.limits.bytes_max - self.limits.bytes_max / SPARE;
        let mut weights: Vec<_> = self.rooms.values().map(Room::bytes).collect();
        weights.sort_unstable();
        let level = level(&weights, wanted);
        let large = self.rooms.iter_mut().filter(|(_, room)| room.bytes() > level);
        let mut emptied = Vec::new();
        for (name, room) in large {
            let before = room.bytes();
            room.shrink_to(level);
            self.history_bytes -= before - room.bytes();
            if !room.has_messages() && room.members().len() == 0 {
                emptied.push(name.clone());
            }
        }
        for name in emptied {
            self.idle.retain(|idle| *idle != name);
            self.forget(&name);
        }
    }

    /// Forgets an idle room: of the network that opened most of them, the one that has been idle
    /// longest.
    fn forget_idle(&mut self) {
        // Rooms that no client opened count as those of one network.
        let mut counts: HashMap<Option<Network>, usize> = HashMap::new();
        for idle in &self.idle {
            *counts.entry(self.opened_by(idle)).or_default() += 1;
        }
        let most = counts.values().copied().max();
        let is_of_most = |idle: &RoomName| counts.get(&self.opened_by(idle)).copied() == most;
        let position = self.idle.iter().position(is_of_most).unwrap_or(0);
        self.forget_idle_at(position);
    }

    fn forget_idle_at(&mut self, position: usize) {
        if let Some(name) = self.idle.remove(position) {
            self.forget(&name);
        }
    }

    /// Removes a room from memory, except for its `seq`.
    fn forget(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.remove(name) else { return };
        self.names.remove(name);
        self.history_bytes -= room.bytes();
        if let Some(network) = room.opened_by() {
            let opened = self.opened.get_mut(&network).map(|opened| {
                *opened -= 1;
                *opened
            });
            if opened == Some(0) {
                self.opened.remove(&network);
            }
        }
        if room.seq() > 0 {
            self.forgotten.insert(name, room.seq());
        }
    }

    /// Returns the number of rooms, the number of idle ones, and the weight of all messages (bytes).
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.rooms.len(), self.idle.len(), self.history_bytes)
    }
}

/// Returns the weight to which all larger ones must shrink so that the sum is at most `wanted`.
fn level(ascending: &[usize], wanted: usize) -> usize {
    let mut left = wanted;
    for (index, weight) in ascending.iter().enumerate() {
        let share = left / (ascending.len() - index);
        if *weight > share {
            return share;
        }
        left -= weight;
    }
    usize::MAX
}
