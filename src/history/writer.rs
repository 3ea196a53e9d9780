//! Commits the messages of each turn for the broadcaster. While it cannot, the chat continues in
//! memory.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::clock::{ClockReading, FileClock};
use super::config::{Durability, HistoryConfig};
use super::file::HistoryFile;
use super::open::{Access, checkpoint, close_without_checkpoint, set_journal, wal_length};
use super::restore::{Restored, restore};
use super::retention::Retention;
use super::row::{ROWS_MAX, insert, last_number, room_ids};
use super::watcher::{FileWatcher, Loss};
use super::{HistoryError, epoch, incomplete_marker, names, recovery, schema};
use crate::archive::restore::ROOMS_MAX;
use crate::archive::{FAILED, RECOVERED, RECOVERED_IN_PART, RETRY_AFTER};
use crate::broadcaster::history::HistoryWriter;
use crate::chat::{Chat, HistoryLimits, Level, Message, NameChange, RoomName};

/// Length of the WAL above which the writer makes a checkpoint by itself (bytes), because the
/// maintenance does not keep up.
const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often the length of the WAL is checked (messages).
const CHECK_WAL_EVERY: usize = 10_000;

/// Writes the history. Belongs to the broadcaster.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<HistoryFile>,
    /// `None` while the file is lost.
    connection: Option<Connection>,
    watcher: FileWatcher,
    /// How the file was lost. `None` once another file is open in its place.
    loss: Option<Loss>,
    /// The epoch that clients were told.
    epoch: String,
    durability: Durability,
    /// Ids of the rooms in the file. May be empty: then they are read again.
    room_ids: HashMap<RoomName, i64>,
    /// The number of the newest message.
    last_number: i64,
    /// The messages of this turn.
    messages: Vec<Arc<Message>>,
    /// Nicknames of sessions that changed in this turn.
    name_changes: Vec<NameChange>,
    /// Wakes the maintenance. Its capacity is 1: a second wake-up would add nothing.
    wakeup: Sender<()>,
    /// Number of messages written since the length of the WAL was checked.
    since_wal_check: usize,
    /// When the writer tries again, after a failure.
    retry_at: Option<Instant>,
    retention: Retention,
    clock: FileClock,
}

impl Writer {
    /// Opens the history for writing. Returns its epoch, and the content that a server continues
    /// with.
    pub(super) fn open(
        file: Arc<HistoryFile>,
        config: &HistoryConfig,
        limits: HistoryLimits,
        wakeup: Sender<()>,
    ) -> Result<(Self, String, Restored), HistoryError> {
        let sql = |error| HistoryError::of(file.path(), error);
        // A server that was killed has left its WAL.
        let has_wal = wal_length(file.path()) > 0;
        let mut connection = file.connect(Access::Write).map_err(sql)?;
        schema::prepare(&mut connection, file.path())?;
        // All reads come before the first write, so that an unreadable file is left unchanged.
        let restored = restore(&connection, limits).map_err(sql)?;
        let last_number = last_number(&connection).map_err(sql)?;
        let room_ids = room_ids(&connection).map_err(sql)?;
        let (now, trusted_after) = (ClockReading::now(Instant::now()), config.deletion_notice * 24);
        let mut clock = FileClock::load(&connection, now.unix_ms, trusted_after).map_err(sql)?;
        clock.begin_run(last_number.saturating_add(1));
        let epoch =
            epoch::begin_run(&connection, file.path(), config.durability, has_wal).map_err(sql)?;
        let mut watcher = FileWatcher::new(&file);
        watcher.start(&file);
        let writer = Self {
            connection: Some(connection),
            watcher,
            loss: None,
            epoch: epoch.clone(),
            durability: config.durability,
            room_ids,
            last_number,
            messages: Vec::new(),
            name_changes: Vec::new(),
            wakeup,
            since_wal_check: 0,
            retry_at: None,
            retention: Retention::new(config),
            clock,
            file: file.clone(),
        };
        writer.wake_maintenance();
        Ok((writer, epoch, restored))
    }

    /// Returns whether messages are deleted after some time, or when a room has too many.
    pub(super) fn deletes_messages(&self) -> bool {
        self.retention.next_step().is_some()
    }

    fn wake_maintenance(&self) {
        let _ = self.wakeup.try_send(());
    }

    /// Checks that the file is still the history, before anything is written to it.
    fn check_file(&mut self, now: Instant) -> Result<(), Loss> {
        self.watcher.check(&self.file, now).inspect_err(|loss| {
            self.loss = Some(*loss);
            self.file.set_lost();
        })
    }

    /// Checks the machine's clock, before messages with its times are written.
    fn check_clock(&mut self, now: Instant) {
        let next = self.last_number.saturating_add(1);
        if let Some(change) = self.clock.check(ClockReading::now(now), next) {
            change.log(self.file.path());
        }
    }

