//! Signals: which of them stop the server, and which end nothing.
//!
//! SIGQUIT, and those that mean a defect (SIGSEGV, SIGABRT), do what they always do. SIGPIPE is
//! ignored by the Rust runtime.

use std::fs::{self, OpenOptions};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chinwag::Handle;
use signal_hook::consts::signal::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::signal_name;

/// End a process by default, and have no meaning for this one. With a handler SIGXFSZ is an error
/// of the write instead, and so a failing disk.
const MEANINGLESS: [i32; 8] =
    [SIGALRM, SIGIO, SIGPROF, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ];
/// The same, on Linux: SIGSTKFLT, SIGPWR, and the real-time signals. The C library keeps 32 and 33
/// for itself.
#[cfg(target_os = "linux")]
const MEANINGLESS_ON_LINUX: [std::ops::RangeInclusive<i32>; 3] = [16..=16, 30..=30, 34..=64];

/// From here on signals without a meaning end nothing.
///
/// A handler that does next to nothing stands in for `SIG_IGN`, which takes `unsafe`. System calls
/// that it interrupts are restarted.
pub(crate) fn endure_meaningless() {
    let signals = MEANINGLESS.into_iter();
    #[cfg(target_os = "linux")]
    let signals = signals.chain(MEANINGLESS_ON_LINUX.into_iter().flatten());
    for signal in signals {
        // Where a system does not have the signal, there is nothing to endure.
        let _ = flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
}

/// The signals that the program listens for.
pub(crate) struct Listening {
    signals: Signals,
    hangup_stops: bool,
}

impl Listening {
    /// Signals that come from here on are heard.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub(crate) fn new() -> Result<Self, String> {
        // Before there is a handler, which hides what was before.
        let hangup_stops = has_terminal() && !ignores(SIGHUP);
        let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]);
        let signals = signals.map_err(|error| format!("cannot listen for signals: {error}"))?;
        Ok(Self { signals, hangup_stops })
    }

    /// Stops the server after the first signal that asks for it, on a thread of its own. After that
    /// another SIGINT or SIGTERM ends the process at once. SIGHUP does not: when a terminal is
    /// closed, the shell and the kernel may both send it.
    ///
    /// # Errors
    /// When no thread can be had.
    pub(crate) fn stop(self, handle: Handle) -> Result<(), String> {
        let wait = move || {
            let Self { mut signals, hangup_stops } = self;
            for signal in signals.forever() {
                let name = signal_name(signal).unwrap_or("a signal");
                if signal == SIGHUP && !hangup_stops {
                    log::info!("{name} is ignored; SIGTERM stops the server");
                    continue;
                }
                end_at_the_next();
                log::info!("stopping, after {name}; a second signal ends the process at once");
                return handle.stop();
            }
        };
        let thread = std::thread::Builder::new().name("signals".into()).spawn(wait);
        thread.map(drop).map_err(|error| format!("cannot listen for signals: {error}"))
    }
}

fn end_at_the_next() {
    let stopping = Arc::new(AtomicBool::new(true));
    for signal in [SIGINT, SIGTERM] {
        let at_once = flag::register_conditional_shutdown(signal, 128 + signal, stopping.clone());
        if let Err(error) = at_once {
            log::warn!("a second signal will not end the process at once: {error}");
        }
    }
}

/// Whether the process has a controlling terminal, which may be closed.
fn has_terminal() -> bool {
    OpenOptions::new().read(true).open("/dev/tty").is_ok()
}

/// Whether the signal was ignored when the process began, as `nohup` has it. Known on Linux alone.
fn ignores(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
