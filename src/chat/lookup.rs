//! Lookups: answers that need the history. The chat hands out an incomplete answer with the messages
//! in memory, and a thread of the history completes it.

use std::sync::Arc;

use super::Rules;
use super::catch_up::{
    Batch, MESSAGES_FOR_A_NEWCOMER, RoomSnapshot, messages_between, messages_bytes_max, page,
    recover,
};
use super::command::Search;
use super::message::Message;
use super::notice::{Joined, Members, Notice};
use super::room_name::RoomName;

/// Number of pages of messages in the longest answer. A page takes up to twice its weight on the
/// wire, and members come besides.
pub(crate) const PAGES_PER_ANSWER: usize = 6;
/// Maximum length of one answer to a client that resumes (bytes of JSON). Many WebSocket libraries
/// refuse messages over 1 MiB.
pub(crate) const ANSWER_BYTES_MAX: usize = 768 * 1024;
/// Maximum length of a text in a history of an earlier version (bytes).
const OLD_TEXT_BYTES_MAX: usize = 16 * 1024;

/// A query to the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    Read(Box<HistoryRead>),
    Search(Search),
}

/// An answer with messages of a room. The newest of them are in memory. [`HistoryRead::complete`]
/// adds older ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HistoryRead {
    pub(crate) room: RoomName,
    /// The messages in memory, newest first.
    in_memory: Vec<Arc<Message>>,
    /// The number before which messages are missing.
    pub(crate) before: u64,
    /// Maximum weight of a page of messages (bytes).
    page_bytes_max: usize,
    purpose: Purpose,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Purpose {
    /// Joins a room whose newest message is `seq`, with all messages after `after`, or with the
    /// newest.
    Join { seq: u64, after: Option<u64>, members: Members },
    /// Joins a room with a batch of the messages after `after`: as many as one answer holds.
    Batch { seq: u64, after: u64, bytes_max: usize, members: Members },
    /// Reads one page of older messages.
    History { limit: usize },
}

impl Purpose {
    /// Returns the maximum number of messages that are of use.
    fn messages_max(&self) -> usize {
        match self {
            Self::Join { seq, after: Some(after), .. } => messages_between(*after, *seq),
            Self::Join { after: None, .. } | Self::Batch { .. } => MESSAGES_FOR_A_NEWCOMER,
            // The additional one shows whether there are more.
            Self::History { limit } => limit + 1,
        }
    }
}

impl HistoryRead {
    /// Returns an answer to a client that joins without any message.
    pub(super) fn newest(
        snapshot: RoomSnapshot,
        newest_first: impl Iterator<Item = Arc<Message>>,
        rules: &Rules,
    ) -> Self {
        let RoomSnapshot { room, seq, members } = snapshot;
        let purpose = Purpose::Join { seq, after: None, members };
        Self::new(room, purpose, seq.saturating_add(1), newest_first, rules)
    }

    /// Returns an answer to a client that joins and has all messages up to `after`. If those that it
    /// missed may be too long for one answer, it gets a batch of them.
    pub(super) fn missed(
        snapshot: RoomSnapshot,
        after: u64,
        in_memory: impl DoubleEndedIterator<Item = Arc<Message>>,
        rules: &Rules,
    ) -> Self {
        // JSON may escape each byte of a text and of the nickname with another byte.
        let message_bytes_max = 2 * rules.text_bytes_max.max(OLD_TEXT_BYTES_MAX) + 1024;
        let bytes_max = messages_bytes_max(&snapshot, rules);
        let RoomSnapshot { room, seq, members } = snapshot;
        let purpose = if messages_between(after, seq) <= bytes_max / message_bytes_max {
            Purpose::Join { seq, after: Some(after), members }
        } else {
            Purpose::Batch { seq, after, bytes_max, members }
        };
        Self::new(room, purpose, seq.saturating_add(1), in_memory.rev(), rules)
    }

