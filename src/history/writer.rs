//! The broadcaster's share: commits what a turn brought, and goes on in memory while it cannot.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Sender;
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};

use super::clock::{Change, FileClock, Reading};
use super::file::{HistoryFile, Loss, SHRINKS_ABOVE, Use, Watch, beside, close_as_it_is};
use super::restore::{ROOMS_MAX, Restored, restore};
use super::retention::Retention;
use super::row::{ROWS_MAX, id_of, ids, insert, last_number};
use super::{HistoryError, incomplete_marker, names, row, schema};
use crate::broadcaster::history::HistoryWriter;
use crate::chat::{Chat, HistoryLimits, Level, Message, NameChange, RoomName};
use crate::config::{Durability, HistoryConfig};

/// So long after a failure it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The log is cut to this length when all of it has been moved into the file (bytes).
const LOG_BYTES: u64 = SHRINKS_ABOVE;
/// When the log is longer than this (bytes), the writer moves it into the file by itself: so much
/// is written that the maintenance does not come to it.
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// It is looked how long the log is when so many messages were written.
const LOOK_EVERY: usize = 10_000;

const TROUBLE: &str = "The history cannot be written: what is said now may be lost when the server \
                       restarts.";
const RELIEF: &str = "The history is written again.";
const RELIEF_IN_PART: &str = "The history is written again, but some of what was said before is \
                              missing from it.";

/// Writes the history.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<HistoryFile>,
    /// There is none while the file is lost.
    connection: Option<Connection>,
    watch: Watch,
    /// The file is not the history any more, and no other is opened yet.
    loss: Option<Loss>,
    /// The name under which clients know the history.
    epoch: String,
    durability: Durability,
    /// The rooms' ids.
    rooms: HashMap<RoomName, i64>,
    /// The number of the newest message.
    last_number: i64,
    /// What this turn brought.
    taken: Vec<Arc<Message>>,
    /// Nicknames that changed in this turn.
    names: Vec<NameChange>,
    /// Rung when there is something new.
    bell: Sender<()>,
    /// How many messages were written since it was looked how long the log is.
    unseen: usize,
    /// When it is tried again to write, after a failure.
    retry: Option<Instant>,
    retention: Retention,
    clock: FileClock,
}

