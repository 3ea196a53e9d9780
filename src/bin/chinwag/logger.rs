//! The program's log: lines on stderr, at a bounded rate, without making any thread wait.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::{self, Display};
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, bounded};
use humantime::format_rfc3339_millis;
use log::{Level, LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;

use crate::signals;

/// Maximum number of lines in a window. At some 100 bytes each, a day of them takes less than 100 MB,
/// however many clients try to connect.
const LINES_PER_WINDOW_MAX: u32 = 600;
/// How long a window is.
const WINDOW: Duration = Duration::from_secs(60);
/// Capacity of the queue to stderr (lines). Further lines are left out, and counted.
const QUEUE_MAX: usize = 500;
/// How long the end of the program waits for the last lines.
const FLUSH_WITHIN: Duration = Duration::from_millis(200);

/// Logs everything from this level up, of the library and of its dependencies, through a thread that
/// writes to stderr. Without that thread, Ctrl+S in the terminal would stop the server.
///
/// A line begins with its time in UTC, except in systemd's journal, which records the time itself.
///
/// # Errors
/// If the thread cannot be started.
pub(crate) fn log_to_stderr(level: LevelFilter) -> io::Result<()> {
    let (queue, lines) = bounded(QUEUE_MAX);
    let output = Arc::new(Output::new(level));
    let writer = Writer { output: output.clone(), limit: LineLimit::new(Instant::now()) };
    thread::Builder::new().name("log".into()).spawn(move || writer.write_all(&lines))?;
    log::set_max_level(level);
    let logger = RateLimitedLogger { output, queue };
    log::set_boxed_logger(Box::new(logger)).expect("no logger was set before");
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Logs a panic. The hook of the standard library would write to stderr itself, and wait for it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let message = panic.to_string().replace('\n', " ");
    let backtrace = Backtrace::capture();
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => format!("\n{backtrace}"),
        _ => String::new(),
    };
    log::error!("{}: {message}{backtrace}", thread.name().unwrap_or("a thread"));
}

/// Returns whether stderr is the socket of systemd's journal: the variable has its device and inode.
/// A program that a service has started may have the variable, but another stderr.
fn is_journal() -> bool {
    let socket = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    rustix::fs::fstat(io::stderr()).is_ok_and(|it| socket == format!("{}:{}", it.st_dev, it.st_ino))
}

/// The filter of lines, their way to stderr, and the count of those that were left out.
struct Output {
    lines: SimpleLogger,
    with_time: bool,
    left_out: AtomicU64,
}

impl Output {
    /// tungstenite logs the texts of clients at debug and trace. tiny_http logs an error when it is
    /// stopped; the page logs the failures that matter.
    fn new(level: LevelFilter) -> Self {
        let lines = SimpleLogger::new()
            .with_level(level)
            .with_module_level("tungstenite", level.min(LevelFilter::Warn))
            .with_module_level("tiny_http", LevelFilter::Off);
        Self { lines, with_time: !is_journal(), left_out: AtomicU64::new(0) }
    }

    /// Writes a line. stderr may be closed while the server runs, and then simple_logger panics. Its
    /// own time would be that of the writing, and cost two more crates.
    fn write(&self, line: &Line, text: fmt::Arguments<'_>) {
        let write = || {
            if self.with_time {
                let _ = write!(io::stderr(), "{} ", in_utc(line.time));
            }
            let record =
                Record::builder().level(line.level).target(&line.target).args(text).build();
            self.lines.log(&record);
        };
        let _ = catch_unwind(AssertUnwindSafe(write));
    }
}

enum Input {
    Line(Line),
    /// Answered when all lines before it are written.
    Flush(Sender<()>),
}

struct Line {
    time: SystemTime,
    level: Level,
    target: String,
    text: String,
}

/// The logger of all threads. It queues lines, and leaves them out if the queue is full.
struct RateLimitedLogger {
    output: Arc<Output>,
    queue: Sender<Input>,
}

impl Log for RateLimitedLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.output.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = Line {
            time: SystemTime::now(),
            level: record.level(),
            target: record.target().to_owned(),
            text: record.args().to_string(),
        };
        if self.queue.try_send(Input::Line(line)).is_err() {
            self.output.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {
        let (flushed, wait) = bounded(1);
        if self.queue.send_timeout(Input::Flush(flushed), FLUSH_WITHIN).is_ok() {
            let _ = wait.recv_timeout(FLUSH_WITHIN);
        }
    }
}

/// The thread that writes. It ends with the program.
struct Writer {
    output: Arc<Output>,
    limit: LineLimit,
}

impl Writer {
    fn write_all(mut self, inputs: &Receiver<Input>) {
        for input in inputs {
            match input {
                Input::Flush(flushed) => drop(flushed.send(())),
                Input::Line(line) => self.write(&line),
            }
        }
    }

    fn write(&mut self, line: &Line) {
        // The few lines about signals are always written: they say why the server stops.
        if line.target != signals::LOG_TARGET && !self.limit.admit(Instant::now()) {
            self.output.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let left_out = self.output.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            self.output.write(line, format_args!("({left_out} lines left out)"));
        }
        self.output.write(line, format_args!("{}", line.text));
    }
}

/// Admits a bounded number of lines in each window of time.
struct LineLimit {
    window_end: Instant,
    lines: u32,
}

impl LineLimit {
    fn new(now: Instant) -> Self {
        Self { window_end: now + WINDOW, lines: 0 }
    }

    fn admit(&mut self, now: Instant) -> bool {
        if now >= self.window_end {
            *self = Self::new(now);
        }
        self.lines = self.lines.saturating_add(1);
        self.lines <= LINES_PER_WINDOW_MAX
    }
}

/// Formats a time as in `2026-02-03T04:05:06.789Z`. Times before 1970 or after 9999, which a wrong
/// clock may have, are moved to the nearest time that can be formatted.
fn in_utc(time: SystemTime) -> impl Display {
    let latest = UNIX_EPOCH + Duration::from_millis(253_402_300_799_999);
    format_rfc3339_millis(time.clamp(UNIX_EPOCH, latest))
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
    fn lines_of_other_crates_are_filtered() {
        let output = Arc::new(Output::new(LevelFilter::Trace));
        let logger = RateLimitedLogger { output, queue: bounded(0).0 };
        let logs = |level, target| {
            logger.enabled(&Metadata::builder().level(level).target(target).build())
        };
        assert!(logs(Level::Trace, "chinwag::http") && logs(Level::Trace, "chinwag"));
        assert!(logs(Level::Warn, "tungstenite::protocol"));
        assert!(!logs(Level::Debug, "tungstenite::protocol") && !logs(Level::Error, "tiny_http"));
    }

    #[test]
    fn a_full_queue_leaves_lines_out_and_counts_them() {
        let (queue, lines) = bounded(1);
        let output = Arc::new(Output::new(LevelFilter::Info));
        let logger = RateLimitedLogger { output: output.clone(), queue };
        for _ in 0..3 {
            logger.log(&Record::builder().args(format_args!("a line")).build());
        }
        assert_eq!(output.left_out.load(Ordering::Relaxed), 2);
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn each_window_has_a_bounded_number_of_lines() {
        let start = Instant::now();
        let mut limit = LineLimit::new(start);
        let mut admitted = |after: Duration| {
            (0..2 * LINES_PER_WINDOW_MAX).filter(|_| limit.admit(start + after)).count()
        };
        assert_eq!(admitted(Duration::ZERO), 600);
        assert_eq!(admitted(WINDOW - Duration::from_millis(1)), 0);
        assert_eq!(admitted(WINDOW), 600);
    }
}
