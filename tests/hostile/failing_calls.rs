//! System calls that fail, or do less than they were asked to.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;
use testkit::{
    FREE_PORTS, ServerProcess, TempDir, Texts, VerifyingGroup, chinwag, tcp, wait_for_exit,
    wait_until,
};

use crate::recovery::{PAGE_REQUEST, SLOW_PAGE, is_open, joins};
use crate::strace::{Strace, threads_of};

const SINGERS: usize = 12;
const SONG: Texts = Texts { count: 120, per_second: 60, text_bytes: 20..=200 };
const NO_BOUNDS: [&str; 4] = ["--max-clients-per-address", "0", "--rate", "0"];

fn start() -> (ServerProcess, VerifyingGroup) {
    let program = ServerProcess::start(chinwag().args(FREE_PORTS).args(NO_BOUNDS));
    let group = VerifyingGroup::join(program.websocket(), SINGERS);
    (program, group)
}

/// Sings while calls fail, and once more when they no longer do. Returns how many singers are lost.
fn sing(name: &str, program: &ServerProcess, mut group: VerifyingGroup, strace: Strace) -> usize {
    group.send(&SONG);
    let failed = strace.detach();
    group.send(&Texts { count: 2 * SINGERS, ..SONG });
    let lost = group.lost();
    is_open(program);
    println!("{name}: {failed} calls fail, and {lost} of {SINGERS} are lost");
    assert!(failed > 0, "nothing failed");
    lost
}

/// A signal may run its handler in any thread, and what it interrupts says so: SIGINT and SIGTERM
/// have handlers here.
#[test]
fn signals_interrupt() {
    let (program, group) = start();
    let strace = Strace::of(&program, &["recvfrom,sendto,ppoll,read,write:error=EINTR:when=2+3"]);
    assert_eq!(sing("EINTR", &program, group, strace), 0);
}

/// What `poll` promised is not always there: a segment is dropped for its checksum, memory for the
/// socket is short, and a bell was silenced before. (A bell that is rung is not among them. It
/// would have to have been rung 2^64 times.)
#[test]
fn nothing_is_ready_after_all() {
    let (program, group) = start();
    let strace = Strace::of(&program, &["recvfrom,sendto,read:error=EAGAIN:when=2+3"]);
    assert_eq!(sing("EAGAIN", &program, group, strace), 0);
}

/// A machine comes back without its memory, and answers with a reset: whoever reads next is told.
#[test]
fn connections_are_reset_while_they_are_read() {
    let (program, group) = start();
    let victims = threads_of(&program, "conn-");
    let strace = Strace::of_threads(&victims[..3], &["recvfrom:error=ECONNRESET:when=2"]);
    let lost = sing("ECONNRESET in recvfrom", &program, group, strace);
    assert_eq!(lost, 3);
}

/// The same reset, where the next to use the socket is the broadcaster; `EPIPE` is the answer to
/// whoever writes again.
#[test]
fn connections_are_reset_while_they_are_written_to() {
    for error in ["ECONNRESET", "EPIPE"] {
        let (program, group) = start();
        let broadcaster = threads_of(&program, "broadcaster");
        let injection = format!("sendto:error={error}:when=100..500+101");
        let strace = Strace::of_threads(&broadcaster, &[&injection]);
        let lost = sing(&format!("{error} in sendto"), &program, group, strace);
        assert!((1..=4).contains(&lost), "{lost} are lost");
    }
}

/// No thread is to be had for a moment, neither by the door nor by tiny_http, which dies of it.
#[test]
fn threads_are_refused() {
    let (program, group) = start();
    let visitors: Vec<_> = (0..20).map(|_| tcp(program.page())).collect();
    wait_until("everybody has a thread", || {
        threads_of(&program, "conn-").len() == SINGERS + visitors.len()
    });
    let strace = Strace::of(&program, &["clone3,clone:error=EAGAIN", SLOW_PAGE]);
    for mut visitor in &visitors {
        visitor.write_all(PAGE_REQUEST).unwrap();
    }
    assert!(joins(program.websocket()).is_none(), "somebody was let in");
    assert_eq!(sing("EAGAIN in clone", &program, group, strace), 0);
}

/// The network takes little at a time. The texts are as long as they may be, so that most of them
/// take many turns.
#[test]
fn writes_are_short() {
    let folder = TempDir::new();
    let shim = folder.file("short_writes.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile/short_writes.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-Wall", "-shared", "-fPIC", source, "-o"]).arg(&shim);
    assert!(compiler.status().unwrap().success(), "{source} cannot be compiled");
    let mut command = chinwag();
    let program =
        ServerProcess::start(command.args(FREE_PORTS).args(NO_BOUNDS).env("LD_PRELOAD", &shim));
    let maps = fs::read_to_string(format!("/proc/{}/maps", program.child.id())).unwrap();
    assert!(maps.contains("short_writes.so"), "the program is linked statically");
    let mut group = VerifyingGroup::join(program.websocket(), SINGERS);
    let song = Texts { count: 240, per_second: 80, text_bytes: 1024..=8192 };
    let since = Instant::now();
    group.send(&song);
    assert_eq!(group.lost(), 0);
    let took = since.elapsed();
    println!("short writes: {} texts for {SINGERS} are heard in {took:.1?}", song.count);
}

/// Nobody reads the log any more, and there is much to log.
#[test]
fn the_log_is_closed_in_a_storm() {
    let mut command = chinwag();
    command.args(FREE_PORTS).args(NO_BOUNDS).args(["--log-level", "debug"]);
    let mut program = ServerProcess::start(&mut command);
    let mut group = VerifyingGroup::join(program.websocket(), SINGERS);
    let port = program.websocket();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || (0..VISITS).for_each(|_| joins(port).unwrap()));
        }
        // stdout is closed since the banner.
        drop(program.child.stderr.take());
        group.send(&SONG);
    });
    assert_eq!(group.lost(), 0);
    program.signal(Signal::TERM);
    let status = wait_for_exit(&mut program.child);
    println!("closed log: {} visits, and it ends with {status}", 2 * VISITS);
    assert_eq!(status.code(), Some(0));
}

/// Each leaves some lines at debug.
const VISITS: usize = 300;