impl Writer {
    /// Opens the history for writing, and takes it up: its epoch, and what is left of it.
    pub(super) fn open(
        file: Arc<HistoryFile>,
        config: &HistoryConfig,
        limits: HistoryLimits,
        bell: Sender<()>,
    ) -> Result<(Self, String, Restored), HistoryError> {
        let sql = |error| HistoryError::of(file.path(), error);
        // Where a server was killed there is a log.
        let has_log = fs::metadata(beside(file.path(), "-wal")).is_ok_and(|it| it.len() > 0);
        let mut connection = file.connect(Use::Write).map_err(sql)?;
        schema::prepare(&mut connection, file.path())?;
        // First, so that what cannot be read is left as it is.
        let left = restore(&connection, limits).map_err(sql)?;
        let last_number = last_number(&connection).map_err(sql)?;
        let ids = ids(&connection).map_err(sql)?;
        let (now, believed_after) = (read_clock(Instant::now()), config.deletion_notice * 24);
        let mut clock = FileClock::load(&connection, now.unix_ms, believed_after).map_err(sql)?;
        clock.begin(last_number.saturating_add(1));
        let epoch = take_up(&connection, &file, config.durability, has_log).map_err(sql)?;
        let mut watch = Watch::new(&file);
        file.is_found(&mut watch);
        let writer = Self {
            connection: Some(connection),
            watch,
            loss: None,
            epoch: epoch.clone(),
            durability: config.durability,
            rooms: ids,
            last_number,
            taken: Vec::new(),
            names: Vec::new(),
            bell,
            unseen: 0,
            retry: None,
            retention: Retention::new(config),
            clock,
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
    fn commit(&mut self, now: Instant) -> rusqlite::Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let saves_clock = self.clock.is_to_be_saved(now);
        if saves_clock {
            self.clock.save(&transaction)?;
        }
        let mut last_number = self.last_number;
        for messages in self.taken.chunks(ROWS_MAX) {
            insert(&transaction, &mut self.rooms, messages, &mut last_number)?;
        }
        names::write(&transaction, &self.names)?;
        transaction.commit()?;
        self.last_number = last_number;
        if saves_clock {
            self.clock.is_saved(now);
        }
        Ok(())
    }

    /// Looks at the clock, before anything is written that was said by it.
    fn look_at_clock(&mut self, now: Instant) {
        let change = self.clock.look(read_clock(now), self.last_number.saturating_add(1));
        match change {
            Some(Change::Doubted { by, is_ahead }) => log::warn!(
                "the clock of this machine is {} {} the last time that {} knows: no message is \
                 taken for old by it until it has gone evenly for long enough, or is set right",
                humantime::format_duration(Duration::from_secs(by / 1000)),
                if is_ahead { "ahead of" } else { "behind" },
                self.file.path().display()
            ),
            Some(Change::Agreed) => log::info!("the clock of this machine is right again"),
            Some(Change::Believed) => log::info!("the clock of this machine is believed now"),
            None => {}
        }
    }

    /// Writes what was taken. On a full disk the log, which is mostly of pages that the file has
    /// already, makes way, and it is tried once more.
    fn commit_or_make_room(&mut self, now: Instant) -> rusqlite::Result<()> {
        match self.commit(now) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                // Ids of rooms may be among what was not written.
                self.rooms.clear();
                if let Some(connection) = &self.connection {
                    let make_room =
                        || connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                    self.file.move_log(make_room).transpose()?;
                    self.watch.leave(true);
                }
                self.commit(now)
            }
            result => result,
        }
    }

    /// Opens the file again, or the one that is in its place.
    fn reopen(&mut self) -> Result<(), HistoryError> {
        let old = self.connection.take();
        if let Some(loss) = self.loss {
            if let Some(old) = old {
                let has_all = matches!(loss, Loss::Gone | Loss::Replaced | Loss::LogGone);
                if has_all {
                    // The log is whole, and so is the file that it belongs to, wherever that is now.
                    let moved = old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                    log::debug!("moved the log into the lost file: {moved:?}");
                }
                close_as_it_is(old);
            }
            self.file.reopen(loss, &self.watch)?;
            if loss != Loss::ShmGone {
                // What was left of the lost file is cleared away. If this fails further on, what
                // stands there the next time is not ours.
                self.loss = Some(Loss::Replaced);
            }
        }
        // Else, too, the file may be another than the one that failed: on a disk that was taken out
        // and put back in.
        let path = self.file.path();
        let sql = |error| HistoryError::of(path, error);
        let mut connection = self.file.connect(Use::Write).map_err(sql)?;
        schema::prepare(&mut connection, path)?;
        set_up(&connection, self.durability).map_err(sql)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Writes what is held in memory and not in the file, after it could not be written. Returns
    /// whether the file has all that clients were sent under its epoch. If not, it gets another
    /// epoch: the next server will not take it for the history that they know.
    fn catch_up(&mut self, chat: &Chat, now: Instant) -> Result<bool, HistoryError> {
        self.reopen()?;
        let path = self.file.path().to_owned();
        let is_whole =
            self.write_lost(chat, now).map_err(|error| HistoryError::of(&path, error))?;
        self.loss = None;
        self.file.is_found(&mut self.watch);
        Ok(is_whole)
    }

    fn write_lost(&mut self, chat: &Chat, now: Instant) -> rusqlite::Result<bool> {
        let Some(connection) = &mut self.connection else { return Ok(false) };
        self.rooms = ids(connection)?;
        let mut last_number = last_number(connection)?.max(self.last_number);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let epoch: String =
            transaction.query_row("SELECT epoch FROM history", [], |it| it.get(0))?;
        let mut is_whole = epoch == self.epoch;
        let (mut lost, mut known) = (Vec::new(), 0);
        for (room, seq, held) in chat.known().filter(|(_, seq, _)| *seq > 0) {
            known += 1;
            let id = id_of(&transaction, &mut self.rooms, room)?;
            // What was deleted is not written again.
            let mut newest = transaction.prepare_cached(
                "SELECT max(last_seq, coalesce((SELECT max(seq) FROM message WHERE room = ?1), 0))
                    FROM room WHERE id = ?1",
            )?;
            let kept: u64 = newest.query_row([id], |it| row::whole(it, 0))?;
            let mut next = held.filter(|it| it.seq > kept).cloned().peekable();
            let goes_on_at = next.peek().map_or(seq.saturating_add(1), |first| first.seq);
            is_whole &= goes_on_at <= kept.saturating_add(1);
            lost.extend(next);
            // Its numbers are used, also where it is not known any more for what.
            let used = "UPDATE room SET last_seq = ?2 WHERE id = ?1 AND last_seq < ?2";
            transaction.prepare_cached(used)?.execute(params![id, seq])?;
        }
        // Of more rooms than are remembered nothing is known.
        is_whole &= self.loss.is_none() || known < ROOMS_MAX;
        // In the order of saying, as far as the clock tells.
        lost.sort_by_key(|message| message.time);
        for messages in lost.chunks(ROWS_MAX) {
            insert(&transaction, &mut self.rooms, messages, &mut last_number)?;
        }
        if !is_whole && (self.loss.is_some() || epoch != self.epoch) {
            transaction.execute("UPDATE history SET epoch = lower(hex(randomblob(8)))", [])?;
        }
        names::replace(&transaction, chat.names())?;
        let opened_in = opened_in(self.durability);
        transaction.execute("UPDATE history SET opened_in = ?1", [opened_in])?;
        self.clock.save(&transaction)?;
        transaction.commit()?;
        self.clock.is_saved(now);
        self.last_number = last_number;
        Ok(is_whole)
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
        let Some(connection) = &self.connection else { return Ok(()) };
        let move_log = || connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        self.file.move_log(move_log).unwrap_or(Ok(()))
    }

    /// Looks whether the file is still the history, before anything is written to it.
    fn look_at_file(&mut self, now: Instant) -> Result<(), Loss> {
        self.watch.look(&self.file, now).inspect_err(|loss| {
            self.loss = Some(*loss);
            self.file.lose();
        })
    }

    /// What to do when the file cannot be written. A incomplete_marker beside it says that there is a history
    /// which it does not have, in case that the server ends before it can be written again.
    fn fail(&mut self, error: &dyn Display, now: Instant) -> Option<(&'static str, Level)> {
        let is_new = self.retry.is_none();
        self.retry = Some(now + RETRY_AFTER);
        self.taken.clear();
        self.names.clear();
        let path = self.file.path().display();
        if is_new {
            log::warn!(
                "cannot write {path}: {error}; the chat goes on in memory, and writing is tried \
                 every second"
            );
        }
        // Where there is none yet, it is tried every second, too.
        if let (Err(error), true) =
            (incomplete_marker::set(self.file.path(), self.durability), is_new)
        {
            log::warn!("cannot incomplete_marker {path} as incomplete: {error}");
        }
        is_new.then_some((TROUBLE, Level::Warning))
    }

    fn recover(&mut self, chat: &Chat, now: Instant) -> Option<(&'static str, Level)> {
        self.taken.clear();
        if self.retry.is_some_and(|at| at > now) {
            return None;
        }
        if self.loss.is_none() {
            // What failed may be so because of that.
            let _ = self.look_at_file(now);
        }
        let is_whole = match self.catch_up(chat, now) {
            Ok(is_whole) => is_whole,
            Err(error) => return self.fail(&error, now),
        };
        self.retry = None;
        let path = self.file.path().display();
        if is_whole {
            log::info!("{path} is written again");
        } else {
            log::warn!("{path} is written again, but may not have all of what was said before");
        }
        incomplete_marker::clear(self.file.path());
        let _ = self.bell.try_send(());
        Some(if is_whole { (RELIEF, Level::Info) } else { (RELIEF_IN_PART, Level::Warning) })
    }
}

