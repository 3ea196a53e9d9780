//! A room: its members and its newest messages.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::message::Message;
use super::network::Network;
use super::{ClientId, PersonId};

/// A person in a room.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) person: PersonId,
    /// The connection that listens, if there is one.
    listener: Option<Listener>,
}

/// A connection that gets the messages of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) client: ClientId,
    pub(crate) is_plain: bool,
}

/// The numbers of listeners in a room, by their dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audience {
    pub(crate) plain: usize,
    pub(crate) json: usize,
}

/// A room.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// The members by their seats, in the order of their arrival.
    members: BTreeMap<u64, Member>,
    audience: Audience,
    /// The newest messages, oldest first.
    history: VecDeque<Arc<Message>>,
    /// The weight of `history` (bytes).
    bytes: usize,
    /// The number of the newest message.
    seq: u64,
    /// The network that opened the room, if a client opened it and networks are counted.
    opened_by: Option<Network>,
}

impl Room {
    /// Returns an empty room in which the last message was `seq`.
    pub(super) fn new(seq: u64, opened_by: Option<Network>) -> Self {
        Self { seq, opened_by, ..Self::default() }
    }

    /// Returns a room without members, as an earlier run of the server left it.
    pub(super) fn restored(seq: u64, history: VecDeque<Arc<Message>>) -> Self {
        let bytes = history.iter().map(|message| message.weight()).sum();
        Self { seq, history, bytes, ..Self::default() }
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn opened_by(&self) -> Option<Network> {
        self.opened_by
    }

    pub(super) fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    /// Returns the members after a seat, in the order of their arrival.
    pub(super) fn members_after(&self, seat_id: Option<u64>) -> impl Iterator<Item = &Member> {
        let start = seat_id.map_or(Bound::Unbounded, Bound::Excluded);
        self.members.range((start, Bound::Unbounded)).map(|(_, member)| member)
    }

    pub(super) fn listeners(&self) -> impl Iterator<Item = Listener> {
        self.members.values().filter_map(|member| member.listener)
    }

    pub(super) fn audience(&self) -> Audience {
        self.audience
    }

    /// Returns the message with this number, if it is in memory. A restored history may have gaps.
    pub(super) fn message(&self, seq: u64) -> Option<&Arc<Message>> {
        let index = self.history.binary_search_by_key(&seq, |message| message.seq).ok()?;
        self.history.get(index)
    }

    /// Returns the messages in memory, oldest first.
    #[cfg(feature = "history")]
    pub(super) fn messages(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.history.iter()
    }

    /// Returns the messages in memory after `seq`, oldest first.
    pub(super) fn after(&self, seq: u64) -> impl DoubleEndedIterator<Item = &Arc<Message>> + Clone {
        let start = self.history.partition_point(|message| message.seq <= seq);
        self.history.range(start..)
    }

    /// Returns the messages in memory before `seq`, newest first.
    pub(super) fn before(&self, seq: u64) -> impl ExactSizeIterator<Item = &Arc<Message>> {
        let end = self.history.partition_point(|message| message.seq < seq);
        self.history.range(..end).rev()
    }

    pub(super) fn has_messages(&self) -> bool {
        !self.history.is_empty()
    }

    /// Adds a member, which does not listen yet.
    pub(super) fn add_member(&mut self, seat_id: u64, person: PersonId) {
        self.members.insert(seat_id, Member { person, listener: None });
    }

    pub(super) fn remove_member(&mut self, seat_id: u64) {
        self.set_listener(seat_id, None);
        self.members.remove(&seat_id);
    }

    /// Sets or removes the connection that listens for a member.
    pub(super) fn set_listener(&mut self, seat_id: u64, listener: Option<Listener>) {
        let Some(member) = self.members.get_mut(&seat_id) else { return };
        let before = std::mem::replace(&mut member.listener, listener);
        if let Some(count) = self.count_of(before) {
            *count -= 1;
        }
        if let Some(count) = self.count_of(listener) {
            *count += 1;
        }
    }

    fn count_of(&mut self, listener: Option<Listener>) -> Option<&mut usize> {
        let Audience { plain, json } = &mut self.audience;
        Some(if listener?.is_plain { plain } else { json })
    }

    /// Returns the number for a new message.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Adds a message to those in memory, and removes the oldest if there are `lines_max` already.
    pub(super) fn push(&mut self, message: Arc<Message>, lines_max: usize) {
        if self.history.len() >= lines_max {
            if let Some(oldest) = self.history.pop_front() {
                self.bytes -= oldest.weight();
            }
        }
        self.bytes += message.weight();
        self.history.push_back(message);
    }

    /// Removes the oldest messages until the others weigh at most `bytes_max`.
    pub(super) fn shrink_to(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max {
            let Some(oldest) = self.history.pop_front() else { return };
            self.bytes -= oldest.weight();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Kind;
    use super::super::nickname::Nickname;
    use super::super::room_name::RoomName;
    use super::super::text::Text;
    use super::*;

    #[test]
    fn a_message_is_found_by_its_number_in_spite_of_gaps() {
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
        let room = Room::restored(57, history);
        for seq in (0..60).chain([u64::MAX]) {
            let found = room.message(seq).map(|message| message.seq);
            assert_eq!(found, numbers.contains(&seq).then_some(seq), "{seq}");
        }
        assert!(Room::default().message(1).is_none());
    }
}
