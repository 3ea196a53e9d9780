//! The history in a store of the embedder's own: opens it, and reads it.

use std::iter;
use std::sync::Arc;

use crossbeam_channel::bounded;

use super::answers::{Results, complete, serve};
use super::restore::{RestoredRooms, restore};
use super::writer::StoreWriter;
use super::{Rows, Storage, Worker};
use crate::broadcaster::history::{
    HistoryQueue, OpenedHistory, READS_MAX, SEARCHES_MAX, random_epoch,
};
use crate::chat::{CommandError, HistoryLimits, Id, Lookup, Message, Notice, RoomName, Search};
use crate::store::{MessageStore, StoreError, Stored};

/// Maximum number of messages that are read from the store at once for a client that resumes.
const PART_MESSAGES: usize = 32;

/// Maximum number that a store is asked for. Databases have signed integers.
const NUMBER_MAX: u64 = i64::MAX.unsigned_abs();

const WRONG: &str = "it returned messages in the wrong order, or others than it was asked for";

/// Opens the history in a store. Returns the part of the broadcaster, and that of other threads.
pub(crate) fn open(
    store: &Arc<dyn MessageStore>,
    limits: HistoryLimits,
) -> Result<(OpenedHistory, Vec<Worker>), StoreError> {
    let Stored { epoch, rooms } = store.load()?;
    let reader = StoreReader { store: store.clone() };
    let RestoredRooms { rooms, floor } = restore(&reader, rooms, limits)?;
    let epoch = match epoch {
        Some(epoch) if Id::parse(&epoch).is_none() => {
            return Err("its epoch was not set by a server".into());
        }
        Some(epoch) => epoch,
        None => {
            let epoch = random_epoch();
            store.set_epoch(&epoch)?;
            epoch
        }
    };
    let can_search = store.can_search();
    let (to_reader, reads) = bounded(READS_MAX);
    let (to_searcher, searches) = bounded(SEARCHES_MAX);
    let work = |queries| {
        let reader = reader.clone();
        move || serve(&"the store", &queries, |lookup| reader.look_up(lookup))
    };
    let mut workers = vec![Worker::new("history", work(reads))];
    if can_search {
        workers.push(Worker::new("search", work(searches)));
    }
    // Without a search the reader refuses.
    let searches = if can_search { to_searcher } else { to_reader.clone() };
    let opened = OpenedHistory {
        writer: Box::new(StoreWriter::new(store.clone(), epoch.clone())),
        epoch,
        rooms,
        floor,
        names: Vec::new(),
        can_search,
        queue: HistoryQueue { reads: to_reader, searches },
    };
    Ok((opened, workers))
}

#[derive(Clone)]
struct StoreReader {
    store: Arc<dyn MessageStore>,
}

impl StoreReader {
    fn look_up(&self, lookup: Lookup) -> Result<Notice, StoreError> {
        match lookup {
            Lookup::Read(read) => complete(self, read),
            Lookup::Search(search) if self.store.can_search() => self.search(&search),
            Lookup::Search(_) => Ok(Notice::Error(CommandError::NoHistory)),
        }
    }

    fn search(&self, search: &Search) -> Result<Notice, StoreError> {
        let Search { query, room, before, limit } = search;
        // The additional one shows whether there are more.
        let before = before.map(|before| before.min(NUMBER_MAX));
        let found = self.store.search(query, room.as_ref(), before, limit + 1)?;
        let is_descending = found.windows(2).all(|pair| pair[0].0 > pair[1].0);
        let is_asked_for = |(number, message): &(u64, Arc<Message>)| {
            before.is_none_or(|before| *number < before)
                && room.as_ref().is_none_or(|room| message.room == *room)
        };
        if !is_descending || !found.iter().all(is_asked_for) {
            return Err(WRONG.into());
        }
        let mut results = Results::new(*limit);
        let _ = found.into_iter().all(|(number, message)| results.add(number, message));
        Ok(results.into_notice())
    }

    fn read_before(
        &self,
        room: &RoomName,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        let before = before.min(NUMBER_MAX);
        let messages = self.store.before(room, before, limit)?;
        let last = messages.last().map_or(0, |message| message.seq);
        check(messages, room, last < before)
    }

    fn read_after(
        &self,
        room: &RoomName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        let after = after.min(NUMBER_MAX);
        let messages = self.store.after(room, after, limit)?;
        let first = messages.first().map_or(u64::MAX, |message| message.seq);
        check(messages, room, first > after)
    }
}

/// Returns the messages if they are of this room and in their order.
fn check(
    messages: Vec<Arc<Message>>,
    room: &RoomName,
    is_in_range: bool,
) -> Result<Vec<Arc<Message>>, StoreError> {
    let is_ascending = messages.windows(2).all(|pair| pair[0].seq < pair[1].seq);
    if is_in_range && is_ascending && messages.iter().all(|message| message.room == *room) {
        return Ok(messages);
    }
    Err(WRONG.into())
}

impl Storage for StoreReader {
    type Error = StoreError;

    fn before<T>(
        &self,
        room: &RoomName,
        before: u64,
        limit: usize,
        take: impl FnOnce(&mut Rows<'_, StoreError>) -> T,
    ) -> Result<T, StoreError> {
        let messages = if limit == 0 { vec![] } else { self.read_before(room, before, limit)? };
        Ok(take(&mut messages.into_iter().rev().map(Ok)))
    }

    fn after<T>(
        &self,
        room: &RoomName,
        mut after: u64,
        take: impl FnOnce(&mut Rows<'_, StoreError>) -> T,
    ) -> Result<T, StoreError> {
        let mut part = Vec::new().into_iter();
        Ok(take(&mut iter::from_fn(|| {
            if part.len() == 0 {
                match self.read_after(room, after, PART_MESSAGES) {
                    Ok(next) => part = next.into_iter(),
                    Err(error) => return Some(Err(error)),
                }
            }
            let next: Arc<Message> = part.next()?;
            after = next.seq;
            Some(Ok(next))
        })))
    }
}