impl Writer {
    /// Does what is due in this turn.
    fn write(&mut self, now: Instant) -> rusqlite::Result<()> {
        let is_new = !self.taken.is_empty() || !self.names.is_empty();
        if is_new || self.clock.is_to_be_saved(now) {
            self.commit_or_make_room(now)?;
        }
        self.names.clear();
        if !self.taken.is_empty() {
            self.unseen += self.taken.len();
            self.taken.clear();
            let _ = self.bell.try_send(());
        }
        if let Err(error) = self.bound_log() {
            log::debug!("the log stays as it is: {error}");
        }
        let Some(connection) = &mut self.connection else { return Ok(()) };
        self.retention.step(connection, &mut self.clock, now)
    }
}

impl HistoryWriter for Writer {
    fn take(&mut self, message: &Arc<Message>) {
        self.taken.push(message.clone());
    }

    fn take_names(&mut self, changes: Vec<NameChange>) {
        self.names.extend(changes);
    }

    fn end_turn(&mut self, chat: &Chat, now: Instant) -> Option<(&'static str, Level)> {
        if self.retry.is_some() {
            self.names.clear();
            return self.recover(chat, now);
        }
        let is_due = self.retention.next_step().is_some_and(|next| next <= now);
        if self.taken.is_empty() && self.names.is_empty() && !is_due {
            return None;
        }
        if let Err(loss) = self.look_at_file(now) {
            return self.fail(&loss, now);
        }
        self.look_at_clock(now);
        let written = self.write(now);
        self.watch.leave(written.is_err());
        if let Err(error) = written {
            self.rooms.clear();
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
        let path = self.file.path().to_owned();
        if self.retry.is_none() {
            match self.look_at_file(Instant::now()) {
                Ok(()) => {
                    if let Err(error) = self.close() {
                        log::warn!("cannot close {} in order: {error}", path.display());
                    }
                    return;
                }
                Err(loss) => {
                    log::warn!("cannot close {} in order: {loss}", path.display());
                    let _ = incomplete_marker::set(&path, self.durability);
                }
            }
        }
        if self.loss.is_some() {
            if let Some(connection) = self.connection.take() {
                close_as_it_is(connection);
            }
        }
    }
}

impl Writer {
    fn close(&mut self) -> rusqlite::Result<()> {
        self.look_at_clock(Instant::now());
        let Some(connection) = &mut self.connection else { return Ok(()) };
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.clock.save(&transaction)?;
        transaction.execute("UPDATE history SET opened_in = NULL", [])?;
        transaction.commit()?;
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        self.file.is_closed();
        Ok(())
    }
}

fn read_clock(instant: Instant) -> Reading {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Reading { instant, unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) }
}