    /// Writes the messages of this turn, and does other work that is due.
    fn write(&mut self, now: Instant) -> rusqlite::Result<()> {
        let is_new = !self.messages.is_empty() || !self.name_changes.is_empty();
        if is_new || self.clock.is_save_due(now) {
            self.commit_or_truncate_wal(now)?;
        }
        self.name_changes.clear();
        if !self.messages.is_empty() {
            self.since_wal_check += self.messages.len();
            self.messages.clear();
            self.wake_maintenance();
        }
        if let Err(error) = self.bound_wal() {
            log::debug!("cannot make a checkpoint: {error}");
        }
        let Some(connection) = &mut self.connection else { return Ok(()) };
        self.retention.step(connection, &mut self.clock, now)
    }

    /// Commits. If the disk is full, truncates the WAL and tries once more: most of its pages are in
    /// the file already.
    fn commit_or_truncate_wal(&mut self, now: Instant) -> rusqlite::Result<()> {
        match self.commit(now) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                // Rooms of the failed transaction are not in the file.
                self.room_ids.clear();
                if let Some(connection) = &self.connection {
                    self.file.checkpoint(|| checkpoint(connection, "TRUNCATE")).transpose()?;
                    self.watcher.expect_wal(true);
                }
                self.commit(now)
            }
            result => result,
        }
    }

    /// Commits the messages and changes of this turn in one transaction.
    fn commit(&mut self, now: Instant) -> rusqlite::Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let saves_clock = self.clock.is_save_due(now);
        if saves_clock {
            self.clock.save(&transaction)?;
        }
        let mut last_number = self.last_number;
        for messages in self.messages.chunks(ROWS_MAX) {
            insert(&transaction, &mut self.room_ids, messages, &mut last_number)?;
        }
        names::write(&transaction, &self.name_changes)?;
        transaction.commit()?;
        self.last_number = last_number;
        if saves_clock {
            self.clock.set_saved(now);
        }
        Ok(())
    }

    /// Makes a checkpoint if the WAL is very long.
    fn bound_wal(&mut self) -> rusqlite::Result<()> {
        if self.since_wal_check < CHECK_WAL_EVERY {
            return Ok(());
        }
        self.since_wal_check = 0;
        match &self.connection {
            Some(connection) if wal_length(self.file.path()) >= WAL_BYTES_MAX => {
                self.file.checkpoint(|| checkpoint(connection, "PASSIVE")).unwrap_or(Ok(()))
            }
            _ => Ok(()),
        }
    }

    /// Handles a failure: drops the messages of this turn, which the chat still holds, and sets the
    /// marker, in case that the server ends before it can write them. Returns the warning for the
    /// clients, unless they have it already.
    fn fail(&mut self, error: &dyn Display, now: Instant) -> Option<(&'static str, Level)> {
        let is_new = self.retry_at.is_none();
        self.retry_at = Some(now + RETRY_AFTER);
        self.messages.clear();
        self.name_changes.clear();
        let path = self.file.path().display();
        if is_new {
            log::warn!(
                "cannot write {path}: {error}; the chat goes on in memory, and writing is tried \
                 every second"
            );
        }
        // This may fail, too, so it is repeated with every failure.
        match incomplete_marker::set(self.file.path(), self.durability) {
            Err(error) if is_new => log::warn!("cannot mark {path} as incomplete: {error}"),
            _ => {}
        }
        is_new.then_some((FAILED, Level::Warning))
    }

    /// After a failure, tries again if it is time. Returns the notice for the clients if it succeeds.
    fn retry(&mut self, chat: &Chat, now: Instant) -> Option<(&'static str, Level)> {
        self.messages.clear();
        if self.retry_at.is_some_and(|at| at > now) {
            return None;
        }
        if self.loss.is_none() {
            // A lost file may be the cause of the failure.
            let _ = self.check_file(now);
        }
        let is_complete = match self.recover(chat, now) {
            Ok(is_complete) => is_complete,
            Err(error) => return self.fail(&error, now),
        };
        self.retry_at = None;
        let path = self.file.path().display();
        if is_complete {
            log::info!("{path} is written again");
        } else {
            log::warn!("{path} is written again, but may lack earlier messages");
        }
        incomplete_marker::clear(self.file.path());
        self.wake_maintenance();
        Some(if is_complete {
            (RECOVERED, Level::Info)
        } else {
            (RECOVERED_IN_PART, Level::Warning)
        })
    }

    /// Opens the file again, and writes the messages that memory holds and the file lacks. Returns
    /// whether the file then has all messages that clients got under its epoch. If not, it gets
    /// another epoch.
    fn recover(&mut self, chat: &Chat, now: Instant) -> Result<bool, HistoryError> {
        self.reopen()?;
        let is_complete = self
            .write_missing(chat, now)
            .map_err(|error| HistoryError::of(self.file.path(), error))?;
        self.loss = None;
        self.watcher.start(&self.file);
        Ok(is_complete)
    }

    /// Opens the file again, or the file that is now in its place.
    fn reopen(&mut self) -> Result<(), HistoryError> {
        let old = self.connection.take();
        if let Some(loss) = self.loss {
            if let Some(old) = old {
                if matches!(loss, Loss::Gone | Loss::Replaced | Loss::WalGone) {
                    // The open file and its open WAL belong together, wherever they are now.
                    let moved = checkpoint(&old, "TRUNCATE");
                    log::debug!("checkpoint into the lost file: {moved:?}");
                }
                close_without_checkpoint(old);
            }
            self.watcher.reopen(&self.file, loss)?;
            if loss != Loss::ShmGone {
                // The leftovers are removed. If the next steps fail, the files that are there next
                // time belong to another history.
                self.loss = Some(Loss::Replaced);
            }
        }
        // Even without a loss it may be another file, if a disk was unmounted and mounted again.
        let path = self.file.path();
        let sql = |error| HistoryError::of(path, error);
        let mut connection = self.file.connect(Access::Write).map_err(sql)?;
        schema::prepare(&mut connection, path)?;
        set_journal(&connection, self.durability).map_err(sql)?;
        self.connection = Some(connection);
        Ok(())
    }

    fn write_missing(&mut self, chat: &Chat, now: Instant) -> rusqlite::Result<bool> {
        let Some(connection) = &mut self.connection else { return Ok(false) };
        self.room_ids = room_ids(connection)?;
        let mut last_number = last_number(connection)?.max(self.last_number);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let is_same = epoch::read(&transaction)? == self.epoch;
        let written =
            recovery::write_missing(&transaction, &mut self.room_ids, chat, &mut last_number)?;
        // Memory knows at most `ROOMS_MAX` rooms. A lost file may have had more.
        let has_all_rooms = self.loss.is_none() || written.rooms < ROOMS_MAX;
        let is_complete = is_same && written.is_complete && has_all_rooms;
        if !is_complete && (self.loss.is_some() || !is_same) {
            epoch::renew(&transaction)?;
        }
        names::replace(&transaction, chat.names())?;
        epoch::set_opened(&transaction, self.durability)?;
        self.clock.save(&transaction)?;
        transaction.commit()?;
        self.clock.set_saved(now);
        self.last_number = last_number;
        Ok(is_complete)
    }

    /// Closes the history in order: afterwards all messages are in the file itself, and on the disk.
    fn close(&mut self) -> rusqlite::Result<()> {
        self.check_clock(Instant::now());
        let Some(connection) = &mut self.connection else { return Ok(()) };
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.clock.save(&transaction)?;
        epoch::set_closed(&transaction)?;
        transaction.commit()?;
        checkpoint(connection, "TRUNCATE")?;
        // SQLite removes the `-shm` file when the last connection is closed.
        self.file.set_shm_length(0);
        Ok(())
    }
}

