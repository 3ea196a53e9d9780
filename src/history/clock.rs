//! The clock of a history, by which its messages age.
//!
//! The machine's clock may be wrong: a board without a battery starts in 1970, and a mistyped year
//! may be next year. So the file has a time of its own, which advances while a server runs. It follows
//! the machine's clock as long as the two differ by at most a day. Otherwise the machine's clock is in
//! doubt until it has run evenly for long enough, and is then trusted. HISTORY.md has the whole rule.
//!
//! [`FileClock`] does not read the machine's clocks itself, and deletes nothing.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Transaction, params};

use crate::store::record::TIME_MAX;

/// Maximum step of the machine's clock that is followed (ms): a night, or a time zone.
const STEP_MAX: u64 = 24 * 60 * 60 * 1000;
/// Maximum difference between an even clock and the monotonic clock (ms).
const UNEVEN_MAX: u64 = 60 * 1000;
/// The year 2025, before which no chinwag ran (ms of Unix time).
const RELEASED: u64 = 1_735_689_600_000;
/// How often the time is written to the file.
const SAVE_EVERY: Duration = Duration::from_secs(60 * 60);
/// Maximum number of periods of doubt that are remembered. The oldest are merged.
const DOUBTS_MAX: usize = 64;

/// The time of the machine's clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockReading {
    pub(super) instant: Instant,
    pub(super) unix_ms: u64,
}

impl ClockReading {
    /// Reads the machine's clock at this instant.
    pub(super) fn now(instant: Instant) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant, unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) }
    }
}

/// A period in which the machine's clock was in doubt: the times of its messages may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubt {
    /// Number of the first message.
    first: i64,
    /// Number of the last message, once the doubt has ended.
    last: i64,
    /// Number of the first message of the period before, when the clock seemed right. If the new time
    /// is trusted in the end, it was wrong.
    before: i64,
    /// When the doubt ended (ms). The age of the messages counts from then.
    since: Option<u64>,
}

/// A change of the state of the machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It differs by this much (ms), and is in doubt from now on.
    InDoubt { by: u64, is_ahead: bool },
    /// It agrees with the time of the file again.
    Agreed,
    /// It has run evenly for so long that the file takes over its time.
    Trusted,
}

impl Change {
    /// Logs the change. `path` is that of the history.
    pub(super) fn log(self, path: &Path) {
        match self {
            Self::InDoubt { by, is_ahead } => log::warn!(
                "the clock of this machine is {} {} the last time that {} knows: no message is \
                 taken for old by it until it has gone evenly for long enough, or is set right",
                humantime::format_duration(Duration::from_secs(by / 1000)),
                if is_ahead { "ahead of" } else { "behind" },
                path.display()
            ),
            Self::Agreed => log::info!("the clock of this machine is right again"),
            Self::Trusted => log::info!("the clock of this machine is believed now"),
        }
    }
}

/// The clock of a history.
#[derive(Debug)]
pub(super) struct FileClock {
    /// The time of the file (ms).
    time: u64,
    /// The same without clock steps that may yet be reversed (ms).
    certain: u64,
    /// Since when the machine's clock has run evenly, while the file follows it.
    even_since: Option<Instant>,
    is_in_doubt: bool,
    /// How long the machine's clock has run evenly in doubt, while a server ran.
    doubted_for: Duration,
    /// How long it must run evenly in doubt before it is trusted.
    trusted_after: Duration,
    last_reading: Option<ClockReading>,
    doubts: Vec<Doubt>,
    /// Number of the first message since the machine's clock was last found right.
    first: i64,
    saved_at: Option<Instant>,
    /// Something other than the time has changed since.
    is_changed: bool,
}

impl FileClock {
    /// Returns a new clock for a history without one. `newest` is the latest time of its messages.
    fn new(newest: Option<u64>, now: u64, trusted_after: Duration) -> Self {
        let time = newest.unwrap_or(now).clamp(RELEASED, TIME_MAX);
        Self {
            time,
            certain: time,
            even_since: None,
            is_in_doubt: false,
            doubted_for: Duration::ZERO,
            trusted_after,
            last_reading: None,
            doubts: Vec::new(),
            first: 1,
            saved_at: None,
            is_changed: true,
        }
    }

