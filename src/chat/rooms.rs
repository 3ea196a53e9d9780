//! The rooms: who is in each, and what was said there last.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::{ClientId, Message, PersonId, RoomName};

/// How many rooms are remembered that hold no more than their number of messages. That is little,
/// and lets a room that comes back go on counting where it left off.
const EMPTY_ROOMS_MAX: usize = 10_000;

/// What the rooms hold of what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// The most messages in each room; 500 by default, 0 for none.
    pub lines_max: usize,
    /// The most rooms that are held with nobody in them, for what was said there; 100 by default.
    /// The one that was left first is forgotten first.
    pub idle_rooms_max: usize,
    /// The most bytes of text in all rooms, with some 200 around each; 64 MiB by default. Rooms
    /// with nobody in them make way first.
    pub bytes_max: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { lines_max: 500, idle_rooms_max: 100, bytes_max: 64 * 1024 * 1024 }
    }
}

/// Somebody's place in a room.
#[derive(Debug)]
pub(super) struct Seat {
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
    seats: BTreeMap<u64, Seat>,
    plain_listeners: usize,
    json_listeners: usize,
    history: VecDeque<Arc<Message>>,
    /// The number of the newest message.
    seq: u64,
}

impl Room {
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn seats(&self) -> impl ExactSizeIterator<Item = &Seat> {
        self.seats.values()
    }

    pub(super) fn message(&self, seq: u64) -> Option<&Arc<Message>> {
        let first = self.history.front()?.seq;
        self.history.get(usize::try_from(seq.checked_sub(first)?).ok()?)
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

    fn bytes(&self) -> usize {
        self.history.iter().map(|message| message.weight()).sum()
    }
}

/// All rooms. A room is born when somebody joins it. Empty, it is held for its history; a bounded
/// number of such rooms are, and the one that was idle longest is forgotten first.
#[derive(Debug)]
pub(super) struct Rooms {
    limits: HistoryLimits,
    rooms: HashMap<RoomName, Room>,
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
    pub(super) fn recall(&mut self, name: RoomName, seq: u64, history: VecDeque<Arc<Message>>) {
        self.history_bytes += history.iter().map(|message| message.weight()).sum::<usize>();
        self.idle.push_back(name.clone());
        self.rooms.insert(name.clone(), Room { seq, history, ..Room::default() });
        if self.idle.len() > self.limits.idle_rooms_max {
            self.forget_idle();
        }
        self.shrink(&name);
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
        // This one is to stay, for what is about to be said there.
        while self.idle.len() >= self.limits.idle_rooms_max.max(1) {
            self.forget_idle();
        }
        let seq = self.number_of(name);
        self.rooms.insert(name.clone(), Room { seq, ..Room::default() });
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

    /// Every room with somebody in it or something to read.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&RoomName, &Room)> {
        self.rooms.iter()
    }

    pub(super) fn listeners(&self, room: &RoomName) -> impl Iterator<Item = Listener> {
        let seats = self.rooms.get(room).map(|room| room.seats.values());
        seats.into_iter().flatten().filter_map(|seat| seat.listener)
    }

    /// Whether anybody listens in the plain dialect, and in JSON.
    pub(super) fn audience(&self, room: &RoomName) -> (bool, bool) {
        let counts = self.rooms.get(room).map(|it| (it.plain_listeners, it.json_listeners));
        counts.map_or((false, false), |(plain, json)| (plain > 0, json > 0))
    }

    /// Gives somebody a place, by which it is known in the room.
    pub(super) fn enter(&mut self, room: &RoomName, person: PersonId, listener: Listener) -> u64 {
        if let Some(position) = self.idle.iter().position(|idle| idle == room) {
            self.idle.remove(position);
        }
        self.arrivals += 1;
        let seq = self.number_of(room);
        let room =
            self.rooms.entry(room.clone()).or_insert_with(|| Room { seq, ..Room::default() });
        room.seats.insert(self.arrivals, Seat { person, listener: None });
        let place = self.arrivals;
        seat_listener(room, place, Some(listener));
        place
    }

    /// Somebody in a room listens there with this connection from now on, or with none.
    pub(super) fn listen(&mut self, room: &RoomName, place: u64, listener: Option<Listener>) {
        if let Some(room) = self.rooms.get_mut(room) {
            seat_listener(room, place, listener);
        }
    }

    /// Gives a place back.
    pub(super) fn leave(&mut self, name: &RoomName, place: u64) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        seat_listener(room, place, None);
        room.seats.remove(&place);
        if !room.seats.is_empty() {
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
        self.history_bytes += message.weight();
        room.history.push_back(message.clone());
        if room.history.len() > self.limits.lines_max {
            self.history_bytes -= room.history.pop_front().map_or(0, |old| old.weight());
        }
        self.shrink(name);
        message
    }

    /// Idle rooms make way first, then the oldest lines of the room that grew.
    fn shrink(&mut self, grown: &RoomName) {
        while self.history_bytes > self.limits.bytes_max {
            if !self.idle.is_empty() {
                self.forget_idle();
                continue;
            }
            let oldest = self.rooms.get_mut(grown).and_then(|room| room.history.pop_front());
            let Some(oldest) = oldest else { return };
            self.history_bytes -= oldest.weight();
        }
    }

    fn forget_idle(&mut self) {
        if let Some(name) = self.idle.pop_front() {
            self.forget(&name);
        }
    }

    fn forget(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.remove(name) else { return };
        self.history_bytes -= room.bytes();
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

fn seat_listener(room: &mut Room, place: u64, listener: Option<Listener>) {
    let Some(seat) = room.seats.get_mut(&place) else { return };
    let before = std::mem::replace(&mut seat.listener, listener);
    if let Some(count) = room.count(before) {
        *count -= 1;
    }
    if let Some(count) = room.count(listener) {
        *count += 1;
    }
}
