//! The server under load: a process on its own core, observed through its sockets and through
//! `/proc`.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Pid;

use crate::cores::Cores;
use crate::target::Program;
use testkit::{Outcome, binary};

/// The argument that makes the generator the [floor](crate::floor).
pub(crate) const FLOOR: &str = "floor";
/// How long the server may take to print its addresses.
const START_MAX: Duration = Duration::from_secs(10);

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    /// The address for WebSockets.
    pub(crate) chat: SocketAddr,
    /// The address of the page, if there is one.
    pub(crate) page: Option<SocketAddr>,
    child: Child,
    /// Kept open: a server whose stdout is closed may fail at its next line.
    _stdout: ChildStdout,
    /// The history file, if it keeps one.
    history: Option<PathBuf>,
}

/// The path of a thread of the server in `/proc`.
pub(crate) struct Thread(PathBuf);

/// The use of resources by all threads of the server.
///
/// Threads that have ended no longer count, so none should end between two readings.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// Time on a core, as the scheduler counts it.
    pub(crate) cpu: Duration,
    /// Threads that are alive.
    pub(crate) threads: usize,
    /// How often a thread gave up its core to wait. A wake-up follows each.
    pub(crate) waits: u64,
    /// How often a thread was preempted.
    pub(crate) preemptions: u64,
}

impl Server {
    /// Starts a program on free ports of the loopback interface. With `keeps_history`, chinwag
    /// keeps a history in a file, which is removed when the program has ended.
    pub(crate) fn start(cores: &Cores, program: &Program, keeps_history: bool) -> Outcome<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = || folder.join(format!("history-{}", std::process::id()));
        let history = keeps_history.then(file);
        let mut child = cores.for_server(|| spawn(command(program, history.as_deref())?))?;
        let mut stdout = child.stdout.take().expect("stdout was asked for");
        match read_banner(&mut stdout) {
            Ok((page, chat)) => Ok(Self { page, chat, child, _stdout: stdout, history }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Returns the use of all threads.
    pub(crate) fn usage(&self) -> Outcome<Usage> {
        let mut usage = Usage { cpu: Duration::ZERO, threads: 0, waits: 0, preemptions: 0 };
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let thread = thread?.path();
            let on_cpu = fs::read_to_string(thread.join("schedstat"))?;
            let status = fs::read_to_string(thread.join("status"))?;
            usage.cpu += Duration::from_nanos(first_number(&on_cpu)?);
            usage.waits += field(&status, "voluntary_ctxt_switches:")?;
            usage.preemptions += field(&status, "nonvoluntary_ctxt_switches:")?;
            usage.threads += 1;
        }
        Ok(usage)
    }

    /// Returns the thread with this name.
    pub(crate) fn thread(&self, name: &str) -> Outcome<Thread> {
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let thread = thread?.path();
            if fs::read_to_string(thread.join("comm"))?.trim_end() == name {
                return Ok(Thread(thread));
            }
        }
        Err(format!("the server has no thread {name:?}").into())
    }

    /// Returns the resident memory (KiB), counted page by page, not estimated by the kernel. Memory
    /// that the kernel holds for the process (sockets, kernel stacks) is not included.
    pub(crate) fn resident_kib(&self) -> Outcome<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        field(&rollup, "Rss:")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
        let beside = ["", "-wal", "-shm", "-search", "-search-wal", "-search-shm"];
        for (history, suffix) in self.history.iter().flat_map(|it| beside.map(|end| (it, end))) {
            let _ = fs::remove_file(format!("{}{suffix}", history.display()));
        }
    }
}

impl Thread {
    /// Returns the time of the thread on a core. Waits until the thread sleeps, because the
    /// kernel's figure lags before.
    pub(crate) fn cpu_at_rest(&self) -> Outcome<Duration> {
        while !fs::read_to_string(self.0.join("stat"))?.contains(") S ") {
            std::thread::sleep(Duration::from_millis(1));
        }
        let on_cpu = fs::read_to_string(self.0.join("schedstat"))?;
        Ok(Duration::from_nanos(first_number(&on_cpu)?))
    }
}

impl Usage {
    /// Returns the use between an earlier reading and this one.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            threads: self.threads,
            waits: self.waits.saturating_sub(earlier.waits),
            preemptions: self.preemptions.saturating_sub(earlier.preemptions),
        }
    }
}

fn command(program: &Program, history: Option<&Path>) -> Outcome<Command> {
    Ok(match program {
        Program::Chinwag => {
            let mut command = Command::new(binary());
            let history = history.map(|file| [OsStr::new("--history"), file.as_os_str()]);
            command.args(history.into_iter().flatten());
            command.args(["--bind", "127.0.0.1", "--port", "0", "--ws-port", "0"]);
            command.args(["--max-clients-per-address", "0", "--rate", "0", "--log-level", "warn"]);
            command
        }
        Program::Floor => {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg(FLOOR);
            command
        }
        Program::Peer { command: words, .. } => {
            let (program, arguments) = words.split_first().ok_or("a peer without a command")?;
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
    })
}

fn spawn(mut command: Command) -> Outcome<Child> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    child.map_err(|error| format!("cannot start {command:?}: {error}").into())
}

/// Ends the process, if it runs, and waits for it.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads stdout until the address for WebSockets has been printed. chinwag prints that of its page
/// before.
fn read_banner(stdout: &mut ChildStdout) -> Outcome<(Option<SocketAddr>, SocketAddr)> {
    let deadline = Instant::now() + START_MAX;
    let mut banner = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let readable = PollFd::new(stdout, PollFlags::IN);
        if poll(&mut [readable], Some(&left.try_into()?))? == 0 {
            return Err("the server did not print its address in time".into());
        }
        let mut chunk = [0; 4096];
        let read = stdout.read(&mut chunk)?;
        if read == 0 {
            return Err("the server ended before it had printed its address".into());
        }
        banner.extend_from_slice(&chunk[..read]);
        let banner = String::from_utf8_lossy(&banner);
        if let Some(chat) = address_after(&banner, "WebSocket:", "ws://") {
            return Ok((address_after(&banner, "On this machine:", "http://"), chat));
        }
    }
}

/// Returns the address in the line with this label. The slash at its end shows that it is complete.
fn address_after(banner: &str, label: &str, scheme: &str) -> Option<SocketAddr> {
    let (_, line) = banner.split_once(label)?;
    let (address, _) = line.trim_start().strip_prefix(scheme)?.split_once('/')?;
    address.parse().ok()
}

fn first_number(text: &str) -> Outcome<u64> {
    let word = text.split_whitespace().next().ok_or("an empty file")?;
    Ok(word.parse()?)
}

/// Returns the number in the line that starts with `name`.
fn field(text: &str, name: &str) -> Outcome<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    first_number(value.ok_or_else(|| format!("no line {name:?}"))?)
}
