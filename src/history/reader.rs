//! Reads older messages and searches, on separate threads, so that other requests do not wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::file::HistoryFile;
use super::index::Index;
use super::open::Access;
use super::row;
use crate::broadcaster::history::HistoryQuery;
use crate::chat::{CommandError, HistoryRead, Lookup, Message, Notice, RoomName, Search};

/// Maximum size of the messages in one search result (bytes).
const FOUND_BYTES_MAX: usize = 128 * 1024;

/// Answers queries until the broadcaster has ended.
pub(super) fn serve(file: &HistoryFile, index: &Index, queries: &Receiver<Box<HistoryQuery>>) {
    let reader = Reader { file, index };
    for query in queries {
        if !query.is_wanted() {
            continue;
        }
        // A panic costs the answer to this query and no other. The panic hook has logged it.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let lookup = query.lookup.clone();
            let found = catch_unwind(AssertUnwindSafe(|| reader.look_up(lookup)));
            let found = found.unwrap_or(Err(rusqlite::Error::InvalidQuery));
            query.answer(found.map_err(|error| log_error(file, &error)).ok());
        }));
    }
}

fn log_error(file: &HistoryFile, error: &rusqlite::Error) {
    log::warn!("cannot read {}: {error}", file.path().display());
}

struct Reader<'a> {
    file: &'a HistoryFile,
    index: &'a Index,
}

impl Reader<'_> {
    fn look_up(&self, lookup: Lookup) -> rusqlite::Result<Notice> {
        let mut connection = self.file.acquire(Access::Read)?;
        let notice = match lookup {
            Lookup::Read(read) => complete(&connection, read),
            Lookup::Search(search) => find(&connection, self.index, &search),
        };
        if notice.is_err() {
            connection.discard();
        }
        notice
    }
}

/// Completes a read with messages of the file.
fn complete(connection: &Connection, read: Box<HistoryRead>) -> rusqlite::Result<Notice> {
    let read = match read.batch_after() {
        Some(after) => match read_batch(connection, read, after)? {
            Ok(notice) => return Ok(notice),
            Err(read) => read,
        },
        None => read,
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM message AS m WHERE room = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
        row::COLUMNS
    ))?;
    let (room, before) = (read.room.clone(), read.before);
    let id = room_id(connection, &room)?;
    // SQLite has only signed integers.
    let before = before.min(i64::MAX.unsigned_abs());
    let older = statement
        .query_map(params![id, before, read.missing()], |it| row::message(room.clone(), it))?;
    let mut failed = None;
    let mut older = older.map_while(|message| message.map_err(|error| failed = Some(error)).ok());
    let notice = read.complete(older.by_ref());
    failed.map_or(Ok(notice), Err)
}

/// Completes a read with the messages that follow `after`. Gives the read back if the first of them is
/// no longer in the file.
fn read_batch(
    connection: &Connection,
    read: Box<HistoryRead>,
    after: u64,
) -> rusqlite::Result<Result<Notice, Box<HistoryRead>>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM message AS m WHERE room = ?1 AND seq > ?2 ORDER BY seq",
        row::COLUMNS
    ))?;
    let room = read.room.clone();
    let id = room_id(connection, &room)?;
    let after = after.min(i64::MAX.unsigned_abs());
    let following = statement.query_map(params![id, after], |it| row::message(room.clone(), it))?;
    let mut failed = None;
    let following = following.map_while(|it| it.map_err(|error| failed = Some(error)).ok());
    let notice = read.complete_batch(following);
    failed.map_or(Ok(notice), Err)
}

/// Returns the newest messages that match a query.
fn find(connection: &Connection, index: &Index, search: &Search) -> rusqlite::Result<Notice> {
    let room = match &search.room {
        Some(room) => match room_id(connection, room)? {
            None => return Ok(Notice::Results { messages: vec![], before: None }),
            id => id,
        },
        None => None,
    };
    let index = match index.connect(Access::Read)? {
        Some(index) if is_up_to_date(connection, &index)? => index,
        _ => return Ok(Notice::Error(CommandError::SearchNotReady)),
    };
    let mut fetch = connection.prepare_cached(&format!(
        "SELECT {}, r.name FROM message AS m JOIN room AS r ON r.id = m.room WHERE m.number = ?1",
        row::COLUMNS
    ))?;
    let mut left = FOUND_BYTES_MAX;
    let (mut messages, mut oldest, mut has_more) = (Vec::<Arc<Message>>::new(), 0, false);
    super::index::find(&index, &search.query, room, search.before, |number| {
        let found = |it: &rusqlite::Row<'_>| row::message(row::room(it, 6)?, it);
        // A deleted message stays in the index for some time.
        let Some(message) = fetch.query_row([number], found).optional()? else { return Ok(true) };
        let fits = messages.is_empty() || left >= message.weight();
        has_more = messages.len() == search.limit || !fits;
        if has_more {
            return Ok(false);
        }
        (left, oldest) = (left.saturating_sub(message.weight()), number);
        messages.push(message);
        Ok(true)
    })?;
    Ok(Notice::Results { messages, before: has_more.then_some(oldest) })
}

/// Returns whether the index has nearly all messages. To build an index takes some time.
fn is_up_to_date(history: &Connection, index: &Connection) -> rusqlite::Result<bool> {
    /// Maximum number of messages that the index may lack.
    const MISSING_MAX: i64 = 10_000;
    let newest = "SELECT coalesce(max(number), 0) FROM message";
    let newest: i64 = history.prepare_cached(newest)?.query_row([], |it| it.get(0))?;
    Ok(newest - super::index::up_to(index)? < MISSING_MAX)
}

fn room_id(connection: &Connection, room: &RoomName) -> rusqlite::Result<Option<i64>> {
    let mut find = connection.prepare_cached("SELECT id FROM room WHERE name = ?1")?;
    find.query_row([room.as_str()], |it| it.get(0)).optional()
}