    /// Reads the clock of a history as the last run left it.
    pub(super) fn load(
        connection: &Connection,
        now: u64,
        trusted_after: Duration,
    ) -> rusqlite::Result<Self> {
        let (time, certain, doubted_ms): (Option<i64>, Option<i64>, i64) =
            connection.query_row("SELECT time, certain, doubted FROM history", [], |it| {
                Ok((it.get(0)?, it.get(1)?, it.get(2)?))
            })?;
        let newest = match time {
            // A history of an older version has no other time.
            None => connection
                .query_row("SELECT max(time) FROM message", [], |it| it.get::<_, Option<i64>>(0))?,
            time => time,
        };
        let newest = newest.and_then(|time| u64::try_from(time).ok());
        let mut clock = Self::new(newest, now, trusted_after);
        if let Some(certain) = certain.and_then(|certain| u64::try_from(certain).ok()) {
            clock.certain = certain;
        }
        clock.doubted_for = Duration::from_millis(doubted_ms.try_into().unwrap_or(0));
        let mut doubts =
            connection.prepare("SELECT first, last, before, since FROM doubt ORDER BY first")?;
        let doubts = doubts.query_map([], |it| {
            let since: Option<i64> = it.get(3)?;
            Ok(Doubt {
                first: it.get(0)?,
                last: it.get(1)?,
                before: it.get(2)?,
                since: since.and_then(|since| u64::try_from(since).ok()),
            })
        })?;
        clock.doubts = doubts.collect::<Result<_, _>>()?;
        // The last run ended in doubt. The first check tells whether that has ended.
        clock.is_in_doubt = clock.doubts.iter().any(|doubt| doubt.since.is_none());
        Ok(clock)
    }

    /// Begins a run, whose first message has this number.
    pub(super) fn begin_run(&mut self, first: i64) {
        self.first = first;
    }

    /// Takes the time of the machine's clocks, before the message with the number `next` is written.
    pub(super) fn check(&mut self, reading: ClockReading, next: i64) -> Option<Change> {
        let ClockReading { instant, unix_ms } = reading;
        let unix_ms = unix_ms.min(TIME_MAX);
        let passed = self
            .last_reading
            .map_or(Duration::ZERO, |last| instant.saturating_duration_since(last.instant));
        let is_even = self.last_reading.is_none_or(|last| {
            unix_ms.abs_diff(last.unix_ms.saturating_add(ms(passed))) <= UNEVEN_MAX
        });
        self.last_reading = Some(ClockReading { instant, unix_ms });
        self.time = self.time.saturating_add(ms(passed)).min(TIME_MAX);
        self.certain = self.certain.saturating_add(ms(passed)).min(TIME_MAX);
        if unix_ms >= RELEASED && unix_ms.abs_diff(self.time) <= STEP_MAX {
            self.time = unix_ms;
            let even_since = self.even_since.filter(|_| is_even).unwrap_or(instant);
            self.even_since = Some(even_since);
            if instant.saturating_duration_since(even_since) >= self.trusted_after / 24 {
                self.certain = unix_ms;
            }
            self.doubted_for = Duration::ZERO;
            return std::mem::take(&mut self.is_in_doubt).then(|| self.end_doubt(next, false));
        }
        self.even_since = None;
        let is_new = !std::mem::replace(&mut self.is_in_doubt, true);
        let may_be_right = is_even && unix_ms >= RELEASED;
        self.doubted_for =
            if may_be_right { self.doubted_for.saturating_add(passed) } else { Duration::ZERO };
        if may_be_right && self.doubted_for >= self.trusted_after {
            (self.time, self.is_in_doubt, self.doubted_for) = (unix_ms, false, Duration::ZERO);
            return Some(self.end_doubt(next, true));
        }
        is_new.then(|| {
            let before = self.first.min(next);
            self.doubts.push(Doubt { first: next, last: i64::MAX, before, since: None });
            self.is_changed = true;
            Change::InDoubt { by: unix_ms.abs_diff(self.time), is_ahead: unix_ms > self.time }
        })
    }

    /// Ends the doubt.
    fn end_doubt(&mut self, next: i64, is_trusted: bool) -> Change {
        let time = self.time;
        for doubt in self.doubts.iter_mut().filter(|doubt| doubt.since.is_none()) {
            doubt.since = Some(time);
            doubt.last = next.saturating_sub(1);
            if is_trusted {
                doubt.first = doubt.before;
            }
        }
        self.doubts.retain(|doubt| doubt.first <= doubt.last);
        while self.doubts.len() > DOUBTS_MAX {
            let old = self.doubts.remove(0);
            let next = &mut self.doubts[0];
            (next.first, next.last) = (next.first.min(old.first), next.last.max(old.last));
            next.since = next.since.max(old.since);
        }
        self.first = next;
        self.is_changed = true;
        if is_trusted { Change::Trusted } else { Change::Agreed }
    }

