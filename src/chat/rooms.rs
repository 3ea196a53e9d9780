//! The rooms: who is in each, and what was said there last.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::quota::ROOMS_PER_NETWORK_MAX;
use super::{ClientId, Message, Network, PersonId, RoomName};

/// Maximum number of rooms that are there at once.
const ROOMS_MAX: usize = 10_000;

/// How many rooms are remembered that hold no more than their number of messages. That is little,
/// and lets a room that comes back go on counting where it left off.
const EMPTY_ROOMS_MAX: usize = 10_000;

/// Limits of the messages that are held in memory. It is part of [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryLimits {
    /// Maximum number of messages in each room; 500 by default, 0 for none.
    pub lines_max: usize,
    /// Maximum number of empty rooms that are held for their messages; 100 by default. A room of the
    /// address that opened most of them is dropped first: the room that was left first.
    pub idle_rooms_max: usize,
    /// Maximum memory for the messages of all rooms (bytes), counting about 200 for each besides its
    /// text; 64 MiB by default. The largest rooms shrink first.
    pub bytes_max: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { lines_max: 500, idle_rooms_max: 100, bytes_max: 64 * 1024 * 1024 }
    }
}

/// Somebody's place in a room.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) person: PersonId,
    /// The connection that listens. There is none while somebody is away.
    pub(super) listener: Option<Listener>,
}

/// A connection that listens in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) client: ClientId,
    pub(crate) is_plain: bool,
}

#[derive(Debug, Default)]
pub(super) struct Room {
    /// In order of arrival.
    members: BTreeMap<u64, Member>,
    plain_listeners: usize,
    json_listeners: usize,
    history: VecDeque<Arc<Message>>,
    /// What the history weighs (bytes).
    bytes: usize,
    /// The number of the newest message.
    seq: u64,
    /// The network that opened the room, where networks are counted and a client opened it.
    opened_by: Option<Network>,
}

impl Room {
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    /// The members that come after a place, in order of arrival.
    pub(super) fn members_after(&self, seat_id: Option<u64>) -> impl Iterator<Item = &Member> {
        let start = seat_id.map_or(Bound::Unbounded, Bound::Excluded);
        self.members.range((start, Bound::Unbounded)).map(|(_, member)| member)
    }

    /// The message of this number. There may be holes between those that are held.
    pub(super) fn message(&self, seq: u64) -> Option<&Arc<Message>> {
        let index = self.history.binary_search_by_key(&seq, |message| message.seq).ok()?;
        self.history.get(index)
    }

    /// The messages after `seq` that are held, the oldest first.
    pub(super) fn after(&self, seq: u64) -> impl DoubleEndedIterator<Item = &Arc<Message>> + Clone {
        let start = self.history.partition_point(|message| message.seq <= seq);
        self.history.range(start..)
    }

    /// What was said before `seq`, the newest first.
    pub(super) fn before(&self, seq: u64) -> impl ExactSizeIterator<Item = &Arc<Message>> {
        let end = self.history.partition_point(|message| message.seq < seq);
        self.history.range(..end).rev()
    }

    fn count(&mut self, listener: Option<Listener>) -> Option<&mut usize> {
        let plain = listener?.is_plain;
        Some(if plain { &mut self.plain_listeners } else { &mut self.json_listeners })
    }

    /// Forgets the oldest messages until the history weighs no more than this (bytes).
    fn shrink_to(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max {
            let Some(oldest) = self.history.pop_front() else { return };
            self.bytes -= oldest.weight();
        }
    }
}

/// All rooms. A room is born when somebody joins it. Empty, it is held for its history; a bounded
/// number of such rooms are, and the one that was idle longest is forgotten first.
#[derive(Debug)]
pub(super) struct Rooms {
    limits: HistoryLimits,
    rooms: HashMap<RoomName, Room>,
    /// The names of the rooms, in their order.
    names: BTreeSet<RoomName>,
    /// How many rooms each network has opened.
    opened: HashMap<Network, usize>,
    arrivals: u64,
    history_bytes: usize,
    /// Empty rooms with history, the one that was left first in front.
    idle: VecDeque<RoomName>,
    /// The last numbers of rooms that are forgotten otherwise, in the order of the forgetting.
    numbers: HashMap<RoomName, u64>,
    numbers_oldest_first: VecDeque<RoomName>,
    /// The largest number of a room of which not even that is remembered. New rooms count from
    /// here, so that no number of an epoch ever means two messages.
    floor: u64,
}

impl Rooms {
    pub(super) fn new(limits: HistoryLimits) -> Self {
        Self {
            limits,
            rooms: HashMap::new(),
            names: BTreeSet::new(),
            opened: HashMap::new(),
            arrivals: 0,
            history_bytes: 0,
            idle: VecDeque::new(),
            numbers: HashMap::new(),
            numbers_oldest_first: VecDeque::new(),
            floor: 0,
        }
    }

