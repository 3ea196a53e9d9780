//! Background maintenance, for which no client waits: updates the search index, and moves the WAL of
//! the history into its file.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use rusqlite::{Connection, ErrorCode, params};
use rustix::process::{Pid, setpriority_process};
use rustix::thread::gettid;

use super::file::HistoryFile;
use super::index::{self, Index, IndexEntry};
use super::open::{Access, checkpoint, wal_length};

/// How long new messages are collected before they are indexed together.
const COLLECT_FOR: Duration = Duration::from_millis(100);
/// How long the maintenance waits after a failure before it tries again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Maximum number of messages in one transaction of the index.
const BATCH: usize = 500;
/// Length of the WAL above which it is moved into the file (bytes).
const CHECKPOINT_ABOVE: u64 = 4 * 1024 * 1024;
/// How often deleted messages are removed from the index.
const CLEAN_UP_EVERY: Duration = Duration::from_secs(60 * 60);
/// How often the progress of a long task is logged.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Runs on each wake-up, until the sender of the wake-ups is dropped. `deletes_messages` says that
/// deleted messages must be removed from the index.
pub(super) fn run(
    file: &HistoryFile,
    index: &Index,
    wakeups: &Receiver<()>,
    deletes_messages: bool,
) {
    lower_priority();
    let mut maintenance = Maintenance {
        file,
        index,
        wakeups,
        connection: None,
        losses: file.losses(),
        is_woken: false,
        has_ended: false,
        has_failed: false,
        next_clean_up: deletes_messages.then(Instant::now),
    };
    while maintenance.wait() {
        maintenance.run_once();
    }
}

/// Lets the chat go first on a busy machine.
fn lower_priority() {
    /// The lowest priority.
    const LAST: i32 = 19;
    // On Linux each thread has a priority of its own.
    let thread: Option<Pid> = Some(gettid());
    if let Err(error) = setpriority_process(thread, LAST) {
        log::debug!("cannot lower the priority of the maintenance: {error}");
    }
}

struct Maintenance<'a> {
    file: &'a HistoryFile,
    index: &'a Index,
    wakeups: &'a Receiver<()>,
    /// The connection to the index. Opened when it is needed, and again after an error.
    connection: Option<Connection>,
    /// How often the history had been lost when the index was opened.
    losses: u64,
    /// A wake-up came during the last run.
    is_woken: bool,
    /// The broadcaster has ended, so no wake-up will come.
    has_ended: bool,
    /// The last update of the index failed. This is logged once.
    has_failed: bool,
    /// When deleted messages are next removed from the index. `None` if messages are never deleted.
    next_clean_up: Option<Instant>,
}

