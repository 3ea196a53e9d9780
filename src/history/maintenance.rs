//! The house is kept while nobody waits for it: new messages go into the search index, deleted ones
//! out of it, and what SQLite wrote to its log goes into the file.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use rusqlite::{Connection, ErrorCode, params};
use rustix::process::{Pid, setpriority_process};
use rustix::thread::gettid;

use super::file::{HistoryFile, Use, beside};
use super::index::{self, Index, IndexEntry};

/// New messages are waited for so long before they are indexed together.
const REST: Duration = Duration::from_millis(100);
/// So long after a failure it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// So many go into the index at once.
const BATCH: usize = 500;
/// The log is moved into the file when it has so many bytes.
const LOG_BYTES: u64 = 4 * 1024 * 1024;
/// So often the index is looked through for messages that are not kept any more.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// So often it is said how far a long work has come.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Works whenever the bell rings, until nobody is left to ring it.
pub(super) fn run_maintenance(
    file: &HistoryFile,
    index: &Index,
    bell: &Receiver<()>,
    deletes: bool,
) {
    yield_to_others();
    let mut house = House {
        file,
        index,
        bell,
        connection: None,
        losses: file.losses(),
        rung: false,
        over: false,
        failed: false,
        next_sweep: deletes.then(Instant::now),
    };
    while house.wait() {
        house.work();
    }
}

/// The chat goes first on a machine that is busy.
fn yield_to_others() {
    const LAST: i32 = 19;
    // On Linux each thread has a priority of its own.
    let me: Option<Pid> = Some(gettid());
    if let Err(error) = setpriority_process(me, LAST) {
        log::debug!("the maintenance cannot yield to others: {error}");
    }
}

struct House<'a> {
    file: &'a HistoryFile,
    index: &'a Index,
    bell: &'a Receiver<()>,
    /// To the index. Made when it is needed, and anew after an error.
    connection: Option<Connection>,
    /// How often the history was lost until the index was made.
    losses: u64,
    /// The bell was rung during the work.
    rung: bool,
    /// Nobody is left to ring it.
    over: bool,
    /// The last work on the index came to nothing. It is said once.
    failed: bool,
    /// When the index is looked through for messages that are not kept any more, if any are
    /// deleted at all.
    next_sweep: Option<Instant>,
}

impl House<'_> {
    /// Waits for the bell, and then a moment longer: what comes in meanwhile is done together.
    /// False when there will be nothing more to do.
    fn wait(&mut self) -> bool {
        if self.over || (!self.rung && self.bell.recv().is_err()) {
            return false;
        }
        self.rest(REST);
        self.rung = false;
        true
    }

    /// Waits, unless the server has ended.
    fn rest(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            match self.bell.recv_deadline(end) {
                Ok(()) => self.rung = true,
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    self.over = true;
                    return;
                }
            }
        }
    }

    /// Whether the server has ended meanwhile.
    fn is_over(&mut self) -> bool {
        match self.bell.try_recv() {
            Ok(()) => self.rung = true,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.over = true,
        }
        self.over
    }

    fn work(&mut self) {
        match self.work_on_index() {
            Ok(()) => self.failed = false,
            Err(error) => {
                self.connection = None;
                if !std::mem::replace(&mut self.failed, true) {
                    if is_damage(error.as_ref()) && self.index.renew().is_ok() {
                        log::warn!("the search index is made anew: {error}");
                    } else {
                        log::warn!("the search may not find what is new: {error}");
                    }
                }
                self.rest(RETRY_AFTER);
                self.rung = true;
            }
        }
        self.move_log();
    }

    fn work_on_index(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let mut history = self.file.lend(Use::Read)?;
        let losses = self.file.losses();
        let index = match self.connection.take() {
            // The index of a history that is lost says nothing about the one in its place.
            _ if losses != self.losses => self.index.renew()?,
            Some(connection) => connection,
            None => self.index.open()?,
        };
        self.losses = losses;
        let worked = self.work_with(&history, index);
        if worked.is_err() {
            history.spoil();
        }
        worked
    }

    fn work_with(
        &mut self,
        history: &Connection,
        mut index: Connection,
    ) -> Result<(), Box<dyn std::error::Error>> {
        self.fill_index(history, &mut index)?;
        if self.next_sweep.is_some_and(|at| at <= Instant::now()) {
            self.next_sweep = Some(Instant::now() + SWEEP_EVERY);
            self.sweep(history, &mut index)?;
        }
        self.connection = Some(index);
        Ok(())
    }

    /// Adds what is new to the index.
    fn fill_index(
        &mut self,
        history: &Connection,
        connection: &mut Connection,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut newest = history.prepare_cached("SELECT coalesce(max(number), 0) FROM message")?;
        let newest: i64 = newest.query_row([], |it| it.get(0))?;
        let mut up_to = index::up_to(connection)?;
        if up_to > newest && newest > 0 {
            // The history has lost its end since.
            *connection = self.index.renew()?;
            up_to = 0;
        }
        let (first, mut said) = (up_to, Instant::now());
        while up_to < newest {
            let began = Instant::now();
            let transaction = connection.transaction()?;
            let Some(last) = add_after(history, &transaction, up_to)? else { break };
            index::set_up_to(&transaction, last)?;
            transaction.commit()?;
            up_to = last;
            if said.elapsed() >= SAY_EVERY {
                said = Instant::now();
                let percent = (up_to - first) * 100 / (newest - first).max(1);
                log::info!("making the search index: {percent} %");
            }
            if self.is_over() || !self.file.is_sound() {
                break;
            }
            if self.rung {
                // People talk, and more than a moment's worth of work is left: they go first.
                self.rest(began.elapsed() * 10);
                self.move_log();
            }
        }
        Ok(())
    }

    /// Takes out of the index what the history has no more.
    fn sweep(&mut self, history: &Connection, connection: &mut Connection) -> rusqlite::Result<()> {
        let mut after = 0;
        loop {
            let transaction = connection.transaction()?;
            let numbers = index::numbers(&transaction, after, BATCH)?;
            let Some(last) = numbers.last() else { return Ok(()) };
            after = *last;
            let mut kept = history.prepare_cached("SELECT 1 FROM message WHERE number = ?1")?;
            for number in numbers {
                if !kept.exists([number])? {
                    index::remove(&transaction, number)?;
                }
            }
            transaction.commit()?;
            if self.is_over() || !self.file.is_sound() {
                return Ok(());
            }
        }
    }

    /// Moves the log into the file, when it is long. Neither the writer nor a reader waits.
    fn move_log(&self) {
        let log = beside(self.file.path(), "-wal");
        if std::fs::metadata(log).map_or(0, |it| it.len()) < LOG_BYTES {
            return;
        }
        let moved = self.file.move_log(|| {
            let connection = self.file.lend(Use::Write)?;
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        });
        if let Some(Err(error)) = moved {
            log::debug!("the log stays as it is: {error}");
        }
    }
}

/// Whether SQLite says that what it reads is none of its files, or no sound one.
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
