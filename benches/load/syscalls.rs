//! System calls of the server, counted by `perf` where it is installed and permitted.
//!
//! Counting makes each call a little slower, so other figures are measured at another time.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use testkit::Outcome;

/// How long perf takes to find all threads.
const SETTLE: Duration = Duration::from_millis(300);
const EVENT: &str = "raw_syscalls:sys_enter";

/// A running count.
pub(crate) struct Count(Child);

impl Count {
    /// Starts to count. Returns `None` where perf is missing or not permitted. The server should be
    /// idle until this returns.
    pub(crate) fn begin(server: Pid) -> Option<Self> {
        let perf = Command::new("perf")
            .args(["stat", "-x", ",", "-e", EVENT, "-p", &server.as_raw_nonzero().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut perf = perf.ok()?;
        std::thread::sleep(SETTLE);
        matches!(perf.try_wait(), Ok(None)).then_some(Self(perf))
    }

    /// Returns the count. The server should be idle again.
    pub(crate) fn end(mut self) -> Outcome<u64> {
        kill_process(Pid::from_child(&self.0), Signal::INT)?;
        let mut report = String::new();
        self.0.stderr.take().expect("stderr was asked for").read_to_string(&mut report)?;
        self.0.wait()?;
        let line = report.lines().find(|line| line.contains(EVENT));
        let count = line.and_then(|line| line.split(',').next()?.parse().ok());
        count.ok_or_else(|| format!("perf has counted nothing: {report}").into())
    }
}
