//! The broadcaster's share: commits what a turn brought, and goes on in memory while it cannot.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rusqlite::{
    Connection, ErrorCode, OptionalExtension as _, Statement, TransactionBehavior, params,
};

use super::file::{HistoryFile, Use, beside};
use super::recall::{Left, recall};
use super::retention::Retention;
use super::{HistoryConfig, HistoryError, Sync, mark, row, schema};
use crate::chat::{Chat, HistoryLimits, Level, Message, RoomName};
use crate::keep::Keep;

/// So long after a failure it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// So many messages at most go into one statement: it takes two thirds of the time of as many.
const ROWS_MAX: usize = 16;

/// The log is cut to this length when all of it has been moved into the file (bytes).
const LOG_BYTES: i64 = 1024 * 1024;
/// When the log is longer than this (bytes), the writer moves it into the file by itself: so much
/// is written that the upkeep does not come to it.
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// It is looked how long the log is when so many messages were written.
const LOOK_EVERY: usize = 10_000;

const TROUBLE: &str = "The history cannot be written: what is said now may be lost when the server \
                       restarts.";
const RELIEF: &str = "The history is written again.";

/// Writes the history.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<HistoryFile>,
    connection: Connection,
    sync: Sync,
    /// The rooms' ids.
    rooms: HashMap<RoomName, i64>,
    /// The number of the newest message.
    last_number: i64,
    /// What this turn brought.
    taken: Vec<Arc<Message>>,
    /// Rung when there is something new.
    bell: Sender<()>,
    /// How many messages were written since it was looked how long the log is.
    unseen: usize,
    /// When it is tried again to write, after a failure.
    retry: Option<Instant>,
    retention: Retention,
}

impl Writer {
    /// Opens the history for writing, and takes it up: its epoch, and what is left of it.
    pub(super) fn open(
        file: Arc<HistoryFile>,
        config: &HistoryConfig,
        limits: HistoryLimits,
        bell: Sender<()>,
    ) -> Result<(Self, String, Left), HistoryError> {
        let sql = |error| HistoryError::of(file.path(), error);
        let mut connection = file.connect(Use::Write).map_err(sql)?;
        schema::prepare(&mut connection, file.path())?;
        // First, so that what cannot be read is left as it is.
        let left = recall(&connection, limits).map_err(sql)?;
        let last_number = last_number(&connection).map_err(sql)?;
        let ids = ids(&connection).map_err(sql)?;
        let epoch = take_up(&connection, &file, config.sync).map_err(sql)?;
        let writer = Self {
            connection,
            sync: config.sync,
            rooms: ids,
            last_number,
            taken: Vec::new(),
            bell,
            unseen: 0,
            retry: None,
            retention: Retention::new(config),
            file: file.clone(),
        };
        let _ = writer.bell.try_send(());
        Ok((writer, epoch, left))
    }

    /// Whether messages are deleted again.
    pub(super) fn deletes(&self) -> bool {
        self.retention.next_step().is_some()
    }

