//! The program's log: lines on stderr, at a bounded rate.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use log::{LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;

use crate::rate::Rate;

/// Lines that may come at once: a busy minute.
const LINES_BURST: u32 = 500;
/// Lines a second in the long run. At some 100 bytes each, a day of them takes less than 100 MB,
/// however many people knock.
const LINES_PER_SECOND: u32 = 10;

/// Takes the log of the library and of the crates below it, from this level up.
///
/// tungstenite logs what people say, at debug and trace. tiny_http calls it an error when it is
/// stopped; what its failures mean for the page, the page logs.
pub(crate) fn log_to_stderr(level: LevelFilter) {
    let lines = SimpleLogger::new()
        .with_level(level)
        .with_module_level("tungstenite", level.min(LevelFilter::Warn))
        .with_module_level("tiny_http", LevelFilter::Off);
    let logger = BoundedLogger { lines, state: Mutex::new(State { rate: rate(), left_out: 0 }) };
    log::set_max_level(level);
    log::set_boxed_logger(Box::new(logger)).expect("no logger was set before");
}

fn rate() -> Option<Rate> {
    Rate::new(LINES_PER_SECOND, LINES_BURST, Instant::now())
}

/// A log that ends nothing and fills nothing, whatever happens to it.
struct BoundedLogger {
    lines: SimpleLogger,
    /// Every thread logs, and none should wait for another that would do it in its place.
    state: Mutex<State>,
}

struct State {
    rate: Option<Rate>,
    left_out: u64,
}

impl State {
    /// How many lines were left out since the last, if there may be one now.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let Some(rate) = &mut self.rate else { return Some(0) };
        if rate.wait_until(now).is_some() {
            self.left_out += 1;
            return None;
        }
        rate.count(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

impl BoundedLogger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// stderr may be closed while the server runs. simple_logger panics then.
    fn print(&self, record: &Record<'_>) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.lines.log(record)));
    }
}

impl Log for BoundedLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let Some(left_out) = self.state().admit(Instant::now()) else { return };
        if left_out > 0 {
            let text = format_args!("{left_out} lines were left out here");
            self.print(&Record::builder().metadata(record.metadata().clone()).args(text).build());
        }
        self.print(record);
    }

    fn flush(&self) {
        self.lines.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_beyond_the_rate_are_counted_instead() {
        let start = Instant::now();
        let mut state = State { rate: Rate::new(10, 3, start), left_out: 0 };
        assert_eq!([0; 5].map(|_| state.admit(start)), [Some(0), Some(0), Some(0), None, None]);
        assert_eq!(state.admit(start + Duration::from_millis(100)), Some(2));
        assert_eq!(state.admit(start + Duration::from_millis(200)), Some(0));
    }
}