    /// Takes up a room as an earlier run of the server left it: the newest messages, and the number
    /// of the last. Those that were used last come last.
    pub(super) fn restore(&mut self, name: RoomName, seq: u64, history: VecDeque<Arc<Message>>) {
        let bytes = history.iter().map(|message| message.weight()).sum();
        self.history_bytes += bytes;
        self.idle.push_back(name.clone());
        self.insert(&name, Room { seq, history, bytes, ..Room::default() });
        if self.idle.len() > self.limits.idle_rooms_max {
            self.forget_idle();
        }
        self.shrink();
    }

    fn insert(&mut self, name: &RoomName, room: Room) {
        if let Some(network) = room.opened_by {
            *self.opened.entry(network).or_default() += 1;
        }
        self.names.insert(name.clone());
        self.rooms.insert(name.clone(), room);
    }

    /// Whether a client of this network may open a room of this name, or is to come into one that is
    /// there. An idle room makes way where there are too many.
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
        self.rooms.get(name)?.opened_by
    }

    /// Rooms of which nothing is known go on counting from here.
    pub(super) fn count_on_from(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
    }

    /// Makes sure that there is a room to speak in, with nobody in it if need be.
    pub(super) fn open(&mut self, name: &RoomName) {
        if self.rooms.contains_key(name) {
            return;
        }
        // This one is to membership, for what is about to be said there.
        while self.idle.len() >= self.limits.idle_rooms_max.max(1) {
            self.forget_idle();
        }
        let seq = self.number_of(name);
        self.insert(name, Room { seq, ..Room::default() });
        self.idle.push_back(name.clone());
    }

    /// The last number of a room that is not held.
    fn number_of(&self, room: &RoomName) -> u64 {
        self.numbers.get(room).copied().unwrap_or(self.floor)
    }

    /// Every room of which anything is known, with its last number and what is held of it.
    #[cfg(feature = "history")]
    pub(super) fn known(
        &self,
    ) -> impl Iterator<Item = (&RoomName, u64, Option<&VecDeque<Arc<Message>>>)> {
        let forgotten = self.numbers.iter().filter(|(room, _)| !self.rooms.contains_key(*room));
        let held = self.rooms.iter().map(|(room, it)| (room, it.seq, Some(&it.history)));
        forgotten.map(|(room, seq)| (room, *seq, None)).chain(held)
    }

    pub(super) fn get(&self, room: &RoomName) -> Option<&Room> {
        self.rooms.get(room)
    }

    /// Every room with members or messages whose name comes after this one, by name.
    pub(super) fn after(
        &self,
        name: Option<&RoomName>,
    ) -> impl Iterator<Item = (&RoomName, &Room)> {
        let start = name.map_or(Bound::Unbounded, Bound::Excluded);
        let names = self.names.range((start, Bound::Unbounded));
        names.filter_map(|name| self.rooms.get_key_value(name))
    }

    pub(super) fn listeners(&self, room: &RoomName) -> impl Iterator<Item = Listener> {
        let members = self.rooms.get(room).map(|room| room.members.values());
        members.into_iter().flatten().filter_map(|member| member.listener)
    }

    /// Whether anybody listens in the plain dialect, and in JSON.
    pub(super) fn audience(&self, room: &RoomName) -> (bool, bool) {
        let counts = self.rooms.get(room).map(|it| (it.plain_listeners, it.json_listeners));
        counts.map_or((false, false), |(plain, json)| (plain > 0, json > 0))
    }

    /// Gives a person a place, by which the room knows it. A room that is new is opened by `network`.
    pub(super) fn enter(
        &mut self,
        name: &RoomName,
        person: PersonId,
        network: Option<Network>,
    ) -> u64 {
        if let Some(position) = self.idle.iter().position(|idle| idle == name) {
            self.idle.remove(position);
        }
        if !self.rooms.contains_key(name) {
            let seq = self.number_of(name);
            self.insert(name, Room { seq, opened_by: network, ..Room::default() });
        }
        self.arrivals += 1;
        let seat_id = self.arrivals;
        if let Some(room) = self.rooms.get_mut(name) {
            room.members.insert(seat_id, Member { person, listener: None });
        }
        seat_id
    }

    /// Somebody in a room listens there with this connection from now on, or with none.
    pub(super) fn listen(&mut self, room: &RoomName, seat_id: u64, listener: Option<Listener>) {
        if let Some(room) = self.rooms.get_mut(room) {
            set_listener(room, seat_id, listener);
        }
    }

    /// Gives a place back.
    pub(super) fn leave(&mut self, name: &RoomName, seat_id: u64) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        set_listener(room, seat_id, None);
        room.members.remove(&seat_id);
        if !room.members.is_empty() {
            return;
        }
        if room.history.is_empty() {
            self.forget(name);
        } else {
            self.idle.push_back(name.clone());
            if self.idle.len() > self.limits.idle_rooms_max {
                self.forget_idle();
            }
        }
    }

    /// Numbers a message and keeps it.
    pub(super) fn keep(
        &mut self,
        draft: impl FnOnce(u64) -> Message,
        name: &RoomName,
    ) -> Arc<Message> {
        // The embedder may speak where nobody listens. Nothing is kept of that.
        let Some(room) = self.rooms.get_mut(name) else { return Arc::new(draft(0)) };
        room.seq += 1;
        let message = Arc::new(draft(room.seq));
        if self.limits.lines_max == 0 {
            return message;
        }
        let old = (room.history.len() >= self.limits.lines_max)
            .then(|| room.history.pop_front())
            .flatten()
            .map_or(0, |old| old.weight());
        room.history.push_back(message.clone());
        room.bytes = room.bytes + message.weight() - old;
        self.history_bytes = self.history_bytes + message.weight() - old;
        if self.history_bytes > self.limits.bytes_max {
            self.shrink();
        }
        message
    }

    /// Where the rooms hold too much, the largest shrink, all of them to the same weight. One look
    /// at all rooms makes place for many messages.
    fn shrink(&mut self) {
        const SPARE: usize = 16;
        if self.history_bytes <= self.limits.bytes_max {
            return;
        }
        let wanted = self.limits.bytes_max - self.limits.bytes_max / SPARE;
        let mut weights: Vec<_> = self.rooms.values().map(|room| room.bytes).collect();
        weights.sort_unstable();
        let level = level(&weights, wanted);
        let large = self.rooms.iter_mut().filter(|(_, room)| room.bytes > level);
        let mut emptied = Vec::new();
        for (name, room) in large {
            let before = room.bytes;
            room.shrink_to(level);
            self.history_bytes -= before - room.bytes;
            if room.history.is_empty() && room.members.is_empty() {
                emptied.push(name.clone());
            }
        }
        for name in emptied {
            self.idle.retain(|idle| *idle != name);
            self.forget(&name);
        }
    }

    /// One idle room goes: of the network that opened most of them, the one that was left first.
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

    fn forget(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.remove(name) else { return };
        self.names.remove(name);
        self.history_bytes -= room.bytes;
        if let Some(network) = room.opened_by {
            let opened = self.opened.get_mut(&network).map(|opened| {
                *opened -= 1;
                *opened
            });
            if opened == Some(0) {
                self.opened.remove(&network);
            }
        }
        if room.seq == 0 {
            return;
        }
        if self.numbers.insert(name.clone(), room.seq).is_none() {
            self.numbers_oldest_first.push_back(name.clone());
        }
        if self.numbers_oldest_first.len() > EMPTY_ROOMS_MAX {
            let oldest = self.numbers_oldest_first.pop_front();
            let seq = oldest.and_then(|oldest| self.numbers.remove(&oldest));
            self.floor = self.floor.max(seq.unwrap_or(0));
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize, usize) {
        (self.rooms.len(), self.idle.len(), self.history_bytes)
    }
}

