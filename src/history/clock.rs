//! The clock of a history, by which its messages age. A clock of the machine may be wrong: a board
//! without a battery starts in 1970, and a mistyped year is next year. So the file has a time of its
//! own, which goes on while a server runs. It follows the clock of the machine as long as the two
//! are within a day of each other. Where they are not, the clock of the machine is in doubt until it
//! has gone evenly for long enough.
//!
//! It reads no clock, and deletes nothing.

use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, params};

/// The clock of the machine is followed over a step of this length (ms): a night, or a time zone.
const STEP_MAX: u64 = 24 * 60 * 60 * 1000;
/// A clock goes evenly if it differs by no more than this from the monotonic one (ms).
const UNEVEN_MAX: u64 = 60 * 1000;
/// No chinwag ran before the year 2025 (ms of Unix time).
const RELEASED: u64 = 1_735_689_600_000;
/// Later than any clock says (ms of Unix time): what JavaScript counts exactly.
pub(super) const TIME_MAX: u64 = (1 << 53) - 1;
/// How often the time is written into the file.
const SAVE_EVERY: Duration = Duration::from_secs(60 * 60);
/// The most periods of doubt that are remembered. The oldest are taken together.
const DOUBTS_MAX: usize = 64;

/// What the clocks of the machine say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) instant: Instant,
    pub(super) unix_ms: u64,
}

/// Messages that were said while the clock of the machine was in doubt: their times may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubt {
    /// The number of the first message, and of the last, once the doubt is over.
    first: i64,
    last: i64,
    /// The number of the first message of the time before, when the clock seemed to be right. If
    /// the other clock is believed in the end, it was not.
    before: i64,
    /// When the doubt was over. The messages are as old as that.
    since: Option<u64>,
}

/// What became of the clock of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It differs by so much (ms), and is in doubt from now on.
    Doubted { by: u64, is_ahead: bool },
    /// It agrees with the file again.
    Agreed,
    /// It has gone evenly for so long that the file takes its time over.
    Believed,
}

/// The clock of a history.
#[derive(Debug)]
pub(super) struct FileClock {
    /// The time of the file (ms).
    time: u64,
    /// The same without the steps of the clock that it has followed and that may yet be taken back.
    certain: u64,
    /// Since when the clock of the machine goes evenly, while the file follows it.
    even_since: Option<Instant>,
    is_in_doubt: bool,
    /// How long the clock of the machine has gone evenly in doubt, while a server ran.
    doubted_for: Duration,
    /// After how long in doubt it is believed.
    believed_after: Duration,
    last: Option<Reading>,
    doubts: Vec<Doubt>,
    /// The number of the first message since the clock of the machine was last found right.
    first: i64,
    /// When the file was last told, and whether there is more to tell it.
    saved: Option<Instant>,
    is_changed: bool,
}

impl FileClock {
    /// The clock of a history that has none yet. `newest` is the latest time of its messages.
    fn new(newest: Option<u64>, now: u64, believed_after: Duration) -> Self {
        let time = newest.unwrap_or(now).clamp(RELEASED, TIME_MAX);
        Self {
            time,
            certain: time,
            even_since: None,
            is_in_doubt: false,
            doubted_for: Duration::ZERO,
            believed_after,
            last: None,
            doubts: Vec::new(),
            first: 1,
            saved: None,
            is_changed: true,
        }
    }

    /// The clock of a history, as the last server left it.
    pub(super) fn load(
        connection: &Connection,
        now: u64,
        believed_after: Duration,
    ) -> rusqlite::Result<Self> {
        let (time, certain, doubted_ms): (Option<i64>, Option<i64>, i64) =
            connection.query_row("SELECT time, certain, doubted FROM history", [], |it| {
                Ok((it.get(0)?, it.get(1)?, it.get(2)?))
            })?;
        let newest = match time {
            // The only thing that is known of an older history.
            None => connection
                .query_row("SELECT max(time) FROM message", [], |it| it.get::<_, Option<i64>>(0))?,
            time => time,
        };
        let newest = newest.and_then(|time| u64::try_from(time).ok());
        let mut clock = Self::new(newest, now, believed_after);
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
        // The last server ended in doubt. Whether that is over is seen at the first look.
        clock.is_in_doubt = clock.doubts.iter().any(|doubt| doubt.since.is_none());
        Ok(clock)
    }

    /// Says which number the first message of this server has.
    pub(super) fn begin(&mut self, first: i64) {
        self.first = first;
    }

