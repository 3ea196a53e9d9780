//! System calls of the server, which `perf` counts where it is installed and allowed to.
//!
//! Each costs a little more while it is counted, so that what is measured otherwise is measured at
//! another time.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use testkit::Outcome;

/// Time for perf to find all threads.
const SETTLE: Duration = Duration::from_millis(300);
const EVENT: &str = "raw_syscalls:sys_enter";

/// A count under way.
pub(crate) struct Count(Child);

impl Count {
    /// `None` where nobody can count. The server should have nothing to do until this returns.
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

    /// How many there were. The server should have nothing to do any more.
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
