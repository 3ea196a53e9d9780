//! The disk fails. The chat continues, and so does the history when the disk is back.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use rustix::process::{Pid, Resource, Rlimit, Signal, geteuid, prlimit};
use testkit::{
    FREE_PORTS, Load, LoadGroup, ServerProcess, TempDir, VerifyingClient, chinwag,
    history::{assert_sound, export, serve},
    probes::end,
};

use crate::strace::{Strace, threads_of};

const VERIFIERS: u64 = 3;
const MEMBERS: usize = 5;
/// Texts that the verifiers send in each part of a test.
const TEXTS: usize = 60;
/// Load during a fault. It lasts long enough for several attempts to write.
const FAULT_LOAD: Load = Load { per_second: 20, seconds: 3, text_bytes: 100 };
/// How long the server may take to write again after a fault.
const RECOVERY_MAX: Duration = Duration::from_secs(5);

/// A disk of 16 MiB.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn new() -> Self {
        assert!(geteuid().is_root(), "to mount a disk, the test is to be run by root");
        let folder = TempDir::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]);
        assert!(mount.arg(folder.path()).status().unwrap().success(), "the disk is not mounted");
        Self { folder }
    }

    fn history(&self) -> PathBuf {
        self.folder.file("history")
    }

    fn fill(&self) -> Filler {
        Filler::new(self.folder.file("filler"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

/// Fills a disk, and also the space that becomes free: the server gives back a little when it
/// cannot write.
struct Filler {
    path: PathBuf,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Filler {
    /// Returns when the disk is full.
    fn new(path: PathBuf) -> Self {
        let mut file = File::create(&path).unwrap();
        let mut fill = move || while file.write_all(&[0; 4096]).is_ok() {};
        fill();
        let (stop, stopped) = bounded(0);
        let is_over = move || stopped.recv_timeout(Duration::from_millis(1));
        let thread = std::thread::spawn(move || {
            while is_over() == Err(RecvTimeoutError::Timeout) {
                fill();
            }
        });
        Self { path, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.stop = None;
        let _ = self.thread.take().map(JoinHandle::join);
        let _ = fs::remove_file(&self.path);
    }
}

/// The clients that observe a server and its history.
struct Observers<'a> {
    file: &'a Path,
    verifiers: Vec<VerifyingClient>,
    /// There while a server runs.
    group: Option<LoadGroup>,
}

impl<'a> Observers<'a> {
    fn new(file: &'a Path) -> Self {
        let verifiers = (0..VERIFIERS).map(|number| VerifyingClient::new(number, 0)).collect();
        Self { file, verifiers, group: None }
    }

    /// Returns whether the server continues the history that the verifiers know.
    fn connect(&mut self, program: &ServerProcess) -> bool {
        let server = program.websocket();
        let goes_on: Vec<_> = self.verifiers.iter_mut().map(|it| it.connect(server)).collect();
        self.group = Some(LoadGroup::join(server, MEMBERS));
        assert!(goes_on.iter().all(|it| *it == goes_on[0]), "not the same for all");
        self.talk();
        goes_on[0]
    }

    fn disconnect(&mut self) {
        self.verifiers.iter_mut().for_each(VerifyingClient::disconnect);
        self.group = None;
    }

    /// The verifiers send texts in turn, and receive all of them.
    fn talk(&mut self) {
        for number in 0..TEXTS {
            let turn = number % self.verifiers.len();
            self.verifiers[turn].say().unwrap();
            self.verifiers[turn].wait_for_own();
        }
        self.verifiers.iter_mut().for_each(VerifyingClient::catch_up);
    }

    fn run_load(&mut self, talk: Load) {
        self.group.as_mut().expect("there is a server").run(talk);
        self.verifiers.iter_mut().for_each(VerifyingClient::catch_up);
    }

    /// Checks a server that cannot write: each client is told once, and none is disturbed.
    fn check_fault(&mut self) {
        self.talk();
        self.verifiers.iter_mut().for_each(|verifier| verifier.wait_for_notices(1));
        self.run_load(FAULT_LOAD);
        self.talk();
        self.have_notices(&["warning"]);
    }

    /// Checks a server that can write again. Returns how long it took to do so.
    fn recover(&mut self) -> Duration {
        let since = Instant::now();
        self.verifiers.iter_mut().for_each(|verifier| verifier.wait_for_notices(2));
        let took = since.elapsed();
        self.run_load(Load { seconds: 1, ..FAULT_LOAD });
        self.talk();
        self.have_notices(&["warning", "info"]);
        self.check_file();
        took
    }

    fn have_notices(&self, levels: &[&str]) {
        for verifier in &self.verifiers {
            assert_eq!(verifier.notices, levels);
        }
    }

    fn check_file(&self) {
        let kept = export(self.file);
        for verifier in &self.verifiers {
            assert!(verifier.seen == kept, "the file has other messages than were seen");
        }
        assert_sound(self.file);
    }
}

/// Returns how often the log says that the history cannot be written, and that it is written again.
fn counts_in_log(log: &str) -> (usize, usize) {
    let count = |words| log.lines().filter(|line| line.contains(words)).count();
    (count("the chat goes on in memory"), count("is written again"))
}

/// Causes a fault while clients talk, and ends it. Then kills the server and checks that the next
/// continues the history.
fn with_fault<T>(
    name: &str,
    file: &Path,
    cause: impl FnOnce(&ServerProcess) -> T,
    end_fault: impl FnOnce(T),
) {
    let mut observers = Observers::new(file);
    let program = serve(file);
    observers.connect(&program);
    let fault = cause(&program);
    observers.check_fault();
    end_fault(fault);
    let took = observers.recover();
    observers.disconnect();
    let log = end(program, Signal::KILL);
    assert_eq!(counts_in_log(&log), (1, 1), "{log}");
    let program = serve(file);
    assert!(observers.connect(&program), "the history is another");
    observers.check_file();
    let messages: usize = observers.verifiers[0].seen.values().map(Vec::len).sum();
    println!("{name}: written again after {took:.1?}, and all {messages} messages are kept");
    assert!(took < RECOVERY_MAX);
}

#[test]
fn the_disk_is_full_for_a_while() {
    let disk = SmallDisk::new();
    with_fault("a full disk", &disk.history(), |_| disk.fill(), drop);
}

/// A failing disk, and one that the system remounted read-only, as the thread that writes sees it.
#[test]
fn the_disk_fails_for_a_while() {
    const WRITES: &str = "pwrite64,fdatasync,fsync,ftruncate";
    let injections = [
        ("EIO", format!("{WRITES}:error=EIO")),
        ("EROFS", format!("{WRITES},?open,openat,?unlink,unlinkat:error=EROFS")),
    ];
    for (error, injection) in injections {
        let folder = TempDir::new();
        let cause = |program: &ServerProcess| {
            Strace::of_threads(&threads_of(program, "broadcaster"), &[&injection])
        };
        let end_fault = |strace: Strace| assert!(strace.detach() > 1, "too little failed");
        with_fault(error, &folder.file("history"), cause, end_fault);
    }
}

/// A service manager, a shell or a file system limits the size of files.
#[test]
fn the_size_of_files_is_limited_for_a_while() {
    let folder = TempDir::new();
    let limit = |server, current| {
        let limit = Rlimit { current, maximum: None };
        prlimit(Some(server), Resource::Fsize, limit).unwrap();
        server
    };
    let cause = |program: &ServerProcess| limit(Pid::from_child(&program.child), Some(0));
    let end_fault = |server| {
        limit(server, None);
    };
    with_fault("a limit of the size of files", &folder.file("history"), cause, end_fault);
}

/// A server that starts on a full disk says so and leaves no file.
#[test]
fn a_server_is_started_on_a_full_disk() {
    let disk = SmallDisk::new();
    let there = disk.history();
    end(serve(&there), Signal::TERM);
    let filler = disk.fill();
    let new = disk.folder.file("new");
    for file in [&there, &new] {
        let mut command = chinwag();
        command.args(FREE_PORTS).args(["--bind", "127.0.0.1", "--history"]).arg(file);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let sentence = format!("cannot use {}: the disk is full; make room", file.display());
        assert!(said.contains(&sentence), "{said}");
    }
    assert!(!new.exists(), "an empty file is left behind");
    drop(filler);
    [&there, &new].into_iter().for_each(|file| {
        end(serve(file), Signal::TERM);
        assert_sound(file);
    });
}

/// The server ends while some messages are only in memory. The next server has another epoch.
#[test]
fn the_server_ends_while_the_disk_is_full() {
    for (name, signal) in [("SIGKILL", Signal::KILL), ("SIGTERM", Signal::TERM)] {
        let disk = SmallDisk::new();
        let file = disk.history();
        let mut observers = Observers::new(&file);
        let program = serve(&file);
        observers.connect(&program);
        let filler = disk.fill();
        observers.check_fault();
        observers.disconnect();
        let log = end(program, signal);
        assert_eq!(counts_in_log(&log), (1, 0), "{log}");
        drop(filler);
        let program = serve(&file);
        assert!(!observers.connect(&program), "the server cannot know that it has all messages");
        observers.check_file();
        println!("{name} while the disk is full: a new epoch");
    }
}