    /// Looks at the clocks of the machine, before the message `next` is written.
    pub(super) fn look(&mut self, reading: Reading, next: i64) -> Option<Change> {
        let Reading { instant, unix_ms } = reading;
        let unix_ms = unix_ms.min(TIME_MAX);
        let passed = self
            .last
            .map_or(Duration::ZERO, |last| instant.saturating_duration_since(last.instant));
        let goes_evenly = self.last.is_none_or(|last| {
            unix_ms.abs_diff(last.unix_ms.saturating_add(ms(passed))) <= UNEVEN_MAX
        });
        self.last = Some(Reading { instant, unix_ms });
        self.time = self.time.saturating_add(ms(passed)).min(TIME_MAX);
        self.certain = self.certain.saturating_add(ms(passed)).min(TIME_MAX);
        if unix_ms >= RELEASED && unix_ms.abs_diff(self.time) <= STEP_MAX {
            self.time = unix_ms;
            let even_since = self.even_since.filter(|_| goes_evenly).unwrap_or(instant);
            self.even_since = Some(even_since);
            if instant.saturating_duration_since(even_since) >= self.believed_after / 24 {
                self.certain = unix_ms;
            }
            self.doubted_for = Duration::ZERO;
            return std::mem::take(&mut self.is_in_doubt).then(|| self.settle(next, false));
        }
        self.even_since = None;
        let is_new = !std::mem::replace(&mut self.is_in_doubt, true);
        let may_be_right = goes_evenly && unix_ms >= RELEASED;
        self.doubted_for =
            if may_be_right { self.doubted_for.saturating_add(passed) } else { Duration::ZERO };
        if may_be_right && self.doubted_for >= self.believed_after {
            (self.time, self.is_in_doubt, self.doubted_for) = (unix_ms, false, Duration::ZERO);
            return Some(self.settle(next, true));
        }
        is_new.then(|| {
            let before = self.first.min(next);
            self.doubts.push(Doubt { first: next, last: i64::MAX, before, since: None });
            self.is_changed = true;
            Change::Doubted { by: unix_ms.abs_diff(self.time), is_ahead: unix_ms > self.time }
        })
    }

