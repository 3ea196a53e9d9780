//! The disk fails the history: the chat goes on, and the history with it when the disk is back.

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

const WITNESSES: u64 = 3;
const PEOPLE: usize = 5;
/// So many texts the witnesses say in each part of a test.
const TEXTS: usize = 60;
/// What others say while the need lasts, which is long enough for some attempts to end it.
const NEED: Load = Load { per_second: 20, seconds: 3, text_bytes: 100 };
/// After the need is over, so long the history may take.
const RELIEF_WITHIN: Duration = Duration::from_secs(5);

/// A disk that is soon full.
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

/// Takes all that a disk has, and what becomes free: the server gives back a little of its own when
/// it cannot write.
struct Filler {
    path: PathBuf,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Filler {
    /// The disk is full when this returns.
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

/// Those who see what comes of it.
struct Watch<'a> {
    file: &'a Path,
    witnesses: Vec<VerifyingClient>,
    /// Is there as long as a server is.
    group: Option<LoadGroup>,
}

impl<'a> Watch<'a> {
    fn new(file: &'a Path) -> Self {
        let witnesses = (0..WITNESSES).map(|number| VerifyingClient::new(number, 0)).collect();
        Self { file, witnesses, group: None }
    }

    /// Says whether the server goes on with the history that was seen.
    fn come(&mut self, program: &ServerProcess) -> bool {
        let server = program.websocket();
        let goes_on: Vec<_> = self.witnesses.iter_mut().map(|it| it.connect(server)).collect();
        self.group = Some(LoadGroup::join(server, PEOPLE));
        assert!(goes_on.iter().all(|it| *it == goes_on[0]), "not the same for all");
        self.talk();
        goes_on[0]
    }

    fn go(&mut self) {
        self.witnesses.iter_mut().for_each(VerifyingClient::disconnect);
        self.group = None;
    }

    /// The witnesses say something in turns, and hear everything.
    fn talk(&mut self) {
        for number in 0..TEXTS {
            let turn = number % self.witnesses.len();
            self.witnesses[turn].say().unwrap();
            self.witnesses[turn].wait_for_own();
        }
        self.witnesses.iter_mut().for_each(VerifyingClient::catch_up);
    }

    fn hear_others(&mut self, talk: Load) {
        self.group.as_mut().expect("there is a server").run(talk);
        self.witnesses.iter_mut().for_each(VerifyingClient::catch_up);
    }

    /// Nothing can be written. All are told so once, and nobody is disturbed.
    fn suffer(&mut self) {
        self.talk();
        self.witnesses.iter_mut().for_each(|witness| witness.wait_for_notices(1));
        self.hear_others(NEED);
        self.talk();
        self.are_told(&["warning"]);
    }

    /// It can be written again. Returns how long that took to be done.
    fn recover(&mut self) -> Duration {
        let since = Instant::now();
        self.witnesses.iter_mut().for_each(|witness| witness.wait_for_notices(2));
        let took = since.elapsed();
        self.hear_others(Load { seconds: 1, ..NEED });
        self.talk();
        self.are_told(&["warning", "info"]);
        self.all_is_kept();
        took
    }

    fn are_told(&self, levels: &[&str]) {
        for witness in &self.witnesses {
            assert_eq!(witness.notices, levels);
        }
    }

    fn all_is_kept(&self) {
        let kept = export(self.file);
        for witness in &self.witnesses {
            assert!(witness.seen == kept, "what was seen is not what is kept");
        }
        assert_sound(self.file);
    }
}

/// How often the log says that the history cannot be written, and that it is written again.
fn troubles(log: &str) -> (usize, usize) {
    let count = |words| log.lines().filter(|line| line.contains(words)).count();
    (count("the chat goes on in memory"), count("is written again"))
}

/// Need comes over a server and goes again, while people talk. Then the server is killed, and they
/// go on with the next as if nothing had been.
fn endure<T>(
    name: &str,
    file: &Path,
    press: impl FnOnce(&ServerProcess) -> T,
    relieve: impl FnOnce(T),
) {
    let mut watch = Watch::new(file);
    let program = serve(file);
    watch.come(&program);
    let need = press(&program);
    watch.suffer();
    relieve(need);
    let took = watch.recover();
    watch.go();
    let log = end(program, Signal::KILL);
    assert_eq!(troubles(&log), (1, 1), "{log}");
    let program = serve(file);
    assert!(watch.come(&program), "the history is another");
    watch.all_is_kept();
    let messages: usize = watch.witnesses[0].seen.values().map(Vec::len).sum();
    println!("{name}: written again after {took:.1?}, and all {messages} messages are kept");
    assert!(took < RELIEF_WITHIN);
}

#[test]
fn the_disk_is_full_for_a_while() {
    let disk = SmallDisk::new();
    endure("a full disk", &disk.history(), |_| disk.fill(), drop);
}

/// A disk that fails, and one that was mounted anew to be read only after it did, as far as the
/// writer sees it.
#[test]
fn the_disk_fails_for_a_while() {
    const WRITES: &str = "pwrite64,fdatasync,fsync,ftruncate";
    let injections = [
        ("EIO", format!("{WRITES}:error=EIO")),
        ("EROFS", format!("{WRITES},?open,openat,?unlink,unlinkat:error=EROFS")),
    ];
    for (error, injection) in injections {
        let folder = TempDir::new();
        let press = |program: &ServerProcess| {
            Strace::of_threads(&threads_of(program, "broadcaster"), &[&injection])
        };
        let relieve = |strace: Strace| assert!(strace.detach() > 1, "too little failed");
        endure(error, &folder.file("history"), press, relieve);
    }
}

/// As a service manager or a shell may have it, and as a file system may that has a largest file.
#[test]
fn the_size_of_files_is_limited_for_a_while() {
    let folder = TempDir::new();
    let limit = |server, current| {
        let limit = Rlimit { current, maximum: None };
        prlimit(Some(server), Resource::Fsize, limit).unwrap();
        server
    };
    let press = |program: &ServerProcess| limit(Pid::from_child(&program.child), Some(0));
    let relieve = |server| {
        limit(server, None);
    };
    endure("a limit of the size of files", &folder.file("history"), press, relieve);
}

/// A server is started when it is full already. It says so, and leaves nothing behind.
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

/// It ends while there are messages that are in memory alone. The next server has another history,
/// as far as clients are concerned.
#[test]
fn the_server_ends_while_the_disk_is_full() {
    for (name, signal) in [("SIGKILL", Signal::KILL), ("SIGTERM", Signal::TERM)] {
        let disk = SmallDisk::new();
        let file = disk.history();
        let mut watch = Watch::new(&file);
        let program = serve(&file);
        watch.come(&program);
        let filler = disk.fill();
        watch.suffer();
        watch.go();
        let log = end(program, signal);
        assert_eq!(troubles(&log), (1, 0), "{log}");
        drop(filler);
        let program = serve(&file);
        assert!(!watch.come(&program), "nobody knows that it has all that was seen");
        watch.all_is_kept();
        println!("{name} while the disk is full: a new epoch");
    }
}
