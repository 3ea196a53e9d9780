//! Deletes messages that are too old, or too many for their room. Each step is so small that it does
//! not delay the chat.
//!
//! Messages that are too old are found in passes over the file. Each pass deletes the messages that
//! the pass before announced, counts the others that are too old, and announces them in the log. The
//! next pass follows after the deletion notice. It follows at once if there are few messages, and all
//! of them are too old even if the last clock steps are reversed.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Params, Statement, Transaction, TransactionBehavior, params};

use super::clock::FileClock;
use super::config::HistoryConfig;
use super::row::{last_number, unsigned};

/// How often messages to delete are looked for, and the clock is checked.
const CHECK_EVERY: Duration = Duration::from_secs(60);
/// How long deletion pauses between two steps.
const PAUSE: Duration = Duration::from_millis(50);
/// Maximum number of messages that a step deletes, which takes a few tenths of a millisecond.
const DELETED_MAX: usize = 100;
/// Maximum number of messages that a step of a pass checks.
const CHECKED_MAX: usize = 1000;
/// How long a step of a pass may check messages on a slow disk.
const CHECK_FOR: Duration = Duration::from_millis(1);
/// Maximum number of messages that are deleted as soon as they are announced.
const FEW: u64 = 1000;
/// Maximum number of pages of 4 KiB that a step returns to the file system.
const PAGES: usize = 64;
/// Maximum number of rooms that a step checks.
const ROOMS: usize = 32;

/// The rules of deletion, and its progress.
#[derive(Debug)]
pub(super) struct Retention {
    /// How long messages are kept.
    keep: Option<Duration>,
    /// Maximum number of messages of a room.
    keep_messages: Option<u64>,
    /// When the next step is due, of whatever kind.
    next_step: Option<Instant>,
    /// When rooms are next checked for a surplus of messages.
    next_surplus: Option<Instant>,
    /// Id of the last room that was checked.
    last_room: i64,
    /// How long between the announcement and the deletion.
    deletion_notice: Duration,
    /// When the next pass begins.
    next_pass: Option<Instant>,
    pass: Option<Pass>,
    /// The last pass announced the deletion of messages from before this time (ms). If the clock goes
    /// back, so does this.
    announced: Option<u64>,
}

/// A pass over all messages.
#[derive(Debug, Default)]
struct Pass {
    /// Messages from before this time were announced, and are deleted (ms).
    delete_before: Option<u64>,
    /// Messages from before this time are too old (ms).
    old_before: u64,
    /// Messages from before this time are too old even if clock steps are reversed (ms).
    certain_before: u64,
    /// Number of the last message that was checked.
    up_to: i64,
    /// Number of messages that stay for now.
    messages: u64,
    /// How many of them are too old.
    old: u64,
    /// How many of them are too old even if clock steps are reversed.
    certain: u64,
}

impl Pass {
    /// Checks the next messages. Returns the numbers of those to delete, and whether there are no
    /// more messages.
    fn check(
        &mut self,
        connection: &Connection,
        clock: &FileClock,
    ) -> rusqlite::Result<(Vec<i64>, bool)> {
        let mut next = connection.prepare_cached(
            "SELECT number, time FROM message WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let mut rows = next.query(params![self.up_to, CHECKED_MAX])?;
        let (mut announced, began) = (Vec::new(), Instant::now());
        for _ in 0..CHECKED_MAX {
            let Some(row) = rows.next()? else { return Ok((announced, true)) };
            let number = row.get(0)?;
            let sent_at = clock.sent_at(number, unsigned(row, 1)?);
            let is_before = |time: u64| sent_at.is_some_and(|sent_at| sent_at < time);
            self.up_to = number;
            if self.delete_before.is_some_and(is_before) {
                announced.push(number);
            } else {
                self.messages += 1;
                self.old += u64::from(is_before(self.old_before));
                self.certain += u64::from(is_before(self.certain_before));
            }
            if announced.len() == DELETED_MAX || began.elapsed() > CHECK_FOR {
                break;
            }
        }
        Ok((announced, false))
    }
}

impl Retention {
    pub(super) fn new(config: &HistoryConfig) -> Self {
        let HistoryConfig { keep, keep_messages, .. } = *config;
        let keep_messages = keep_messages.map(NonZeroU64::get);
        let next = (keep.is_some() || keep_messages.is_some()).then(Instant::now);
        Self {
            keep,
            keep_messages,
            next_step: next,
            next_surplus: keep_messages.and(next),
            last_room: 0,
            deletion_notice: config.deletion_notice.max(PAUSE),
            next_pass: keep.and(next),
            pass: None,
            announced: None,
        }
    }

    /// Returns when the next step is due, or `None` if messages are never deleted.
    pub(super) fn next_step(&self) -> Option<Instant> {
        self.next_step
    }

    /// Does a step, if it is due.
    pub(super) fn step(
        &mut self,
        connection: &mut Connection,
        clock: &mut FileClock,
        now: Instant,
    ) -> rusqlite::Result<()> {
        if self.next_step.is_none_or(|next| next > now) {
            return Ok(());
        }
        let mut is_done = true;
        if let Some(keep) = self.keep {
            let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
            is_done &= self.step_pass(connection, clock, keep, now)?;
        }
        if self.next_surplus.is_some_and(|next| next <= now) {
            is_done &= self.step_surplus(connection, now)?;
        }
        let has_more_later = self.announced.is_some() || self.next_surplus.is_some();
        let pause = if !is_done {
            PAUSE
        } else if has_more_later {
            CHECK_EVERY
        } else {
            self.deletion_notice
        };
        let next_pass = self.next_pass.filter(|_| self.pass.is_none());
        self.next_step = next_pass.into_iter().chain([now + pause]).min();
        Ok(())
    }

