//! The interface of the history to the broadcaster: the [`HistoryWriter`], and the queries for the
//! threads that read the history.

use std::sync::{Arc, Weak};
use std::time::Instant;

use crossbeam_channel::{Sender, TrySendError};

use super::inbox::Input;
use super::outbox::{Frames, Outbox};
use crate::chat::{
    Chat, ClientId, CommandError, Digest, HistoryRead, Level, Lookup, Message, NameChange,
    Nickname, Notice, RoomName,
};
use crate::protocol::json::{self, RequestTags, ServerInfo};
use crate::protocol::text_frame;

/// Capacity of the queue of reads (queries). Each holds the messages of its answer that are in
/// memory. When the queue is full, a client that joins a room gets those messages. Any other client
/// is told to try again.
pub(crate) const READS_MAX: usize = 4096;
/// Capacity of the search queue (queries). A hostile query can take a few tenths of a second. When
/// the queue is full, the client is told to try again.
pub(crate) const SEARCHES_MAX: usize = 16;

/// A history that was opened, with the rooms and nicknames of an earlier run of the server.
pub(crate) struct OpenedHistory {
    /// Identifies this history. It changes when messages were lost.
    pub(crate) epoch: String,
    /// The rooms, the most recently used last.
    pub(crate) rooms: Vec<RestoredRoom>,
    /// Highest `seq` of all other rooms.
    pub(crate) floor: u64,
    /// Nicknames that are held for sessions of the earlier run.
    pub(crate) names: Vec<(Digest, Nickname)>,
    pub(crate) writer: Box<dyn HistoryWriter + Send>,
    pub(crate) queue: HistoryQueue,
    pub(crate) can_search: bool,
}

/// Returns a random name for a history.
pub(crate) fn random_epoch() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// A room as an earlier run of the server left it.
#[derive(Debug)]
pub(crate) struct RestoredRoom {
    pub(crate) room: RoomName,
    /// `seq` of the newest message.
    pub(crate) seq: u64,
    /// The newest messages, the oldest of them first.
    pub(crate) messages: Vec<Arc<Message>>,
}

/// Writes messages to the history. The broadcaster owns it and waits for it, so it must be fast.
pub(crate) trait HistoryWriter {
    /// Takes a message of this turn.
    fn take(&mut self, message: &Arc<Message>);

    /// Takes the changes of this turn to the nicknames of sessions.
    fn take_names(&mut self, changes: Vec<NameChange>);

    /// Commits the messages and changes of this turn, before any client gets them. Does other work
    /// that is due. Returns a warning for all JSON clients when messages are no longer stored, and
    /// a notice when they are stored again.
    fn end_turn(&mut self, chat: &Chat, now: Instant) -> Option<(&'static str, Level)>;

    /// Returns when [`end_turn`](Self::end_turn) has to be called next, even if nothing happens.
    fn next_tick(&self) -> Option<Instant>;
}

/// The queues to the threads that read the history.
pub(crate) struct HistoryQueue {
    pub(crate) reads: Sender<Box<HistoryQuery>>,
    pub(crate) searches: Sender<Box<HistoryQuery>>,
}

impl HistoryQueue {
    /// Passes a query on, or returns it if the queue is full.
    pub(crate) fn pass(&self, query: Box<HistoryQuery>) -> Result<(), Box<HistoryQuery>> {
        let queue = if query.is_search() { &self.searches } else { &self.reads };
        queue.try_send(query).map_err(TrySendError::into_inner)
    }
}

/// A query to the history. The history answers it with [`HistoryQuery::answer`] and knows neither
/// frames nor clients.
pub(crate) struct HistoryQuery {
    pub(crate) lookup: Lookup,
    pub(crate) recipient: Recipient,
}

/// The recipient of the answer to a query.
pub(crate) enum Recipient {
    Client(ClientRecipient),
    /// A thread of the embedder, which waits.
    Embedder(Sender<Notice>),
}

/// A client that waits for the answer to a query.
pub(crate) struct ClientRecipient {
    pub(crate) client: ClientId,
    /// Identifies the query among those of the client.
    pub(crate) number: u64,
    pub(crate) tags: RequestTags,
    pub(crate) server: Arc<ServerInfo>,
    /// Dropped with the connection. After that the query needs no answer.
    pub(crate) outbox: Weak<Outbox>,
    pub(crate) inbox: Sender<Input>,
}

impl HistoryQuery {
    fn is_search(&self) -> bool {
        matches!(self.lookup, Lookup::Search(_))
    }

    /// Returns whether the messages in memory are not enough for the answer.
    pub(crate) fn needs_history(&self) -> bool {
        match &self.lookup {
            Lookup::Search(_) => true,
            Lookup::Read(read) => read.is_incomplete(),
        }
    }

    /// Returns whether the answer may be large or slow. One client can have only a few such queries.
    pub(crate) fn is_heavy(&self) -> bool {
        match &self.lookup {
            Lookup::Search(_) => true,
            Lookup::Read(read) => read.batch_after().is_some(),
        }
    }

    /// Returns whether the recipient still waits.
    pub(crate) fn is_wanted(&self) -> bool {
        match &self.recipient {
            Recipient::Client(client) => client.outbox.strong_count() > 0,
            Recipient::Embedder(_) => true,
        }
    }

    /// Sends the answer: the notice from the history, or, if it could not be read (`None`), the answer
    /// from memory. Does nothing after the broadcaster has ended.
    pub(crate) fn answer(self, found: Option<Notice>) {
        let Self { lookup, recipient } = self;
        match recipient {
            Recipient::Client(client) => client.answer(lookup, found),
            Recipient::Embedder(answer) => {
                drop(answer.try_send(found.unwrap_or_else(|| from_memory(lookup))));
            }
        }
    }
}

impl ClientRecipient {
    /// Sends the answer to the broadcaster.
    fn answer(self, lookup: Lookup, found: Option<Notice>) {
        let mut gap_after = None;
        if let (Lookup::Read(read), Some(notice)) = (&lookup, &found) {
            if HistoryRead::is_empty_batch(notice) {
                gap_after = read.batch_after().map(|after| (read.room.clone(), after));
            }
        }
        let answer = self.encode(&found.unwrap_or_else(|| from_memory(lookup)));
        let Self { client, number, inbox, .. } = self;
        let _ = inbox.send(Input::LookupDone { client, number, answer, gap_after });
    }

    pub(crate) fn encode(&self, answer: &Notice) -> Frames {
        text_frame(&json::reply(answer, &self.tags, &self.server))
    }
}

/// Returns the answer from the messages in memory, for a history that cannot be read.
pub(crate) fn from_memory(lookup: Lookup) -> Notice {
    match lookup {
        Lookup::Read(read) if read.is_useful_alone() => read.complete(std::iter::empty()),
        _ => Notice::Error(CommandError::HistoryUnreadable),
    }
}