    /// Writes what was taken, in one transaction.
    fn commit(&mut self) -> rusqlite::Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut last_number = self.last_number;
        for messages in self.taken.chunks(ROWS_MAX) {
            insert(&transaction, &mut self.rooms, messages, &mut last_number)?;
        }
        transaction.commit()?;
        self.last_number = last_number;
        Ok(())
    }

    /// Writes what was taken. On a full disk the log, which is mostly of pages that the file has
    /// already, makes way, and it is tried once more.
    fn commit_or_make_room(&mut self) -> rusqlite::Result<()> {
        match self.commit() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                // Ids of rooms may be among what was not written.
                self.rooms.clear();
                self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
                self.commit()
            }
            result => result,
        }
    }

    /// Writes what is held in memory and not in the file, after it could not be written.
    fn catch_up(&mut self, chat: &Chat) -> rusqlite::Result<()> {
        // The file may be another than the one that failed: on a disk that was taken out and put
        // back in.
        self.connection = self.file.connect(Use::Write)?;
        set_up(&self.connection, self.sync)?;
        self.rooms = ids(&self.connection)?;
        let mut last_number = last_number(&self.connection)?.max(self.last_number);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut lost = Vec::new();
        for (room, seq, held) in chat.known().filter(|(_, seq, _)| *seq > 0) {
            let id = id_of(&transaction, &mut self.rooms, room)?;
            // What was deleted is not written again.
            let mut newest = transaction.prepare_cached(
                "SELECT max(last_seq, coalesce((SELECT max(seq) FROM message WHERE room = ?1), 0))
                    FROM room WHERE id = ?1",
            )?;
            let kept: u64 = newest.query_row([id], |it| row::whole(it, 0))?;
            lost.extend(held.filter(|it| it.seq > kept).cloned());
            // Its numbers are used, also where it is not known any more for what.
            let used = "UPDATE room SET last_seq = ?2 WHERE id = ?1 AND last_seq < ?2";
            transaction.prepare_cached(used)?.execute(params![id, seq])?;
        }
        // In the order of saying, as far as the clock tells.
        lost.sort_by_key(|message| message.time);
        for messages in lost.chunks(ROWS_MAX) {
            insert(&transaction, &mut self.rooms, messages, &mut last_number)?;
        }
        transaction.commit()?;
        self.last_number = last_number;
        Ok(())
    }

    fn bound_log(&mut self) -> rusqlite::Result<()> {
        if self.unseen < LOOK_EVERY {
            return Ok(());
        }
        self.unseen = 0;
        let log = fs::metadata(beside(self.file.path(), "-wal"));
        if log.map_or(0, |it| it.len()) < LOG_BYTES_MAX {
            return Ok(());
        }
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }

    /// What to do when the file cannot be written. A mark beside it says that there is a history
    /// which it does not have, in case that the server ends before it can be written again.
    fn fail(&mut self, error: &rusqlite::Error, now: Instant) -> Option<(&'static str, Level)> {
        let is_new = self.retry.is_none();
        self.retry = Some(now + RETRY_AFTER);
        self.taken.clear();
        let path = self.file.path().display();
        if is_new {
            log::warn!(
                "cannot write {path}: {error}; the chat goes on in memory, and writing is tried \
                 every second"
            );
        }
        // Where there is none yet, it is tried every second, too.
        if let (Err(error), true) = (mark::set(self.file.path(), self.sync), is_new) {
            log::warn!("cannot mark {path} as incomplete: {error}");
        }
        is_new.then_some((TROUBLE, Level::Warning))
    }

    fn recover(&mut self, chat: &Chat, now: Instant) -> Option<(&'static str, Level)> {
        self.taken.clear();
        if self.retry.is_some_and(|at| at > now) {
            return None;
        }
        if let Err(error) = self.catch_up(chat) {
            return self.fail(&error, now);
        }
        self.retry = None;
        log::info!("{} is written again", self.file.path().display());
        mark::clear(self.file.path());
        let _ = self.bell.try_send(());
        Some((RELIEF, Level::Info))
    }
}

impl Keep for Writer {
    fn take(&mut self, message: &Arc<Message>) {
        self.taken.push(message.clone());
    }

    fn end_turn(&mut self, chat: &Chat, now: Instant) -> Option<(&'static str, Level)> {
        if self.retry.is_some() {
            return self.recover(chat, now);
        }
        if !self.taken.is_empty() {
            if let Err(error) = self.commit_or_make_room() {
                self.rooms.clear();
                return self.fail(&error, now);
            }
            self.unseen += self.taken.len();
            self.taken.clear();
            let _ = self.bell.try_send(());
        }
        if let Err(error) = self.bound_log() {
            log::debug!("the log stays as it is: {error}");
        }
        if let Err(error) = self.retention.step(&mut self.connection, now) {
            return self.fail(&error, now);
        }
        None
    }

    fn next_tick(&self) -> Option<Instant> {
        self.retry.or(self.retention.next_step())
    }
}

impl Drop for Writer {
    /// The orderly end: everything is in the file itself, and on the disk.
    fn drop(&mut self) {
        if self.retry.is_some() {
            return;
        }
        let closed = self.connection.execute_batch(
            "PRAGMA synchronous = FULL;
             UPDATE history SET opened_in = NULL;
             PRAGMA wal_checkpoint(TRUNCATE);",
        );
        if let Err(error) = closed {
            log::warn!("cannot close {} in order: {error}", self.file.path().display());
        }
    }
}

fn set_up(connection: &Connection, sync: Sync) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    let synchronous = match sync {
        Sync::Process => "NORMAL",
        Sync::Full => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}

