//! What is deleted again: what is too old, and what is too much for a room. In steps so small that
//! the chat does not notice.
//!
//! What is too old is found out in passes over the file. Each pass counts what is too old by then,
//! says so in the log, and deletes what the pass before has counted. Where that is little, and too
//! old whatever becomes of the clock, the next pass follows at once, and else after a while.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Params, Statement, Transaction, TransactionBehavior, params};

use super::clock::FileClock;
use super::row::{last_number, whole};
use crate::config::HistoryConfig;

/// How often it is looked whether there is anything to delete, and how the clock goes.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long it rests after a step, while there is more to do.
const REST: Duration = Duration::from_millis(50);
/// The most messages that go at once, which takes some tenths of a millisecond.
const STEP: usize = 100;
/// The most messages that are looked at in one step, and how long that may take on a slow disk.
const LOOKED_AT: usize = 1000;
const LOOK_FOR: Duration = Duration::from_millis(1);
/// Maximum number of messages that are deleted without a wait after they were counted.
const FEW: u64 = 1000;
/// The most pages of 4 KiB that are given back to the file system at once.
const PAGES: usize = 64;
/// The most rooms that are looked at in one step.
const ROOMS: usize = 32;

/// What is deleted, and when it is looked for next.
#[derive(Debug)]
pub(super) struct Retention {
    keep: Option<Duration>,
    keep_messages: Option<u64>,
    next: Option<Instant>,
    /// When too many messages of a room are looked for.
    next_surplus: Option<Instant>,
    /// Up to which room they were looked for.
    looked_up_to: i64,
    /// How long lies between two passes.
    second_look: Duration,
    /// When the next pass begins.
    next_pass: Option<Instant>,
    pass: Option<Pass>,
    /// Before which time a message is too old that the last pass has counted (ms). If the clock
    /// goes back after that, so does this.
    counted: Option<u64>,
}

/// One look at every message.
#[derive(Debug, Default)]
struct Pass {
    /// What was said before this goes (ms).
    goes: Option<u64>,
    /// What was said before this is too old (ms).
    is_old: u64,
    /// What was said before this is too old whatever becomes of the clock (ms).
    is_certain: u64,
    /// Up to which message it has come.
    up_to: i64,
    messages: u64,
    old: u64,
    certain: u64,
}

impl Retention {
    pub(super) fn new(config: &HistoryConfig) -> Self {
        let HistoryConfig { keep, keep_messages, deletion_notice: second_look, .. } = *config;
        let keep_messages = keep_messages.map(NonZeroU64::get);
        let next = (keep.is_some() || keep_messages.is_some()).then(Instant::now);
        Self {
            keep,
            keep_messages,
            next,
            next_surplus: keep_messages.and(next),
            looked_up_to: 0,
            second_look: second_look.max(REST),
            next_pass: keep.and(next),
            pass: None,
            counted: None,
        }
    }

    pub(super) fn next_step(&self) -> Option<Instant> {
        self.next
    }

    /// Deletes a few messages, if it is time for that.
    pub(super) fn step(
        &mut self,
        connection: &mut Connection,
        clock: &mut FileClock,
        now: Instant,
    ) -> rusqlite::Result<()> {
        if self.next.is_none_or(|next| next > now) {
            return Ok(());
        }
        let mut is_done = true;
        if let Some(keep) = self.keep {
            let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
            is_done &= self.step_of_pass(connection, clock, keep, now)?;
        }
        if self.next_surplus.is_some_and(|next| next <= now) {
            is_done &= self.step_of_surplus(connection, now)?;
        }
        let is_watching = self.counted.is_some() || self.next_surplus.is_some();
        let waits = if !is_done {
            REST
        } else if is_watching {
            LOOK_EVERY
        } else {
            self.second_look
        };
        let next_pass = self.next_pass.filter(|_| self.pass.is_none());
        self.next = next_pass.into_iter().chain([now + waits]).min();
        Ok(())
    }

