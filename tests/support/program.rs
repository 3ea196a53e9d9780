//! The program, as a process of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::DEADLINE;

/// Arguments for a server that nothing else on the machine can collide with.
pub const FREE_PORTS: [&str; 4] = ["--port", "0", "--ws-port", "0"];

/// The program under test: `CHINWAG_BIN`, or what cargo has built.
pub fn path() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_chinwag"));
    std::env::var_os("CHINWAG_BIN").map_or_else(built, PathBuf::from)
}

/// The program, with nothing of this process's environment that it would take for a setting.
pub fn chinwag() -> Command {
    prepared(Command::new(path()))
}

/// The program, started by another, as in `prlimit --nofile=256 chinwag`.
pub fn chinwag_under(wrapper: &[&str]) -> Command {
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(path());
    prepared(command)
}

/// A command that runs the program, made ready for a test.
pub fn prepared(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHINWAG_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running program. It is ended, at the latest, when this is dropped.
pub struct Program {
    pub child: Child,
    pub banner: String,
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut banner = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while !banner.contains("Ctrl+C stops") {
            let read = stdout.read_line(&mut banner).unwrap();
            assert_ne!(read, 0, "no banner, but {banner}{}", errors(&mut child));
        }
        Self { child, banner }
    }

    pub fn line(&self, label: &str) -> &str {
        let found = self.banner.lines().find(|line| line.trim_start().starts_with(label));
        found
            .unwrap_or_else(|| panic!("no {label} in {}", self.banner))
            .split(": ")
            .nth(1)
            .unwrap()
            .trim()
    }

    pub fn page(&self) -> SocketAddr {
        address(self.line("On this machine"))
    }

    /// The WebSocket port, on the loopback interface: the banner names the address for others.
    pub fn websocket(&self) -> SocketAddr {
        SocketAddr::new(self.page().ip(), address(self.line("WebSocket")).port())
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn end(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child);
        (status, errors(&mut self.child))
    }

    /// Memory that is resident (bytes).
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

    /// Time that its threads have spent on a processor, those that have ended among them.
    pub fn processor_time(&self) -> Duration {
        let stat = self.proc("stat");
        // The name of the process, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = fields.split(' ').skip(11).take(2).map(|it| it.parse::<u64>().unwrap());
        let per_second = rustix::param::clock_ticks_per_second();
        Duration::from_millis(ticks.sum::<u64>() * 1000 / per_second)
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    fn count(&self, folder: &str) -> usize {
        fs::read_dir(format!("/proc/{}/{folder}", self.child.id())).unwrap().count()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn address(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("://").unwrap();
    rest.trim_end_matches('/').parse().unwrap()
}

pub fn errors(child: &mut Child) -> String {
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    errors
}

/// `Child::wait` with a deadline.
pub fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "the program does not end");
        std::thread::yield_now();
    }
}
