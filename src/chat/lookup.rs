//! Reading what was said: what is held of it, and on from there wherever older messages are kept.

use std::sync::Arc;

use super::command::Search;
use super::message::{Message, string_bytes};
use super::notice::{Joined, Members, Notice};
use super::{RoomName, Rules};

/// Maximum number of messages for a client that comes into a room and was not there before.
pub(super) const MESSAGES_FOR_A_NEWCOMER: usize = 100;
/// A page of messages weighs at most this fraction of the longest answer: 128 KiB of 768. On the wire
/// it takes up to twice as much, and members come besides.
pub(crate) const PAGES_PER_ANSWER: usize = 6;
/// Maximum length of one answer to a client that comes back (bytes of JSON). Many clients refuse
/// a message of over 1 MiB.
pub(crate) const ANSWER_BYTES_MAX: usize = 768 * 1024;
/// Maximum length of a text in a history of an earlier version (bytes).
const OLD_TEXT_BYTES_MAX: usize = 16 * 1024;
/// What an answer takes besides its room, its messages and its members, at most (bytes of JSON).
const ENVELOPE_BYTES: usize = 512;

/// What an answer is looked for that the chat itself does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// What was said in a room.
    Reading(Box<Reading>),
    /// Whatever has these words in it.
    Search(Search),
}

/// A part of what was said in a room. The newest of it is held; [`Reading::complete`] is given the
/// rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) room: RoomName,
    /// The newest first.
    held: Vec<Arc<Message>>,
    /// What is asked for goes on with the message before this one.
    pub(crate) before: u64,
    /// So many messages can be of use, with those that are held.
    messages_max: usize,
    /// The most that a page of them weighs (bytes).
    page_bytes_max: usize,
    purpose: Purpose,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Purpose {
    /// To come into a room. `after` is the last message that the client has of it, if any, and `seq`
    /// the newest of the room.
    Joined { seq: u64, after: Option<u64>, members: Members },
    /// The same, one part: what follows on `after`, as much as an answer holds.
    Part { seq: u64, after: u64, bytes_max: usize, members: Members },
    /// To read one page back.
    History { limit: usize },
}

impl Reading {
    /// By a client that comes in and has nothing.
    pub(super) fn newest(
        room: RoomName,
        seq: u64,
        members: Members,
        newest_first: impl Iterator<Item = Arc<Message>>,
        rules: &Rules,
    ) -> Self {
        let purpose = Purpose::Joined { seq, after: None, members };
        let messages_max = MESSAGES_FOR_A_NEWCOMER;
        Self::new(room, seq.saturating_add(1), messages_max, purpose, newest_first, rules)
    }

    /// By a client that has everything up to `after`, where an archive has what is not held. Few
    /// messages fit into one answer, however long they are. Of many, the archive is asked for a part.
    pub(super) fn missed(
        room: RoomName,
        seq: u64,
        after: u64,
        members: Members,
        held: impl DoubleEndedIterator<Item = Arc<Message>>,
        rules: &Rules,
    ) -> Self {
        // Every byte of a text may be escaped with another, and so may the name beside it.
        let message_bytes_max = 2 * rules.text_bytes_max.max(OLD_TEXT_BYTES_MAX) + 1024;
        let left = messages_bytes_max(rules.quota.answer_bytes_max, &room, &members);
        let missing = usize::try_from(seq - after).unwrap_or(usize::MAX);
        let (messages_max, purpose) = if missing <= left / message_bytes_max {
            (missing, Purpose::Joined { seq, after: Some(after), members })
        } else {
            let bytes_max = left;
            (MESSAGES_FOR_A_NEWCOMER, Purpose::Part { seq, after, bytes_max, members })
        };
        Self::new(room, seq.saturating_add(1), messages_max, purpose, held.rev(), rules)
    }

    /// One page back from `before`.
    pub(super) fn history(
        room: RoomName,
        before: u64,
        limit: usize,
        newest_first: impl Iterator<Item = Arc<Message>>,
        rules: &Rules,
    ) -> Self {
        // With one more it is known whether there are more.
        Self::new(room, before, limit + 1, Purpose::History { limit }, newest_first, rules)
    }

    fn new(
        room: RoomName,
        before: u64,
        messages_max: usize,
        purpose: Purpose,
        newest_first: impl Iterator<Item = Arc<Message>>,
        rules: &Rules,
    ) -> Self {
        let held: Vec<_> = newest_first.take(messages_max).collect();
        let before = held.last().map_or(before, |oldest| oldest.seq);
        let page_bytes_max = rules.page_bytes_max;
        Self { room, held, before, messages_max, page_bytes_max, purpose }
    }

    /// How many older messages can be of use.
    pub(crate) fn missing(&self) -> usize {
        if self.before <= 1 { 0 } else { self.messages_max - self.held.len() }
    }