impl HistoryWriter for Writer {
    fn take(&mut self, message: &Arc<Message>) {
        self.messages.push(message.clone());
    }

    fn take_names(&mut self, changes: Vec<NameChange>) {
        self.name_changes.extend(changes);
    }

    fn end_turn(&mut self, chat: &Chat, now: Instant) -> Option<(&'static str, Level)> {
        if self.retry_at.is_some() {
            self.name_changes.clear();
            return self.retry(chat, now);
        }
        let is_due = self.retention.next_step().is_some_and(|next| next <= now);
        if self.messages.is_empty() && self.name_changes.is_empty() && !is_due {
            return None;
        }
        if let Err(loss) = self.check_file(now) {
            return self.fail(&loss, now);
        }
        self.check_clock(now);
        let written = self.write(now);
        self.watcher.expect_wal(written.is_err());
        if let Err(error) = written {
            self.room_ids.clear();
            return self.fail(&error, now);
        }
        None
    }

    fn next_tick(&self) -> Option<Instant> {
        self.retry_at.or(self.retention.next_step())
    }
}

impl Drop for Writer {
    /// Closes the history in order, unless the file is lost or could not be written.
    fn drop(&mut self) {
        let path = self.file.path().to_owned();
        if self.retry_at.is_none() {
            let Err(loss) = self.check_file(Instant::now()) else {
                if let Err(error) = self.close() {
                    log::warn!("cannot close {} in order: {error}", path.display());
                }
                return;
            };
            log::warn!("cannot close {} in order: {loss}", path.display());
            let _ = incomplete_marker::set(&path, self.durability);
        }
        if self.loss.is_some() {
            self.connection.take().into_iter().for_each(close_without_checkpoint);
        }
    }
}
