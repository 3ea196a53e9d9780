//! What is deleted again: what is too old, and what is too much for a room. In steps so small that
//! the chat does not notice.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Params, Statement, Transaction, TransactionBehavior, params};

use super::HistoryConfig;
use super::writer::last_number;

/// So often it is looked whether there is anything to delete.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// So long it waits after a step that found something.
const REST: Duration = Duration::from_millis(50);
/// So many messages go at once, some tenths of a millisecond.
const STEP: usize = 100;
/// So many pages of 4 KiB are given back to the file system at once.
const PAGES: usize = 64;

/// So many rooms are looked at in one step.
const ROOMS: usize = 32;

/// What is deleted, and when it is looked for next.
#[derive(Debug)]
pub(super) struct Retention {
    keep: Option<Duration>,
    keep_messages: Option<u64>,
    next: Option<Instant>,
    /// Up to which room it was looked for too many messages.
    looked_up_to: i64,
}

impl Retention {
    pub(super) fn new(config: &HistoryConfig) -> Self {
        let HistoryConfig { keep, keep_messages, .. } = *config;
        let next = (keep.is_some() || keep_messages.is_some()).then(Instant::now);
        Self { keep, keep_messages, next, looked_up_to: 0 }
    }

    pub(super) fn next_step(&self) -> Option<Instant> {
        self.next
    }

    /// Deletes a few messages, if it is time for that.
    pub(super) fn step(
        &mut self,
        connection: &mut Connection,
        now: Instant,
    ) -> rusqlite::Result<()> {
        if self.next.is_none_or(|next| next > now) {
            return Ok(());
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let last_number = last_number(&transaction)?;
        let old = self.delete_old(&transaction, unix)?;
        let (surplus, is_through) = self.delete_surplus(&transaction)?;
        let deleted: Vec<_> = old.into_iter().chain(surplus).collect();
        if !deleted.is_empty() {
            // Numbers are not used again.
            transaction.execute("UPDATE history SET last_number = ?1", [last_number])?;
        }
        for (room, seq) in &deleted {
            let used = "UPDATE room SET last_seq = ?2 WHERE id = ?1 AND last_seq < ?2";
            transaction.prepare_cached(used)?.execute(params![room, seq])?;
        }
        transaction.commit()?;
        if !deleted.is_empty() {
            give_back(connection)?;
        }
        let is_done = is_through && deleted.len() < STEP;
        self.next = Some(now + if is_done { LOOK_EVERY } else { REST });
        Ok(())
    }

    /// The room and the number there of each message that was deleted, as too old.
    fn delete_old(
        &self,
        transaction: &Transaction<'_>,
        unix: Duration,
    ) -> rusqlite::Result<Vec<(i64, i64)>> {
        let Some(keep) = self.keep else { return Ok(vec![]) };
        let oldest = i64::try_from(unix.saturating_sub(keep).as_millis()).unwrap_or(i64::MAX);
        let mut delete = transaction.prepare_cached(
            "DELETE FROM message WHERE time < ?1
                AND number IN (SELECT number FROM message ORDER BY number LIMIT ?2)
             RETURNING room, seq",
        )?;
        deleted(&mut delete, params![oldest, STEP])
    }

    /// The same, of rooms that have too many; and whether every room was looked at.
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
