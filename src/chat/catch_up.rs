//! The messages that a client gets when it joins a room or reads its history.

use std::sync::Arc;

use super::Rules;
use super::message::{Message, string_bytes};
use super::notice::{Joined, Members};
use super::room_name::RoomName;

/// Maximum number of messages for a client that joins a room without `after`.
pub(super) const MESSAGES_FOR_A_NEWCOMER: usize = 100;
/// Maximum length of an answer besides its room, messages and members (bytes of JSON).
const ENVELOPE_BYTES: usize = 512;

/// A room at the moment when a client joins it.
pub(super) struct RoomSnapshot {
    pub(super) room: RoomName,
    pub(super) seq: u64,
    pub(super) members: Members,
}

/// Returns the answer to a client that joins and has all messages up to `after`, from the messages
/// after it that are in memory.
pub(super) fn join_from_memory(
    snapshot: RoomSnapshot,
    after: u64,
    in_memory: impl DoubleEndedIterator<Item = Arc<Message>> + Clone,
    rules: &Rules,
) -> Joined {
    let mut batch = Batch::new(after, messages_bytes_max(&snapshot, rules));
    let RoomSnapshot { room, seq, members } = snapshot;
    batch.extend(in_memory.clone());
    let more = batch.is_full;
    let recovered = more || batch.next > seq;
    let messages = if recovered {
        batch.messages
    } else {
        page(&mut in_memory.rev().peekable(), MESSAGES_FOR_A_NEWCOMER, rules.page_bytes_max)
    };
    Joined { room, seq, recovered, messages, more, members }
}

/// Returns how many messages come after `after`, up to `seq`.
pub(super) fn messages_between(after: u64, seq: u64) -> usize {
    usize::try_from(seq - after).unwrap_or(usize::MAX)
}

/// Returns the maximum length of the messages in an answer to a client that joins (bytes of JSON).
pub(super) fn messages_bytes_max(snapshot: &RoomSnapshot, rules: &Rules) -> usize {
    let RoomSnapshot { room, members, .. } = snapshot;
    let nicknames = members.nicknames.iter().map(|nickname| string_bytes(nickname.as_str()) + 1);
    let others = ENVELOPE_BYTES + room.as_str().len() + nicknames.sum::<usize>();
    rules.quota.answer_bytes_max.saturating_sub(others)
}

/// Consecutive messages, as many as one answer holds.
pub(super) struct Batch {
    pub(super) messages: Vec<Arc<Message>>,
    /// The number of the next message.
    next: u64,
    bytes_left: usize,
    is_full: bool,
}

impl Batch {
    pub(super) fn new(after: u64, bytes_left: usize) -> Self {
        Self { messages: Vec::new(), next: after + 1, bytes_left, is_full: false }
    }

    /// Adds messages until there is a gap, or until the batch is full. The first message always fits,
    /// so that a client makes progress.
    pub(super) fn extend(&mut self, following: impl Iterator<Item = Arc<Message>>) {
        for message in following {
            if message.seq != self.next {
                return;
            }
            let bytes = message.wire_bytes();
            self.is_full = bytes > self.bytes_left && !self.messages.is_empty();
            if self.is_full {
                return;
            }
            self.bytes_left = self.bytes_left.saturating_sub(bytes);
            self.next += 1;
            self.messages.push(message);
        }
    }
}

/// Returns all messages after `after`, and `true`, if none is missing. Otherwise returns a page of
/// the newest messages, and `false`.
pub(super) fn recover(
    seq: u64,
    after: Option<u64>,
    mut newest_first: impl Iterator<Item = Arc<Message>>,
    page_bytes_max: usize,
) -> (bool, Vec<Arc<Message>>) {
    let mut missed = Vec::new();
    let recovered = after.is_some_and(|after| {
        (after + 1..=seq).rev().all(|seq| {
            let Some(message) = newest_first.next() else { return false };
            let is_next = message.seq == seq;
            missed.push(message);
            is_next
        })
    });
    if recovered {
        missed.reverse();
        return (true, missed);
    }
    let mut newest_first = missed.into_iter().chain(newest_first).peekable();
    (false, page(&mut newest_first, MESSAGES_FOR_A_NEWCOMER, page_bytes_max))
}

/// Takes up to `limit` messages of at most `bytes_max` bytes in total, and returns them oldest first.
pub(super) fn page(
    newest_first: &mut std::iter::Peekable<impl Iterator<Item = Arc<Message>>>,
    limit: usize,
    bytes_max: usize,
) -> Vec<Arc<Message>> {
    let mut left = bytes_max;
    let mut messages: Vec<Arc<Message>> = Vec::new();
    while messages.len() < limit {
        // The first message always fits, so that a client makes progress.
        let fits = |message: &Arc<Message>| messages.is_empty() || left >= message.weight();
        let Some(message) = newest_first.next_if(fits) else { break };
        left = left.saturating_sub(message.weight());
        messages.push(message);
    }
    messages.reverse();
    messages
}