fn set_up(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Machine => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}

/// Takes the history up, or begins a new one on top of it where it is not known that the file has
/// everything that clients were sent: when it could not be written, and when the machine went down
/// before everything was on the disk.
fn take_up(
    connection: &Connection,
    file: &HistoryFile,
    durability: Durability,
    has_log: bool,
) -> rusqlite::Result<String> {
    set_up(connection, Durability::Machine)?;
    let was_opened_in: Option<String> =
        connection.query_row("SELECT opened_in FROM history", [], |it| it.get(0))?;
    let boot = opened_in(Durability::Process);
    let is_whole =
        was_opened_in.is_none_or(|it| has_log && (it == SAFE || (!boot.is_empty() && it == boot)));
    if !is_whole || incomplete_marker::is_set(file.path()) {
        log::warn!(
            "{} may not have the last of what was said; nobody is told that it has",
            file.path().display()
        );
        connection.execute("UPDATE history SET epoch = lower(hex(randomblob(8)))", [])?;
    }
    // It has to be on the disk before any message is.
    connection.execute("UPDATE history SET opened_in = ?1", [opened_in(durability)])?;
    incomplete_marker::clear(file.path());
    // Into the file itself, which has to know that there was a log; and that stays.
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    set_up(connection, durability)?;
    connection.query_row("SELECT epoch FROM history", [], |it| it.get(0))
}

/// Instead of a boot of the machine: every message is on the disk.
const SAFE: &str = "full";

/// What a history is marked with while a server has it open.
fn opened_in(durability: Durability) -> String {
    if durability == Durability::Machine {
        return SAFE.to_owned();
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot.trim().to_owned()
}