    /// Checks some messages of a pass, and deletes those that were announced. Begins a pass if it is
    /// due. Returns false if there are more messages.
    fn step_pass(
        &mut self,
        connection: &mut Connection,
        clock: &mut FileClock,
        keep: u64,
        now: Instant,
    ) -> rusqlite::Result<bool> {
        let old_before = clock.time().saturating_sub(keep);
        self.announced = self.announced.map(|announced| announced.min(old_before));
        if self.pass.is_none() && self.next_pass.is_some_and(|next| next <= now) {
            self.pass = Some(Pass {
                delete_before: self.announced,
                old_before,
                certain_before: clock.certain().saturating_sub(keep),
                up_to: i64::MIN,
                ..Pass::default()
            });
        }
        let Some(pass) = &mut self.pass else { return Ok(true) };
        pass.delete_before = pass.delete_before.map(|before| before.min(old_before));
        let (announced, is_through) = pass.check(connection, clock)?;
        if !announced.is_empty() {
            delete(connection, |transaction| {
                let mut delete = transaction
                    .prepare_cached("DELETE FROM message WHERE number = ?1 RETURNING room, seq")?;
                let each = announced.iter().map(|number| deleted(&mut delete, [number]));
                Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
            })?;
        }
        if is_through {
            self.end_pass(clock, now);
        }
        Ok(is_through)
    }

    fn end_pass(&mut self, clock: &mut FileClock, now: Instant) {
        let Some(pass) = self.pass.take() else { return };
        if let Some(before) = pass.delete_before {
            clock.forget(before);
        }
        let Pass { messages, old, certain, .. } = pass;
        if old == 0 {
            (self.next_pass, self.announced) = (Some(now + self.deletion_notice), None);
            return;
        }
        let in_words = |it: Duration| humantime::format_duration(Duration::from_secs(it.as_secs()));
        let keep = in_words(self.keep.unwrap_or_default());
        if pass.delete_before.is_none() && (1..=FEW).contains(&certain) {
            (self.next_pass, self.announced) = (Some(now), Some(pass.certain_before));
            log::info!("{certain} of {messages} messages are older than {keep}, and are deleted");
        } else {
            self.next_pass = Some(now + self.deletion_notice);
            self.announced = Some(pass.old_before);
            log::info!(
                "{old} of {messages} messages are older than {keep}: they are deleted in {}, unless \
                 the clock goes back",
                in_words(self.deletion_notice)
            );
        }
    }

    /// Deletes some messages of rooms that have too many. Returns false if there are more.
    fn step_surplus(
        &mut self,
        connection: &mut Connection,
        now: Instant,
    ) -> rusqlite::Result<bool> {
        let mut is_through = true;
        let count = delete(connection, |transaction| {
            let surplus;
            (surplus, is_through) = self.delete_surplus(transaction)?;
            Ok(surplus)
        })?;
        let is_done = is_through && count < DELETED_MAX;
        self.next_surplus = Some(now + if is_done { CHECK_EVERY } else { PAUSE });
        Ok(is_done)
    }

    /// Deletes some messages of rooms that have too many. Returns room and `seq` of each deleted
    /// message, and whether all rooms were checked.
    fn delete_surplus(
        &mut self,
        transaction: &Transaction<'_>,
    ) -> rusqlite::Result<(Vec<(i64, i64)>, bool)> {
        let Some(keep) = self.keep_messages else { return Ok((vec![], true)) };
        let mut rooms =
            transaction.prepare_cached("SELECT id FROM room WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let rooms = rooms.query_map(params![self.last_room, ROOMS], |row| row.get(0))?;
        let rooms: Vec<i64> = rooms.collect::<Result<_, _>>()?;
        let mut delete = transaction.prepare_cached(
            "DELETE FROM message WHERE number IN (
                SELECT number FROM message WHERE room = ?1
                    AND seq <= (SELECT max(seq) FROM message WHERE room = ?1) - ?2
                ORDER BY seq LIMIT ?3)
             RETURNING room, seq",
        )?;
        let mut surplus = Vec::new();
        for room in &rooms {
            let left = DELETED_MAX - surplus.len();
            surplus.extend(deleted(&mut delete, params![room, keep, left])?);
            if surplus.len() == DELETED_MAX {
                return Ok((surplus, false));
            }
            self.last_room = *room;
        }
        let is_through = rooms.len() < ROOMS;
        if is_through {
            self.last_room = 0;
        }
        Ok((surplus, is_through))
    }
}

/// Runs `delete`, which returns room and `seq` of each message that it deleted, and records that their
/// numbers are used. Returns how many there were.
fn delete(
    connection: &mut Connection,
    delete: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Vec<(i64, i64)>>,
) -> rusqlite::Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last_number = last_number(&transaction)?;
    let deleted = delete(&transaction)?;
    if deleted.is_empty() {
        return Ok(0);
    }
    transaction.execute("UPDATE history SET last_number = ?1", [last_number])?;
    for (room, seq) in &deleted {
        let update = "UPDATE room SET last_seq = ?2 WHERE id = ?1 AND last_seq < ?2";
        transaction.prepare_cached(update)?.execute(params![room, seq])?;
    }
    transaction.commit()?;
    free_pages(connection)?;
    Ok(deleted.len())
}

/// Returns pages to the file system: one for each row of the statement.
fn free_pages(connection: &Connection) -> rusqlite::Result<()> {
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

/// Runs a statement that deletes messages. Returns room and `seq` of each.
fn deleted(
    delete: &mut Statement<'_>,
    parameters: impl Params,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    delete.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