    /// Whether the answer has to be looked up.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.missing() > 0 || self.part_after().is_some()
    }

    /// Whether what is held is an answer of some use. A page of history without its end is none: it
    /// would say that there is no more. Nor is a part: the client would take it for a gap.
    pub(crate) fn is_of_use_alone(&self) -> bool {
        match self.purpose {
            Purpose::Joined { .. } => true,
            Purpose::Part { .. } | Purpose::History { .. } => false,
        }
    }

    /// The message on which the part follows that is asked for, if one is.
    pub(crate) fn part_after(&self) -> Option<u64> {
        match self.purpose {
            Purpose::Part { after, .. } => Some(after),
            _ => None,
        }
    }

    /// Whether this answer has nothing of a part that was asked for: what was behind the message is
    /// kept no longer.
    #[cfg_attr(not(any(test, feature = "history")), expect(dead_code, reason = "nothing is kept"))]
    pub(crate) fn is_barren(notice: &Notice) -> bool {
        matches!(notice, Notice::Joined(joined) if joined.more && joined.messages.is_empty())
    }

    /// The answer with a part of what was missed: the messages that follow, the oldest first. Gives
    /// the reading back where the first of them is missing.
    #[cfg_attr(not(any(test, feature = "history")), expect(dead_code, reason = "nothing is kept"))]
    pub(crate) fn complete_part(
        self: Box<Self>,
        following: impl Iterator<Item = Arc<Message>>,
    ) -> Result<Notice, Box<Self>> {
        let Purpose::Part { after, bytes_max, .. } = self.purpose else { return Err(self) };
        let mut missed = Missed::new(after, bytes_max);
        missed.extend(following);
        if missed.messages.is_empty() {
            return Err(self);
        }
        Ok(self.answer(true, true, missed.messages))
    }

    /// The answer, with what is older than `before`, the newest first.
    pub(crate) fn complete(self, older: impl Iterator<Item = Arc<Message>>) -> Notice {
        let mut newest_first = self.held.iter().cloned().chain(older).peekable();
        match self.purpose {
            Purpose::Joined { seq, after, .. } => {
                let (recovered, messages) = joined(seq, after, newest_first, self.page_bytes_max);
                self.answer(recovered, false, messages)
            }
            Purpose::Part { after, .. } => {
                // What the client has already is not for it.
                let mut newest_first = newest_first.take_while(|it| it.seq > after).peekable();
                let messages =
                    page(&mut newest_first, MESSAGES_FOR_A_NEWCOMER, self.page_bytes_max);
                self.answer(false, true, messages)
            }
            Purpose::History { limit } => {
                let messages = page(&mut newest_first, limit, self.page_bytes_max);
                let more = newest_first.peek().is_some();
                Notice::History { room: self.room, messages, more }
            }
        }
    }

    fn answer(self, recovered: bool, more: bool, messages: Vec<Arc<Message>>) -> Notice {
        match self.purpose {
            Purpose::Joined { seq, members, .. } | Purpose::Part { seq, members, .. } => {
                let room = self.room;
                Notice::Joined(Box::new(Joined { room, seq, recovered, messages, more, members }))
            }
            Purpose::History { .. } => Notice::History { room: self.room, messages, more },
        }
    }
}

/// The answer to a client that has everything up to `after`, where there is nothing but what is held:
/// all messages behind that one, the oldest first.
pub(super) fn missed(
    room: RoomName,
    seq: u64,
    after: u64,
    members: Members,
    held: impl DoubleEndedIterator<Item = Arc<Message>> + Clone,
    rules: &Rules,
) -> Joined {
    let bytes_max = messages_bytes_max(rules.quota.answer_bytes_max, &room, &members);
    let mut missed = Missed::new(after, bytes_max);
    missed.extend(held.clone());
    let more = missed.is_full;
    let recovered = more || missed.next > seq;
    let messages = if recovered {
        missed.messages
    } else {
        page(&mut held.rev().peekable(), MESSAGES_FOR_A_NEWCOMER, rules.page_bytes_max)
    };
    Joined { room, seq, recovered, messages, more, members }
}

/// What the messages of an answer may take (bytes of JSON).
fn messages_bytes_max(answer_bytes_max: usize, room: &RoomName, members: &Members) -> usize {
    let nicknames = members.nicknames.iter().map(|nickname| string_bytes(nickname.as_str()) + 1);
    let others = ENVELOPE_BYTES + room.as_str().len() + nicknames.sum::<usize>();
    answer_bytes_max.saturating_sub(others)
}

/// Messages that follow one on the other, as many as one answer holds.
struct Missed {
    messages: Vec<Arc<Message>>,
    /// The number of the message that comes next.
    next: u64,
    bytes_left: usize,
    is_full: bool,
}

impl Missed {
    fn new(after: u64, bytes_left: usize) -> Self {
        Self { messages: Vec::new(), next: after + 1, bytes_left, is_full: false }
    }

    /// Takes messages up to a hole, or until the next would be too much. One always fits, so that a
    /// client comes to the end.
    fn extend(&mut self, following: impl Iterator<Item = Arc<Message>>) {
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

/// Everything after a message, if all of it is there, or else the newest.
fn joined(
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

/// Takes the next messages, as many as fit into one answer, and returns them oldest first.
fn page(
    newest_first: &mut std::iter::Peekable<impl Iterator<Item = Arc<Message>>>,
    limit: usize,
    bytes_max: usize,
) -> Vec<Arc<Message>> {
    let mut left = bytes_max;
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