    /// The doubt is over.
    fn settle(&mut self, next: i64, is_believed: bool) -> Change {
        let time = self.time;
        for doubt in self.doubts.iter_mut().filter(|doubt| doubt.since.is_none()) {
            doubt.since = Some(time);
            doubt.last = next.saturating_sub(1);
            if is_believed {
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
        if is_believed { Change::Believed } else { Change::Agreed }
    }

    /// The time by which messages are too old: never later than the clock of the machine, nor than
    /// the file's.
    pub(super) fn time(&self) -> u64 {
        self.last.map_or(self.time, |last| last.unix_ms.min(self.time))
    }

    /// The time by which messages are too old whatever becomes of the clock: that of the file as it
    /// was when the server began, and has gone on since, and as it is when the clock has gone evenly
    /// for a 24th of what makes it believed.
    pub(super) fn certain(&self) -> u64 {
        self.certain.min(self.time())
    }

    /// When a message was said, as far as it is known: not after this. `None` while its time is in
    /// doubt.
    pub(super) fn said(&self, number: i64, time: u64) -> Option<u64> {
        let mut doubts = self.doubts.iter().filter(|it| (it.first..=it.last).contains(&number));
        match doubts.next() {
            None => Some(time),
            Some(first) => doubts.map(|it| it.since).fold(first.since, |latest, since| {
                latest.zip(since).map(|(latest, since)| latest.max(since))
            }),
        }
    }

    /// Forgets the doubts about messages that are deleted.
    pub(super) fn forget(&mut self, before: u64) {
        let count = self.doubts.len();
        self.doubts.retain(|doubt| doubt.since.is_none_or(|since| since >= before));
        self.is_changed |= self.doubts.len() != count;
    }

    /// Whether the file is to be told something.
    pub(super) fn is_to_be_saved(&self, now: Instant) -> bool {
        let is_due = |at: Instant| now.saturating_duration_since(at) >= SAVE_EVERY;
        self.is_changed || self.saved.is_none_or(is_due)
    }

    /// Tells the file. [`FileClock::is_saved`] is to be called when that is committed.
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

    pub(super) fn is_saved(&mut self, now: Instant) {
        (self.is_changed, self.saved) = (false, Some(now));
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
    /// Some time in 2026.
    const T: u64 = RELEASED + 2 * YEAR;

    /// Looks, each a time after the start and what the clock of the machine says: after it the time
    /// of the file, and what became of the clock.
    fn check(clock: &mut FileClock, looks: &[(u64, u64, u64, Option<&str>)]) {
        let start = Instant::now();
        (clock.last, clock.even_since) = (None, None);
        for (number, (after, unix_ms, time, change)) in (10..).zip(looks) {
            let instant = start + Duration::from_millis(*after);
            let is = clock.look(Reading { instant, unix_ms: *unix_ms }, number);
            let name = is.map(|change| match change {
                Change::Doubted { .. } => "doubted",
                Change::Agreed => "agreed",
                Change::Believed => "believed",
            });
            assert_eq!((clock.time(), name), (*time, *change), "{after}: {unix_ms}");
        }
    }

    fn clock(newest: Option<u64>) -> FileClock {
        let mut clock = FileClock::new(newest, T, Duration::from_millis(DAY));
        clock.begin(5);
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
    fn a_small_step_is_certain_after_an_hour_of_going_evenly() {
        let mut clock = clock(Some(T));
        check(&mut clock, &[(0, T + 23 * HOUR, T + 23 * HOUR, None)]);
        assert_eq!(clock.certain(), T);
        check(&mut clock, &[(0, T + 10, T + 10, None)]);
        assert_eq!(clock.certain(), T);
        let looks =
            [(0, T + 5 * HOUR, T + 5 * HOUR, None), (HOUR, T + 6 * HOUR, T + 6 * HOUR, None)];
        check(&mut clock, &looks);
        assert_eq!(clock.certain(), T + 6 * HOUR);
        // Behind the file, the clock of the machine is what counts.
        check(&mut clock, &[(0, T - HOUR, T - HOUR, None)]);
        assert_eq!(clock.certain(), T - HOUR);
    }

    #[test]
    fn a_clock_ahead_at_the_start_is_believed_after_a_day_of_going_evenly() {
        let far = T + 2 * YEAR;
        check(
            &mut clock(Some(T)),
            &[
                (0, far, T, Some("doubted")),
                (3000, far + 3000, T + 3000, None),
                (23 * HOUR, far + 23 * HOUR, T + 23 * HOUR, None),
                (DAY, far + DAY, far + DAY, Some("believed")),
            ],
        );
    }

    #[test]
    fn a_jump_in_doubt_begins_it_again() {
        let far = T + 2 * YEAR;
        check(
            &mut clock(Some(T)),
            &[
                (0, far, T, Some("doubted")),
                (23 * HOUR, far + 33 * HOUR, T + 23 * HOUR, None),
                (25 * HOUR, far + 35 * HOUR, T + 25 * HOUR, None),
                (47 * HOUR, far + 57 * HOUR, far + 57 * HOUR, Some("believed")),
            ],
        );
    }

    #[test]
    fn a_jump_that_is_taken_back_changes_nothing() {
        for wrong in [0, T - YEAR, T + YEAR, u64::MAX] {
            let mut clock = clock(Some(T));
            let now = (T + 1000).min(wrong);
            check(
                &mut clock,
                &[
                    (0, T, T, None),
                    (1000, wrong, now, Some("doubted")),
                    (4000, T + 4000, T + 4000, Some("agreed")),
                ],
            );
            // Number 11 was said in doubt, and is as old as the end of it.
            let said = [10, 11, 12].map(|number| clock.said(number, 7));
            assert_eq!(said, [Some(7), Some(T + 4000), Some(7)]);
        }
    }

    #[test]
    fn what_was_said_before_a_jump_that_is_believed_had_a_wrong_time() {
        let mut clock = clock(Some(T));
        let far = T + YEAR;
        check(
            &mut clock,
            &[
                (0, T, T, None),
                (1000, far, T + 1000, Some("doubted")),
                (1000 + DAY, far + DAY, far + DAY, Some("believed")),
            ],
        );
        let said = [4, 5, 11, 12].map(|number| clock.said(number, 7));
        assert_eq!(said, [Some(7), Some(far + DAY), Some(far + DAY), Some(7)]);
        clock.forget(far + DAY);
        assert_eq!(clock.said(5, 7), Some(far + DAY));
        clock.forget(far + DAY + 1);
        assert_eq!(clock.said(5, 7), Some(7));
    }

    #[test]
    fn no_clock_from_before_the_program_is_believed() {
        let mut clock = clock(None);
        clock.time = RELEASED;
        check(&mut clock, &[(0, 5, 5, Some("doubted")), (3 * DAY, 5 + 3 * DAY, 5 + 3 * DAY, None)]);
        assert_eq!(clock.said(10, 5), None);
        // The next server, in a later year.
        clock.begin(12);
        check(
            &mut clock,
            &[(0, T, RELEASED + 3 * DAY, None), (DAY, T + DAY, T + DAY, Some("believed"))],
        );
        assert_eq!(clock.said(10, 5), Some(T + DAY));
    }

    #[test]
    fn any_number_of_doubts_stays_bounded() {
        let mut clock = clock(Some(T));
        let start = Instant::now();
        for number in 0..1000 {
            let instant = start + Duration::from_secs(number);
            let unix_ms = if number % 2 == 0 { T + 1000 * number } else { 7 };
            clock.look(Reading { instant, unix_ms }, 10 + i64::try_from(number).unwrap());
        }
        assert!(clock.doubts.len() <= DOUBTS_MAX + 1);
        assert!(clock.said(11, 7).unwrap() > T);
    }
}
