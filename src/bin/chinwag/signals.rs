//! The signals that stop the server, and those that are ignored.
//!
//! SIGQUIT, and the signals of a defect (SIGSEGV, SIGABRT), keep their default action. The Rust
//! runtime ignores SIGPIPE.

use std::fs::{self, OpenOptions};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;

use chinwag::Handle;
use signal_hook::consts::signal::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::signal_name;

/// The target of log lines about signals.
pub(crate) const LOG_TARGET: &str = module_path!();

/// Signals that end a process by default, and have no meaning for this one. With a handler for
/// SIGXFSZ the write fails instead, as on a full disk.
const MEANINGLESS: [i32; 8] =
    [SIGALRM, SIGIO, SIGPROF, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ];
/// More such signals on Linux: SIGSTKFLT, SIGPWR, and the real-time signals. The C library uses 32 and
/// 33 itself.
#[cfg(target_os = "linux")]
const MEANINGLESS_ON_LINUX: [std::ops::RangeInclusive<i32>; 3] = [16..=16, 30..=30, 34..=64];

/// Makes the process ignore signals without a meaning. The handler only sets a flag, because
/// `SIG_IGN` takes `unsafe`. Interrupted system calls are restarted.
pub(crate) fn ignore_meaningless() {
    let signals = MEANINGLESS.into_iter();
    #[cfg(target_os = "linux")]
    let signals = signals.chain(MEANINGLESS_ON_LINUX.into_iter().flatten());
    for signal in signals {
        // A system without this signal needs no handler.
        let _ = flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
}

/// The handlers of the signals that stop the server.
pub(crate) struct StopSignals {
    signals: Signals,
    hangup_stops: bool,
}

impl StopSignals {
    /// Installs the handlers. A signal from here on is handled by [`StopSignals::stop`].
    ///
    /// # Errors
    /// If the process has no descriptor left.
    pub(crate) fn new() -> Result<Self, String> {
        // Read before the handlers replace the disposition.
        let hangup_stops = has_terminal() && !ignores(SIGHUP);
        let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]);
        let signals = signals.map_err(|error| format!("cannot listen for signals: {error}"))?;
        Ok(Self { signals, hangup_stops })
    }

    /// Starts a thread that stops the server after the first signal. The server is the one whose
    /// handle comes through the channel. After the first signal, another SIGINT or SIGTERM ends the
    /// process at once. SIGHUP does not: when a terminal is closed, the shell and the kernel may both
    /// send it.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn stop(self, running: Receiver<Handle>) -> Result<(), String> {
        let wait = move || {
            let Self { mut signals, hangup_stops } = self;
            for signal in signals.forever() {
                let name = signal_name(signal).unwrap_or("a signal");
                if signal == SIGHUP && !hangup_stops {
                    log::info!("{name} is ignored; SIGTERM stops the server");
                    continue;
                }
                end_at_next_signal();
                log::info!("stopping, after {name}; a second signal ends the process at once");
                // A signal before the server serves stops it as soon as it does.
                if let Ok(handle) = running.recv() {
                    handle.stop();
                }
                return;
            }
        };
        let thread = std::thread::Builder::new().name("signals".into()).spawn(wait);
        thread.map(drop).map_err(|error| format!("cannot listen for signals: {error}"))
    }
}

fn end_at_next_signal() {
    let stopping = Arc::new(AtomicBool::new(true));
    for signal in [SIGINT, SIGTERM] {
        let at_once = flag::register_conditional_shutdown(signal, 128 + signal, stopping.clone());
        if let Err(error) = at_once {
            log::warn!("a second signal will not end the process at once: {error}");
        }
    }
}

/// Returns whether the process has a controlling terminal, which may be closed.
fn has_terminal() -> bool {
    OpenOptions::new().read(true).open("/dev/tty").is_ok()
}

/// Returns whether the signal was ignored when the process started, as under `nohup`. Only Linux
/// tells this.
fn ignores(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