    /// Returns an answer with the page of messages before `before`.
    pub(super) fn history(
        room: RoomName,
        before: u64,
        limit: usize,
        newest_first: impl Iterator<Item = Arc<Message>>,
        rules: &Rules,
    ) -> Self {
        Self::new(room, Purpose::History { limit }, before, newest_first, rules)
    }

    fn new(
        room: RoomName,
        purpose: Purpose,
        before: u64,
        newest_first: impl Iterator<Item = Arc<Message>>,
        rules: &Rules,
    ) -> Self {
        let in_memory: Vec<_> = newest_first.take(purpose.messages_max()).collect();
        let before = in_memory.last().map_or(before, |oldest| oldest.seq);
        Self { room, in_memory, before, page_bytes_max: rules.page_bytes_max, purpose }
    }

    /// Returns the maximum number of older messages that are of use.
    pub(crate) fn missing(&self) -> usize {
        if self.before <= 1 { 0 } else { self.purpose.messages_max() - self.in_memory.len() }
    }

    /// Returns whether the answer needs the history.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.missing() > 0 || self.batch_after().is_some()
    }

    /// Returns whether the messages in memory are a useful answer if the history cannot be read. An
    /// incomplete page would claim that there are no older messages, and an incomplete batch would
    /// look like a gap.
    pub(crate) fn is_useful_alone(&self) -> bool {
        match self.purpose {
            Purpose::Join { .. } => true,
            Purpose::Batch { .. } | Purpose::History { .. } => false,
        }
    }

    /// Returns the number after which a batch begins, if the answer is one.
    pub(crate) fn batch_after(&self) -> Option<u64> {
        match self.purpose {
            Purpose::Batch { after, .. } => Some(after),
            _ => None,
        }
    }

    /// Returns whether an answer is a batch without messages: the history lacks those after `after`.
    pub(crate) fn is_empty_batch(notice: &Notice) -> bool {
        matches!(notice, Notice::Joined(joined) if joined.more && joined.messages.is_empty())
    }

    /// Returns the answer with a batch of the messages that follow, oldest first. Returns the read
    /// itself if the first of them is missing.
    pub(crate) fn complete_batch(
        self: Box<Self>,
        following: impl Iterator<Item = Arc<Message>>,
    ) -> Result<Notice, Box<Self>> {
        let Purpose::Batch { after, bytes_max, .. } = self.purpose else { return Err(self) };
        let mut batch = Batch::new(after, bytes_max);
        batch.extend(following);
        if batch.messages.is_empty() {
            return Err(self);
        }
        Ok(self.answer(true, true, batch.messages))
    }

    /// Returns the answer with the messages before `before`, newest first.
    pub(crate) fn complete(self, older: impl Iterator<Item = Arc<Message>>) -> Notice {
        let mut newest_first = self.in_memory.iter().cloned().chain(older).peekable();
        match self.purpose {
            Purpose::Join { seq, after, .. } => {
                let (recovered, messages) = recover(seq, after, newest_first, self.page_bytes_max);
                self.answer(recovered, false, messages)
            }
            Purpose::Batch { after, .. } => {
                // Without those that the client has.
                let mut newest_first = newest_first.take_while(|it| it.seq > after).peekable();
                let messages =
                    page(&mut newest_first, MESSAGES_FOR_A_NEWCOMER, self.page_bytes_max);
                self.answer(false, true, messages)
            }
            Purpose::History { limit } => {
                let messages = page(&mut newest_first, limit, self.page_bytes_max);
                let more = newest_first.peek().is_some();
                self.answer(false, more, messages)
            }
        }
    }

    fn answer(self, recovered: bool, more: bool, messages: Vec<Arc<Message>>) -> Notice {
        let room = self.room;
        match self.purpose {
            Purpose::Join { seq, members, .. } | Purpose::Batch { seq, members, .. } => {
                Notice::Joined(Box::new(Joined { room, seq, recovered, messages, more, members }))
            }
            Purpose::History { .. } => Notice::History { room, messages, more },
        }
    }
}