    /// Looks at some messages, in a pass, and deletes those that go. False if there are more.
    fn step_of_pass(
        &mut self,
        connection: &mut Connection,
        clock: &mut FileClock,
        keep: u64,
        now: Instant,
    ) -> rusqlite::Result<bool> {
        let is_old = clock.time().saturating_sub(keep);
        self.counted = self.counted.map(|counted| counted.min(is_old));
        if self.pass.is_none() && self.next_pass.is_some_and(|next| next <= now) {
            let is_certain = clock.certain().saturating_sub(keep);
            let (goes, up_to) = (self.counted, i64::MIN);
            self.pass = Some(Pass { goes, is_old, is_certain, up_to, ..Pass::default() });
        }
        let Some(pass) = &mut self.pass else { return Ok(true) };
        pass.goes = pass.goes.map(|goes| goes.min(is_old));
        let (old, is_through) = look(connection, clock, pass)?;
        if !old.is_empty() {
            delete(connection, |transaction| {
                let mut delete = transaction
                    .prepare_cached("DELETE FROM message WHERE number = ?1 RETURNING room, seq")?;
                let each = old.iter().map(|number| deleted(&mut delete, [number]));
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
        if let Some(goes) = pass.goes {
            clock.forget(goes);
        }
        let Pass { messages, old, certain, is_old, is_certain, .. } = pass;
        if old == 0 {
            (self.next_pass, self.counted) = (Some(now + self.second_look), None);
            return;
        }
        let in_words = |it: Duration| humantime::format_duration(Duration::from_secs(it.as_secs()));
        let keep = in_words(self.keep.unwrap_or_default());
        if pass.goes.is_none() && (1..=FEW).contains(&certain) {
            (self.next_pass, self.counted) = (Some(now), Some(is_certain));
            log::info!("{certain} of {messages} messages are older than {keep}, and are deleted");
        } else {
            (self.next_pass, self.counted) = (Some(now + self.second_look), Some(is_old));
            log::info!(
                "{old} of {messages} messages are older than {keep}: they are deleted in {}, unless \
                 the clock goes back",
                in_words(self.second_look)
            );
        }
    }

    /// Deletes some messages of rooms that have too many. False if there are more.
    fn step_of_surplus(
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
        let is_done = is_through && count < STEP;
        self.next_surplus = Some(now + if is_done { LOOK_EVERY } else { REST });
        Ok(is_done)
    }

    /// The room and the number there of each message that was deleted, of rooms that have too many;
    /// and whether every room was looked at.
    fn delete_surplus(
        &mut self,
        transaction: &Transaction<'_>,
    ) -> rusqlite::Result<(Vec<(i64, i64)>, bool)> {
        let Some(keep) = self.keep_messages else { return Ok((vec![], true)) };
        let mut rooms =
            transaction.prepare_cached("SELECT id FROM room WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let rooms = rooms.query_map(params![self.looked_up_to, ROOMS], |row| row.get(0))?;
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
            let left = STEP - surplus.len();
            surplus.extend(deleted(&mut delete, params![room, keep, left])?);
            if surplus.len() == STEP {
                return Ok((surplus, false));
            }
            self.looked_up_to = *room;
        }
        let is_through = rooms.len() < ROOMS;
        if is_through {
            self.looked_up_to = 0;
        }
        Ok((surplus, is_through))
    }
}

/// Looks at the next messages of a pass. Returns the numbers of those that go, and whether there are
/// no more.
fn look(
    connection: &Connection,
    clock: &FileClock,
    pass: &mut Pass,
) -> rusqlite::Result<(Vec<i64>, bool)> {
    let mut next = connection.prepare_cached(
        "SELECT number, time FROM message WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let mut rows = next.query(params![pass.up_to, LOOKED_AT])?;
    let (mut old, began) = (Vec::new(), Instant::now());
    for _ in 0..LOOKED_AT {
        let Some(row) = rows.next()? else { return Ok((old, true)) };
        let number = row.get(0)?;
        let said = clock.said(number, whole(row, 1)?);
        pass.up_to = number;
        if said.zip(pass.goes).is_some_and(|(said, goes)| said < goes) {
            old.push(number);
        } else {
            pass.messages += 1;
            pass.old += u64::from(said.is_some_and(|said| said < pass.is_old));
            pass.certain += u64::from(said.is_some_and(|said| said < pass.is_certain));
        }
        if old.len() == STEP || began.elapsed() > LOOK_FOR {
            break;
        }
    }
    Ok((old, false))
}

/// Deletes messages, and sees to it that their numbers are not used again. Returns how many.
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
        let used = "UPDATE room SET last_seq = ?2 WHERE id = ?1 AND last_seq < ?2";
        transaction.prepare_cached(used)?.execute(params![room, seq])?;
    }
    transaction.commit()?;
    give_back(connection)?;
    Ok(deleted.len())
}

/// Gives pages back to the file system: one for each step of the statement, until it is done.
fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

fn deleted(
    delete: &mut Statement<'_>,
    parameters: impl Params,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    delete.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