/// The largest weight to which all larger ones shrink so that their sum is no more than `wanted`.
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

fn set_listener(room: &mut Room, seat_id: u64, listener: Option<Listener>) {
    let Some(member) = room.members.get_mut(&seat_id) else { return };
    let before = std::mem::replace(&mut member.listener, listener);
    if let Some(count) = room.count(before) {
        *count -= 1;
    }
    if let Some(count) = room.count(listener) {
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Nickname, Text};
    use super::*;

    #[test]
    fn a_message_is_found_by_its_number_in_spite_of_holes() {
        let numbers = [3, 4, 9, 10, 57];
        let message = |seq| Message {
            room: RoomName::lobby(),
            seq,
            time: 0,
            nickname: Nickname::parse("ana").unwrap(),
            text: Text::parse("x", 1).unwrap(),
            id: None,
            kind: Kind::Say,
        };
        let history = numbers.into_iter().map(|seq| Arc::new(message(seq))).collect();
        let room = Room { seq: 57, history, ..Room::default() };
        for seq in (0..60).chain([u64::MAX]) {
            let found = room.message(seq).map(|message| message.seq);
            assert_eq!(found, numbers.contains(&seq).then_some(seq), "{seq}");
        }
        assert!(Room::default().message(1).is_none());
    }
}
