//! Reading and searching the history from a program that embeds the chat.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::Broadcaster;
use super::handle::{Handle, Stopped};
use crate::chat::{CommandError, Lookup, Message, Notice, Query, QueryError, RoomName, Search};
use crate::protocol::json::LIMIT_MAX;

/// The result of [`Handle::search`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The messages, the newest first.
    pub messages: Vec<Arc<Message>>,
    /// Continues the search, if there are more. It is a number of the search, not a `seq`.
    pub before: Option<u64>,
}

/// The reason why [`Handle::history`] or [`Handle::search`] fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryReadError {
    /// The server has stopped.
    #[error("the server has stopped")]
    Stopped,
    /// The query cannot be searched for.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The server has no history, or one in a store that cannot search.
    #[error("there is no history that can be searched")]
    NoSearch,
    /// The search index is being built. Try again after some time.
    #[error("the search is being prepared")]
    NotReady,
    /// The history cannot be read. The log has the reason. Or 4,096 reads, or 16 searches, wait
    /// already.
    #[error("the history cannot be read at the moment")]
    Unreadable,
}

impl From<Stopped> for HistoryReadError {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<CommandError> for HistoryReadError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NoHistory => Self::NoSearch,
            CommandError::SearchNotReady => Self::NotReady,
            _ => Self::Unreadable,
        }
    }
}

impl Handle {
    /// Returns the newest messages of a room, or those with a `seq` below `before`, the oldest of
    /// them first. There are none if there are no older messages, and none in a room that does not
    /// exist. Without a history these are the messages in memory.
    ///
    /// `limit` is 1 to 100; other values count as the nearest of these. There may be fewer messages,
    /// because an answer has at most 128 KiB. Each message counts its text plus 200 bytes.
    ///
    /// Waits for the thread that reads the history, not only for that of the chat.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use chinwag::{Handle, HistoryReadError, Message, RoomName};
    ///
    /// /// Returns all messages of a room, newest first.
    /// fn all(handle: &Handle, room: &RoomName) -> Result<Vec<Arc<Message>>, HistoryReadError> {
    ///     let mut messages = handle.history(room, None, 100)?;
    ///     let mut all = Vec::new();
    ///     while let Some(oldest) = messages.first() {
    ///         let before = oldest.seq();
    ///         all.extend(messages.into_iter().rev());
    ///         messages = handle.history(room, Some(before), 100)?;
    ///     }
    ///     Ok(all)
    /// }
    /// ```
    ///
    /// # Errors
    /// If the history cannot be read, and if the server has stopped.
    pub fn history(
        &self,
        room: &RoomName,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, HistoryReadError> {
        let (room, limit) = (room.clone(), limit.clamp(1, LIMIT_MAX));
        match self.ask_later(move |it, answer| it.read_history(room, before, limit, answer))? {
            Notice::History { messages, .. } => Ok(messages),
            Notice::Error(error) => Err(error.into()),
            _ => Err(HistoryReadError::Unreadable),
        }
    }

    /// Returns the newest messages that match a query, in all rooms or in one. PROTOCOL.md has the
    /// rules of queries. `limit` and the size of an answer are those of [`Handle::history`]. To get
    /// further results, repeat the call with [`Found::before`].
    ///
    /// ```
    /// use chinwag::{Handle, HistoryReadError};
    ///
    /// fn print_recipes(handle: &Handle) -> Result<(), HistoryReadError> {
    ///     let mut before = None;
    ///     loop {
    ///         let found = handle.search("from:ana recipe", None, before, 100)?;
    ///         for message in &found.messages {
    ///             println!("{}: {}", message.room(), message.text());
    ///         }
    ///         before = found.before;
    ///         if before.is_none() {
    ///             return Ok(());
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// If the query has nothing to search for, if there is no history, if it cannot be read, and if
    /// the server has stopped.
    pub fn search(
        &self,
        query: &str,
        room: Option<&RoomName>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Found, HistoryReadError> {
        let query = Query::parse(query)?;
        let search =
            Search { query, room: room.cloned(), before, limit: limit.clamp(1, LIMIT_MAX) };
        let lookup = Lookup::Search(search);
        match self.ask_later(move |it, answer| it.query_for_embedder(lookup, answer))? {
            Notice::Results { messages, before } => Ok(Found { messages, before }),
            Notice::Error(error) => Err(error.into()),
            _ => Err(HistoryReadError::Unreadable),
        }
    }
}

impl Broadcaster {
    fn read_history(
        &mut self,
        room: RoomName,
        before: Option<u64>,
        limit: usize,
        answer: Sender<Notice>,
    ) {
        let read = self.chat.history_page(room, before, limit);
        self.query_for_embedder(Lookup::Read(Box::new(read)), answer);
    }

    fn query_for_embedder(&mut self, lookup: Lookup, answer: Sender<Notice>) {
        // The history must have the messages of this turn.
        self.end_turn();
        self.fanout.query_for_embedder(lookup, answer);
    }
}
