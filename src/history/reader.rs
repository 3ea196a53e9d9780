//! Reads older messages and searches, on separate threads, so that other requests do not wait.

use crossbeam_channel::Receiver;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::file::HistoryFile;
use super::index::Index;
use super::open::Access;
use super::row;
use crate::archive::answers::{self, Results};
use crate::archive::{Rows, Storage};
use crate::broadcaster::history::HistoryQuery;
use crate::chat::{CommandError, Lookup, Notice, RoomName, Search};

/// Answers queries until the broadcaster has ended.
pub(super) fn serve(file: &HistoryFile, index: &Index, queries: &Receiver<Box<HistoryQuery>>) {
    answers::serve(&file.path().display(), queries, |lookup| look_up(file, index, lookup));
}

fn look_up(file: &HistoryFile, index: &Index, lookup: Lookup) -> rusqlite::Result<Notice> {
    let mut connection = file.acquire(Access::Read)?;
    let notice = match lookup {
        Lookup::Read(read) => answers::complete(&*connection, read),
        Lookup::Search(search) => find(&connection, index, &search),
    };
    if notice.is_err() {
        connection.discard();
    }
    notice
}

impl Storage for Connection {
    type Error = rusqlite::Error;

    fn before<T>(
        &self,
        room: &RoomName,
        before: u64,
        limit: usize,
        take: impl FnOnce(&mut Rows<'_, rusqlite::Error>) -> T,
    ) -> rusqlite::Result<T> {
        let mut statement = self.prepare_cached(&format!(
            "SELECT {} FROM message AS m WHERE room = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
            row::COLUMNS
        ))?;
        let id = room_id(self, room)?;
        // SQLite has only signed integers.
        let before = before.min(i64::MAX.unsigned_abs());
        let mut older =
            statement.query_map(params![id, before, limit], |it| row::message(room.clone(), it))?;
        Ok(take(&mut older))
    }

    fn after<T>(
        &self,
        room: &RoomName,
        after: u64,
        take: impl FnOnce(&mut Rows<'_, rusqlite::Error>) -> T,
    ) -> rusqlite::Result<T> {
        let mut statement = self.prepare_cached(&format!(
            "SELECT {} FROM message AS m WHERE room = ?1 AND seq > ?2 ORDER BY seq",
            row::COLUMNS
        ))?;
        let id = room_id(self, room)?;
        let after = after.min(i64::MAX.unsigned_abs());
        let mut following =
            statement.query_map(params![id, after], |it| row::message(room.clone(), it))?;
        Ok(take(&mut following))
    }
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
    let mut results = Results::new(search.limit);
    super::index::find(&index, &search.query, room, search.before, |number| {
        let found = |it: &rusqlite::Row<'_>| row::message(row::room(it, 6)?, it);
        // A deleted message stays in the index for some time.
        let Some(message) = fetch.query_row([number], found).optional()? else { return Ok(true) };
        Ok(results.add(number, message))
    })?;
    Ok(results.into_notice())
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