/// Takes the history up, or begins a new one on top of it where it is not known that the file has
/// everything that clients were sent: when it could not be written, and when the machine went down
/// before everything was on the disk.
fn take_up(connection: &Connection, file: &HistoryFile, sync: Sync) -> rusqlite::Result<String> {
    set_up(connection, Sync::Full)?;
    const SAFE: &str = "full";
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let boot = boot.trim();
    let opened_in: Option<String> =
        connection.query_row("SELECT opened_in FROM history", [], |it| it.get(0))?;
    let is_whole = opened_in.is_none_or(|it| it == SAFE || (!boot.is_empty() && it == boot));
    if !is_whole || mark::is_set(file.path()) {
        log::warn!(
            "{} may not have the last of what was said; nobody is told that it has",
            file.path().display()
        );
        connection.execute("UPDATE history SET epoch = lower(hex(randomblob(8)))", [])?;
    }
    // It has to be on the disk before any message is.
    let opened_in = if sync == Sync::Full { SAFE } else { boot };
    connection.execute("UPDATE history SET opened_in = ?1", [opened_in])?;
    mark::clear(file.path());
    set_up(connection, sync)?;
    connection.query_row("SELECT epoch FROM history", [], |it| it.get(0))
}

fn ids(connection: &Connection) -> rusqlite::Result<HashMap<RoomName, i64>> {
    let mut rooms = connection.prepare("SELECT name, id FROM room")?;
    let rows = rooms.query_map([], |it| Ok((row::room(it, 0)?, it.get(1)?)))?;
    rows.collect()
}

/// The largest number that a message ever had.
pub(super) fn last_number(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT max(last_number, coalesce((SELECT max(number) FROM message), 0)) FROM history",
        [],
        |it| it.get(0),
    )
}

/// For one message, and for [`ROWS_MAX`].
static INSERTIONS: LazyLock<[String; 2]> = LazyLock::new(|| [insertion(1), insertion(ROWS_MAX)]);

/// Writes up to [`ROWS_MAX`] messages.
pub(super) fn insert(
    connection: &Connection,
    rooms: &mut HashMap<RoomName, i64>,
    messages: &[Arc<Message>],
    last_number: &mut i64,
) -> rusqlite::Result<()> {
    let [one, many] = &*INSERTIONS;
    let (sql, step) = if messages.len() == ROWS_MAX { (many, ROWS_MAX) } else { (one, 1) };
    let mut statement = connection.prepare_cached(sql)?;
    for messages in messages.chunks(step) {
        for (index, message) in messages.iter().enumerate() {
            let room = id_of(connection, rooms, &message.room)?;
            *last_number += 1;
            bind(&mut statement, index, *last_number, room, message)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

fn insertion(rows: usize) -> String {
    let rows = vec!["(?,?,?,?,?,?,?,?)"; rows].join(",");
    format!("INSERT INTO message (number, room, seq, time, nick, text, id, kind) VALUES {rows}")
}

fn bind(
    statement: &mut Statement<'_>,
    index: usize,
    number: i64,
    room: i64,
    message: &Message,
) -> rusqlite::Result<()> {
    let first = index * 8;
    statement.raw_bind_parameter(first + 1, number)?;
    statement.raw_bind_parameter(first + 2, room)?;
    statement.raw_bind_parameter(first + 3, message.seq)?;
    statement.raw_bind_parameter(first + 4, message.time)?;
    statement.raw_bind_parameter(first + 5, message.nickname.as_str())?;
    statement.raw_bind_parameter(first + 6, message.text.as_str())?;
    statement.raw_bind_parameter(first + 7, message.id.as_ref().map(crate::chat::Id::as_str))?;
    statement.raw_bind_parameter(first + 8, row::number_of(message.kind))
}

/// The id of a room, which gets one if it has none.
pub(super) fn id_of(
    connection: &Connection,
    rooms: &mut HashMap<RoomName, i64>,
    room: &RoomName,
) -> rusqlite::Result<i64> {
    if let Some(id) = rooms.get(room) {
        return Ok(*id);
    }
    let name = room.as_str();
    let mut find = connection.prepare_cached("SELECT id FROM room WHERE name = ?1")?;
    let id = match find.query_row([name], |it| it.get(0)).optional()? {
        Some(id) => id,
        None => {
            connection.execute("INSERT INTO room (name) VALUES (?1)", [name])?;
            connection.last_insert_rowid()
        }
    };
    rooms.insert(room.clone(), id);
    Ok(id)
}