impl Maintenance<'_> {
    /// Waits for a wake-up, and then for [`COLLECT_FOR`]. Returns false when the broadcaster has ended.
    fn wait(&mut self) -> bool {
        if self.has_ended || (!self.is_woken && self.wakeups.recv().is_err()) {
            return false;
        }
        self.pause(COLLECT_FOR);
        self.is_woken = false;
        true
    }

    /// Waits, but not after the broadcaster has ended.
    fn pause(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            match self.wakeups.recv_deadline(end) {
                Ok(()) => self.is_woken = true,
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    self.has_ended = true;
                    return;
                }
            }
        }
    }

    /// Returns whether the broadcaster has ended.
    fn check_ended(&mut self) -> bool {
        match self.wakeups.try_recv() {
            Ok(()) => self.is_woken = true,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.has_ended = true,
        }
        self.has_ended
    }

    /// Updates the index, and moves the WAL into the file.
    fn run_once(&mut self) {
        match self.update_index() {
            Ok(()) => self.has_failed = false,
            Err(error) => {
                self.connection = None;
                if !std::mem::replace(&mut self.has_failed, true) {
                    if is_damage(error.as_ref()) && self.index.recreate().is_ok() {
                        log::warn!("the search index is rebuilt: {error}");
                    } else {
                        log::warn!("the search may not find new messages: {error}");
                    }
                }
                self.pause(RETRY_AFTER);
                self.is_woken = true;
            }
        }
        self.checkpoint();
    }

    fn update_index(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let mut history = self.file.acquire(Access::Read)?;
        let losses = self.file.losses();
        let index = match self.connection.take() {
            // The index of a lost file does not match the file in its place.
            _ if losses != self.losses => self.index.recreate()?,
            Some(connection) => connection,
            None => self.index.open()?,
        };
        self.losses = losses;
        let updated = self.update_from(&history, index);
        if updated.is_err() {
            history.discard();
        }
        updated
    }

    fn update_from(
        &mut self,
        history: &Connection,
        mut index: Connection,
    ) -> Result<(), Box<dyn std::error::Error>> {
        self.add_new(history, &mut index)?;
        if self.next_clean_up.is_some_and(|at| at <= Instant::now()) {
            self.next_clean_up = Some(Instant::now() + CLEAN_UP_EVERY);
            self.remove_deleted(history, &mut index)?;
        }
        self.connection = Some(index);
        Ok(())
    }

    /// Adds new messages to the index.
    fn add_new(
        &mut self,
        history: &Connection,
        connection: &mut Connection,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut newest = history.prepare_cached("SELECT coalesce(max(number), 0) FROM message")?;
        let newest: i64 = newest.query_row([], |it| it.get(0))?;
        let mut up_to = index::up_to(connection)?;
        if up_to > newest && newest > 0 {
            // The history has lost its newest messages, as in a power failure.
            *connection = self.index.recreate()?;
            up_to = 0;
        }
        let (first, mut reported_at) = (up_to, Instant::now());
        while up_to < newest {
            let began = Instant::now();
            let transaction = connection.transaction()?;
            let Some(last) = add_after(history, &transaction, up_to)? else { break };
            index::set_up_to(&transaction, last)?;
            transaction.commit()?;
            up_to = last;
            if reported_at.elapsed() >= REPORT_EVERY {
                reported_at = Instant::now();
                let percent = (up_to - first) * 100 / (newest - first).max(1);
                log::info!("building the search index: {percent} %");
            }
            if self.check_ended() || !self.file.is_intact() {
                break;
            }
            if self.is_woken {
                // There is more than one batch to do, and users write meanwhile: they go first.
                self.pause(began.elapsed() * 10);
                self.checkpoint();
            }
        }
        Ok(())
    }

    /// Removes deleted messages from the index.
    fn remove_deleted(
        &mut self,
        history: &Connection,
        connection: &mut Connection,
    ) -> rusqlite::Result<()> {
        let mut after = 0;
        loop {
            let transaction = connection.transaction()?;
            let numbers = index::numbers(&transaction, after, BATCH)?;
            let Some(last) = numbers.last() else { return Ok(()) };
            after = *last;
            let mut find = history.prepare_cached("SELECT 1 FROM message WHERE number = ?1")?;
            for number in numbers {
                if !find.exists([number])? {
                    index::remove(&transaction, number)?;
                }
            }
            transaction.commit()?;
            if self.check_ended() || !self.file.is_intact() {
                return Ok(());
            }
        }
    }

    /// Moves the WAL into the file if it is long. Neither the writer nor a reader waits.
    fn checkpoint(&self) {
        if wal_length(self.file.path()) < CHECKPOINT_ABOVE {
            return;
        }
        let result = self.file.checkpoint(|| {
            let connection = self.file.acquire(Access::Write)?;
            checkpoint(&connection, "PASSIVE")
        });
        if let Some(Err(error)) = result {
            log::debug!("cannot make a checkpoint: {error}");
        }
    }
}

/// Returns whether the error says that a file is damaged, or not of SQLite.
fn is_damage(error: &(dyn std::error::Error + 'static)) -> bool {
    let code = error.downcast_ref().and_then(rusqlite::Error::sqlite_error_code);
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Adds the next messages to the index, and returns the number of the last.
fn add_after(
    history: &Connection,
    index: &Connection,
    after: i64,
) -> rusqlite::Result<Option<i64>> {
    let mut next = history.prepare_cached(
        "SELECT number, room, nick, text FROM message WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let mut rows = next.query(params![after, BATCH])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        let (nickname, text) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
        index::add(index, &IndexEntry { number, room: row.get(1)?, nickname, text })?;
        last = Some(number);
    }
    Ok(last)
}