    /// Returns the time by which messages age (ms): the earlier of the machine's and the file's.
    pub(super) fn time(&self) -> u64 {
        self.last_reading.map_or(self.time, |last| last.unix_ms.min(self.time))
    }

    /// Returns a time by which messages age even if the last clock steps are reversed (ms). It follows
    /// a step once the clock has run evenly for a 24th of `trusted_after`.
    pub(super) fn certain(&self) -> u64 {
        self.certain.min(self.time())
    }

    /// Returns the latest time at which a message may have been sent (ms). `time` is its own. `None`
    /// means that its time is in doubt.
    pub(super) fn sent_at(&self, number: i64, time: u64) -> Option<u64> {
        let mut doubts = self.doubts.iter().filter(|it| (it.first..=it.last).contains(&number));
        match doubts.next() {
            None => Some(time),
            Some(first) => doubts.map(|it| it.since).fold(first.since, |latest, since| {
                latest.zip(since).map(|(latest, since)| latest.max(since))
            }),
        }
    }

    /// Forgets the doubts that ended before this time (ms): their messages are deleted.
    pub(super) fn forget(&mut self, before: u64) {
        let count = self.doubts.len();
        self.doubts.retain(|doubt| doubt.since.is_none_or(|since| since >= before));
        self.is_changed |= self.doubts.len() != count;
    }

    /// Returns whether the clock must be saved.
    pub(super) fn is_save_due(&self, now: Instant) -> bool {
        let is_due = |at: Instant| now.saturating_duration_since(at) >= SAVE_EVERY;
        self.is_changed || self.saved_at.is_none_or(is_due)
    }

    /// Writes the clock to the file. Once that is committed, call [`FileClock::set_saved`].
    pub(super) fn save(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let doubted = i64::try_from(self.doubted_for.as_millis()).unwrap_or(i64::MAX);
        transaction.execute(
            "UPDATE history SET time = ?1, certain = ?2, doubted = ?3",
            params![self.time, self.certain, doubted],
        )?;
        transaction.execute("DELETE FROM doubt", [])?;
        for Doubt { first, last, before, since } in &self.doubts {
            let insert = "INSERT INTO doubt (first, last, before, since) VALUES (?1, ?2, ?3, ?4)";
            transaction.execute(insert, params![first, last, before, since])?;
        }
        Ok(())
    }

