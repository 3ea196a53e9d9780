//! The program's log: lines on stderr, at a bounded rate, that no other thread waits for.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, bounded};
use humantime::format_rfc3339_millis;
use log::{Level, LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;

use crate::token_bucket::TokenBucket;

/// Lines that may come at once from one module: a busy minute.
const LINES_BURST: u32 = 500;
/// Lines a second in the long run. At some 100 bytes each, a day of them takes less than 100 MB,
/// however many people knock.
const LINES_PER_SECOND: u32 = 10;
/// The most lines that wait for a slow stderr. More are left out, and counted.
const WAITING_MAX: usize = 500;
/// How long the end of the program waits for the last lines.
const FLUSH_WITHIN: Duration = Duration::from_millis(200);

/// Takes the log of the library and of the crates below it, from this level up, to a thread that
/// writes it. A terminal on which somebody has pressed Ctrl+S would otherwise stop the server.
///
/// A line begins with its time in UTC. systemd's journal notes the time itself, so that lines for
/// it have none.
///
/// # Errors
/// When no thread can be had.
pub(crate) fn log_to_stderr(level: LevelFilter) -> io::Result<()> {
    let (into, out) = bounded(WAITING_MAX);
    let writer =
        Writer { stderr: stderr(level), with_time: !is_journal(), sources: HashMap::new() };
    thread::Builder::new().name("log".into()).spawn(move || writer.write_all(&out))?;
    let logger = Logger { filter: stderr(level), into, left_out: AtomicU64::new(0) };
    log::set_max_level(level);
    log::set_boxed_logger(Box::new(logger)).expect("no logger was set before");
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Logs a panic. The hook of the standard library writes to stderr by itself, and waits for it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let said = panic.to_string().replace('\n', " ");
    let backtrace = Backtrace::capture();
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => format!("\n{backtrace}"),
        _ => String::new(),
    };
    log::error!("{}: {said}{backtrace}", thread.name().unwrap_or("a thread"));
}

/// tungstenite logs what people say, at debug and trace. tiny_http calls it an error when it is
/// stopped; what its failures mean for the page, the page logs.
fn stderr(level: LevelFilter) -> SimpleLogger {
    SimpleLogger::new()
        .with_level(level)
        .with_module_level("tungstenite", level.min(LevelFilter::Warn))
        .with_module_level("tiny_http", LevelFilter::Off)
}

/// Whether stderr is the socket of systemd's journal: the variable has its device and inode. A
/// program that was started by a service may have the variable, and another stderr.
fn is_journal() -> bool {
    let socket = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    rustix::fs::fstat(io::stderr()).is_ok_and(|it| socket == format!("{}:{}", it.st_dev, it.st_ino))
}

enum Input {
    Line {
        time: SystemTime,
        level: Level,
        target: String,
        text: String,
        /// Lines that found no room before this one.
        left_out: u64,
    },
    /// Answered when all that came before is written.
    Flush(Sender<()>),
}

/// Where every thread logs.
struct Logger {
    /// Knows what is logged, and writes nothing.
    filter: SimpleLogger,
    into: Sender<Input>,
    left_out: AtomicU64,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        let line = Input::Line {
            time: SystemTime::now(),
            level: record.level(),
            target: record.target().to_owned(),
            text: record.args().to_string(),
            left_out,
        };
        if self.into.try_send(line).is_err() {
            self.left_out.fetch_add(left_out + 1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {
        let (flushed, wait) = bounded(1);
        if self.into.send_timeout(Input::Flush(flushed), FLUSH_WITHIN).is_ok() {
            let _ = wait.recv_timeout(FLUSH_WITHIN);
        }
    }
}

/// The thread that writes. It ends with the program.
struct Writer {
    stderr: SimpleLogger,
    with_time: bool,
    /// Each module has a rate of its own, so that one that has much to say hides no other. There
    /// are as many as there are modules.
    sources: HashMap<String, Source>,
}

struct Source {
    rate: TokenBucket,
    left_out: u64,
}

impl Writer {
    fn write_all(mut self, inputs: &Receiver<Input>) {
        for input in inputs {
            match input {
                Input::Flush(flushed) => drop(flushed.send(())),
                Input::Line { time, level, target, text, left_out } => {
                    let source = self.sources.entry(target.clone()).or_insert_with(Source::new);
                    source.left_out += left_out;
                    if let Some(left_out) = source.admit(Instant::now()) {
                        if left_out > 0 {
                            let said = format_args!("({left_out} lines left out)");
                            self.write(time, level, &target, said);
                        }
                        self.write(time, level, &target, format_args!("{text}"));
                    }
                }
            }
        }
    }

    /// stderr may be closed while the server runs. simple_logger panics then. Its own time would be
    /// that of the writing, and cost two crates more.
    fn write(&self, time: SystemTime, level: Level, target: &str, text: fmt::Arguments<'_>) {
        let write = || {
            if self.with_time {
                let _ = write!(io::stderr(), "{} ", in_utc(time));
            }
            self.stderr.log(&Record::builder().level(level).target(target).args(text).build());
        };
        let _ = catch_unwind(AssertUnwindSafe(write));
    }
}

/// The time as in `2026-02-03T04:05:06.789Z`. A clock may be wrong: what is before 1970 or after
/// 9999 has no such name.
fn in_utc(time: SystemTime) -> impl Display {
    let latest = UNIX_EPOCH + Duration::from_millis(253_402_300_799_999);
    format_rfc3339_millis(time.clamp(UNIX_EPOCH, latest))
}

impl Source {
    fn new() -> Self {
        let rate = TokenBucket::new(LINES_PER_SECOND, LINES_BURST, Instant::now());
        Self { rate: rate.expect("the rate is not 0"), left_out: 0 }
    }

    /// How many lines were left out since the last, if there may be one now.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.rate.wait_until(now).is_some() {
            self.left_out += 1;
            return None;
        }
        self.rate.count(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clock_has_a_time() {
        for (seconds, expected) in [
            (-1, "1970-01-01T00:00:00.000Z"),
            (0, "1970-01-01T00:00:00.000Z"),
            (1_770_091_506, "2026-02-03T04:05:06.000Z"),
            (253_402_300_800, "9999-12-31T23:59:59.999Z"),
            (1 << 40, "9999-12-31T23:59:59.999Z"),
        ] {
            let distance = Duration::from_secs(i64::unsigned_abs(seconds));
            let time = if seconds < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance };
            assert_eq!(in_utc(time).to_string(), expected);
        }
    }

    #[test]
    fn what_other_crates_log_is_sifted() {
        let filter = stderr(LevelFilter::Trace);
        let logger = Logger { filter, into: bounded(0).0, left_out: AtomicU64::new(0) };
        let logs = |level, target| {
            logger.enabled(&Metadata::builder().level(level).target(target).build())
        };
        assert!(logs(Level::Trace, "chinwag::door") && logs(Level::Trace, "chinwag"));
        assert!(logs(Level::Warn, "tungstenite::protocol"));
        assert!(!logs(Level::Debug, "tungstenite::protocol") && !logs(Level::Error, "tiny_http"));
    }

    #[test]
    fn lines_beyond_the_rate_are_counted_instead() {
        let start = Instant::now();
        let mut source = Source { rate: TokenBucket::new(10, 3, start).unwrap(), left_out: 0 };
        let mut admit = |after| source.admit(start + Duration::from_millis(after));
        assert_eq!([0; 5].map(&mut admit), [Some(0), Some(0), Some(0), None, None]);
        assert_eq!([100, 200].map(&mut admit), [Some(2), Some(0)]);
    }
}
