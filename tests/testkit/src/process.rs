//! The program as a process of its own.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::DEADLINE;

/// The arguments of a server that collides with no other on this machine.
pub const FREE_PORTS: [&str; 4] = ["--port", "0", "--ws-port", "0"];

/// Returns the program under test: `CHINWAG_BIN`, or the one that cargo built beside this test.
pub fn binary() -> PathBuf {
    std::env::var_os("CHINWAG_BIN").map_or_else(built_binary, PathBuf::from)
}

/// Cargo puts tests and benchmarks into `deps`, below the folder of the program.
fn built_binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|deps| deps.parent()).expect("a test is in deps").join("chinwag")
}

/// Returns a command for the program, without the variables that it would take for settings.
pub fn chinwag() -> Command {
    prepared(Command::new(binary()))
}

/// Returns a command that starts the program by another, as in `prlimit --nofile=256 chinwag`.
pub fn chinwag_under(wrapper: &[&str]) -> Command {
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(binary());
    prepared(command)
}

/// Prepares a command that runs the program: its environment, and pipes for its output.
pub fn prepared(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHINWAG_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running server. Dropping it kills the process.
pub struct ServerProcess {
    pub child: Child,
    pub banner: String,
}

impl ServerProcess {
    /// Starts the program on free ports with these arguments.
    pub fn with(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        Self::start(chinwag().args(FREE_PORTS).args(arguments))
    }

    pub fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut banner = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while !banner.contains("Ctrl+C stops") {
            let read = stdout.read_line(&mut banner).unwrap();
            assert_ne!(read, 0, "no banner, but {banner}{}", stderr_of(&mut child));
        }
        Self { child, banner }
    }

    /// Returns the value behind a label of the banner.
    pub fn line(&self, label: &str) -> &str {
        let mut lines = self.banner.lines();
        let found = lines.find(|line| line.trim_start().starts_with(label));
        let value = found.and_then(|line| line.split(": ").nth(1));
        value.unwrap_or_else(|| panic!("no {label} in {}", self.banner)).trim()
    }

    pub fn page(&self) -> SocketAddr {
        url_address(self.line("On this machine"))
    }

    /// Returns the WebSocket port on the loopback interface. The banner has the address for other
    /// machines.
    pub fn websocket(&self) -> SocketAddr {
        SocketAddr::new(self.page().ip(), url_address(self.line("WebSocket")).port())
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end of the process. Returns its status and its log.
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = wait_for_exit(&mut self.child);
        (status, stderr_of(&mut self.child))
    }

    /// Resident memory (bytes).
    pub fn resident_bytes(&self) -> usize {
        let statm = self.proc("statm");
        let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
        pages * rustix::param::page_size()
    }

    /// A field of `/proc/PID/status`, such as `VmSize` (KiB).
    pub fn status(&self, field: &str) -> usize {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with(&format!("{field}:"))).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub fn threads(&self) -> usize {
        self.count("task")
    }

    pub fn descriptors(&self) -> usize {
        self.count("fd")
    }

    pub fn mappings(&self) -> usize {
        self.proc("maps").lines().count()
    }

    pub fn processor_time(&self) -> Duration {
        processor_time(self.child.id())
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    fn count(&self, folder: &str) -> usize {
        fs::read_dir(format!("/proc/{}/{folder}", self.child.id())).unwrap().count()
    }
}

/// Returns the processor time of a process, or of `self`, including threads that have ended.
pub fn processor_time(process: impl Display) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name of the program, in parentheses, may hold any character.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2).map(|it| it.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 1000 / rustix::param::clock_ticks_per_second())
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the address in a URL without a path.
pub fn url_address(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("://").unwrap();
    rest.trim_end_matches('/').parse().unwrap()
}

/// Reads the stderr of a process to its end.
pub fn stderr_of(child: &mut Child) -> String {
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    errors
}

/// Does what `Child::wait` does, with a deadline.
pub fn wait_for_exit(child: &mut Child) -> ExitStatus {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
    let timeout = Timespec::try_from(DEADLINE).unwrap();
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)).unwrap();
    assert_eq!(ended, 1, "the process does not end");
    child.wait().unwrap()
}