    pub(super) fn set_saved(&mut self, now: Instant) {
        (self.is_changed, self.saved_at) = (false, Some(now));
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 60 * 60 * 1000;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    /// A time in 2026 (ms of Unix time).
    const T: u64 = RELEASED + 2 * YEAR;

    /// Checks the clock at some times after the start, each with the machine's time, the expected time
    /// of the file and the expected change (ms).
    fn check(clock: &mut FileClock, checks: &[(u64, u64, u64, Option<&str>)]) {
        let start = Instant::now();
        (clock.last_reading, clock.even_since) = (None, None);
        for (number, (after, unix_ms, time, change)) in (10..).zip(checks) {
            let instant = start + Duration::from_millis(*after);
            let actual = clock.check(ClockReading { instant, unix_ms: *unix_ms }, number);
            let name = actual.map(|change| match change {
                Change::InDoubt { .. } => "in doubt",
                Change::Agreed => "agreed",
                Change::Trusted => "trusted",
            });
            assert_eq!((clock.time(), name), (*time, *change), "{after}: {unix_ms}");
        }
    }

    fn clock(newest: Option<u64>) -> FileClock {
        let mut clock = FileClock::new(newest, T, Duration::from_millis(DAY));
        clock.begin_run(5);
        clock
    }

    #[test]
    fn small_steps_are_followed() {
        check(
            &mut clock(Some(T)),
            &[
                (0, T + 10 * HOUR, T + 10 * HOUR, None),
                (HOUR, T + 9 * HOUR, T + 9 * HOUR, None),
                (2 * HOUR, T + 30 * HOUR, T + 30 * HOUR, None),
            ],
        );
    }

    #[test]
    fn a_small_step_is_certain_after_an_even_hour() {
        let mut clock = clock(Some(T));
        check(&mut clock, &[(0, T + 23 * HOUR, T + 23 * HOUR, None)]);
        assert_eq!(clock.certain(), T);
        check(&mut clock, &[(0, T + 10, T + 10, None)]);
        assert_eq!(clock.certain(), T);
        let checks =
            [(0, T + 5 * HOUR, T + 5 * HOUR, None), (HOUR, T + 6 * HOUR, T + 6 * HOUR, None)];
        check(&mut clock, &checks);
        assert_eq!(clock.certain(), T + 6 * HOUR);
        // The machine's clock counts if it is behind the file.
        check(&mut clock, &[(0, T - HOUR, T - HOUR, None)]);
        assert_eq!(clock.certain(), T - HOUR);
    }

    #[test]
    fn a_clock_that_starts_ahead_is_trusted_after_an_even_day() {
        let far = T + 2 * YEAR;
        check(
            &mut clock(Some(T)),
            &[
                (0, far, T, Some("in doubt")),
                (3000, far + 3000, T + 3000, None),
                (23 * HOUR, far + 23 * HOUR, T + 23 * HOUR, None),
                (DAY, far + DAY, far + DAY, Some("trusted")),
            ],
        );
    }

    #[test]
    fn a_step_in_doubt_restarts_the_wait() {
        let far = T + 2 * YEAR;
        check(
            &mut clock(Some(T)),
            &[
                (0, far, T, Some("in doubt")),
                (23 * HOUR, far + 33 * HOUR, T + 23 * HOUR, None),
                (25 * HOUR, far + 35 * HOUR, T + 25 * HOUR, None),
                (47 * HOUR, far + 57 * HOUR, far + 57 * HOUR, Some("trusted")),
            ],
        );
    }

    #[test]
    fn a_step_that_is_reversed_changes_nothing() {
        for wrong in [0, T - YEAR, T + YEAR, u64::MAX] {
            let mut clock = clock(Some(T));
            let now = (T + 1000).min(wrong);
            check(
                &mut clock,
                &[
                    (0, T, T, None),
                    (1000, wrong, now, Some("in doubt")),
                    (4000, T + 4000, T + 4000, Some("agreed")),
                ],
            );
            // Message 11 was sent in doubt. Its age counts from the end of the doubt.
            let sent_at = [10, 11, 12].map(|number| clock.sent_at(number, 7));
            assert_eq!(sent_at, [Some(7), Some(T + 4000), Some(7)]);
        }
    }

    #[test]
    fn messages_before_a_trusted_step_age_from_the_end_of_the_doubt() {
        let mut clock = clock(Some(T));
        let far = T + YEAR;
        check(
            &mut clock,
            &[
                (0, T, T, None),
                (1000, far, T + 1000, Some("in doubt")),
                (1000 + DAY, far + DAY, far + DAY, Some("trusted")),
            ],
        );
        let sent_at = [4, 5, 11, 12].map(|number| clock.sent_at(number, 7));
        assert_eq!(sent_at, [Some(7), Some(far + DAY), Some(far + DAY), Some(7)]);
        clock.forget(far + DAY);
        assert_eq!(clock.sent_at(5, 7), Some(far + DAY));
        clock.forget(far + DAY + 1);
        assert_eq!(clock.sent_at(5, 7), Some(7));
    }

    #[test]
    fn a_clock_from_before_the_release_is_never_trusted() {
        let mut clock = clock(None);
        clock.time = RELEASED;
        check(
            &mut clock,
            &[(0, 5, 5, Some("in doubt")), (3 * DAY, 5 + 3 * DAY, 5 + 3 * DAY, None)],
        );
        assert_eq!(clock.sent_at(10, 5), None);
        // The next run, in a later year.
        clock.begin_run(12);
        check(
            &mut clock,
            &[(0, T, RELEASED + 3 * DAY, None), (DAY, T + DAY, T + DAY, Some("trusted"))],
        );
        assert_eq!(clock.sent_at(10, 5), Some(T + DAY));
    }

    #[test]
    fn the_number_of_doubts_is_bounded() {
        let mut clock = clock(Some(T));
        let start = Instant::now();
        for number in 0..1000 {
            let instant = start + Duration::from_secs(number);
            let unix_ms = if number % 2 == 0 { T + 1000 * number } else { 7 };
            clock.check(ClockReading { instant, unix_ms }, 10 + i64::try_from(number).unwrap());
        }
        assert!(clock.doubts.len() <= DOUBTS_MAX + 1);
        assert!(clock.sent_at(11, 7).unwrap() > T);
    }
}
