//! Reading what was said: what is held of it, and on from there wherever older messages are kept.

use std::sync::Arc;

use super::{Joined, Message, Nickname, Notice, Query, RoomName};

/// What somebody gets who comes into a room and was not there before.
pub(super) const MESSAGES_FOR_A_NEWCOMER: usize = 100;
/// The most that one page of history weighs (bytes).
const PAGE_BYTES_MAX: usize = 128 * 1024;
/// The most that all that somebody missed in a room weighs (bytes), if it is to come in one answer.
/// That is more than 500 texts of 1 KiB, and, as JSON, still a message that clients take: many
/// refuse one of over 1 MiB.
const MISSED_BYTES_MAX: usize = 768 * 1024;
/// So many messages at most come in one answer: every one of them weighs something.
const MISSED_MAX: u64 = (MISSED_BYTES_MAX / Message::AROUND) as u64;

/// What an answer is looked for that the chat itself does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// What was said in a room.
    Reading(Box<Reading>),
    /// Whatever has these words in it.
    Search(Search),
}

/// What is to be found: the newest `limit` messages before the one of this number, in one room or
/// in all. The numbers are those of the search, not of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) query: Query,
    pub(crate) room: Option<RoomName>,
    pub(crate) before: Option<u64>,
    pub(crate) limit: usize,
}

/// A part of what was said in a room. The newest of it is held; [`Reading::complete`] is given the
/// rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) room: RoomName,
    /// The newest first, without a hole.
    held: Vec<Arc<Message>>,
    /// What is asked for goes on with the message before this one.
    pub(crate) before: u64,
    /// So many messages can be of use, with those that are held.
    messages_max: usize,
    purpose: Purpose,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Purpose {
    /// To have what was said after a message, or last, by somebody who comes in. The number is that
    /// of the room's newest message.
    Joined { seq: u64, after: Option<u64>, members: Vec<Nickname> },
    /// To read one page back.
    History { limit: usize },
}

impl Reading {
    /// By somebody who comes in, and has everything up to `after`, or nothing.
    pub(super) fn joined(
        room: RoomName,
        seq: u64,
        after: Option<u64>,
        members: Vec<Nickname>,
        newest_first: impl Iterator<Item = Arc<Message>>,
    ) -> Self {
        let missed = after.and_then(|after| seq.checked_sub(after));
        let missed = missed.filter(|missed| *missed <= MISSED_MAX);
        let missed = missed.and_then(|missed| usize::try_from(missed).ok());
        let messages_max = missed.unwrap_or(MESSAGES_FOR_A_NEWCOMER);
        let after = after.filter(|_| missed.is_some());
        let purpose = Purpose::Joined { seq, after, members };
        Self::new(room, seq.saturating_add(1), messages_max, purpose, newest_first)
    }

    /// One page back from `before`.
    pub(super) fn history(
        room: RoomName,
        before: u64,
        limit: usize,
        newest_first: impl Iterator<Item = Arc<Message>>,
    ) -> Self {
        // With one more it is known whether there are more.
        Self::new(room, before, limit + 1, Purpose::History { limit }, newest_first)
    }

    fn new(
        room: RoomName,
        before: u64,
        messages_max: usize,
        purpose: Purpose,
        newest_first: impl Iterator<Item = Arc<Message>>,
    ) -> Self {
        let held: Vec<_> = newest_first.take(messages_max).collect();
        let before = held.last().map_or(before, |oldest| oldest.seq);
        Self { room, held, before, messages_max, purpose }
    }

    /// How many older messages can be of use.
    pub(crate) fn missing(&self) -> usize {
        if self.before <= 1 { 0 } else { self.messages_max - self.held.len() }
    }

    /// Whether what is held is an answer of some use. A page of history without its end is none: it
    /// would say that there is no more.
    pub(crate) fn is_of_use_alone(&self) -> bool {
        matches!(self.purpose, Purpose::Joined { .. })
    }

    /// The answer, with what is older than `before`, the newest first.
    pub(crate) fn complete(self, older: impl Iterator<Item = Arc<Message>>) -> Notice {
        let Self { room, held, purpose, .. } = self;
        let newest_first = held.into_iter().chain(older);
        match purpose {
            Purpose::Joined { seq, after, members } => {
                let (recovered, messages) = joined(seq, after, newest_first);
                Notice::Joined(Box::new(Joined { room, seq, recovered, messages, members }))
            }
            Purpose::History { limit } => {
                let mut newest_first = newest_first.peekable();
                let messages = page(&mut newest_first, limit);
                Notice::History { room, messages, more: newest_first.peek().is_some() }
            }
        }
    }
}

/// Everything after a message, if all of it is there and fits; or else the newest.
fn joined(
    seq: u64,
    after: Option<u64>,
    mut newest_first: impl Iterator<Item = Arc<Message>>,
) -> (bool, Vec<Arc<Message>>) {
    let mut missed = Vec::new();
    let recovered = after.is_some_and(|after| {
        let mut left = MISSED_BYTES_MAX;
        (after + 1..=seq).rev().all(|seq| {
            let Some(message) = newest_first.next() else { return false };
            let is_next = message.seq == seq;
            let fits = left.checked_sub(message.weight());
            left = fits.unwrap_or(0);
            missed.push(message);
            is_next && fits.is_some()
        })
    });
    if recovered {
        missed.reverse();
        return (true, missed);
    }
    let mut newest_first = missed.into_iter().chain(newest_first).peekable();
    (false, page(&mut newest_first, MESSAGES_FOR_A_NEWCOMER))
}

/// Takes the next messages, as many as fit into one answer, and returns them oldest first.
fn page(
    newest_first: &mut std::iter::Peekable<impl Iterator<Item = Arc<Message>>>,
    limit: usize,
) -> Vec<Arc<Message>> {
    let mut left = PAGE_BYTES_MAX;
    let mut messages: Vec<Arc<Message>> = Vec::new();
    while messages.len() < limit {
        // One always does, so that whoever reads on comes to the end.
        let fits = |message: &Arc<Message>| messages.is_empty() || left >= message.weight();
        let Some(message) = newest_first.next_if(fits) else { break };
        left = left.saturating_sub(message.weight());
        messages.push(message);
    }
    messages.reverse();
    messages
}
