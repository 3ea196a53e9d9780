//! System calls that fail or do less than they were asked to.

use std::fs;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;
use testkit::{
    FREE_PORTS, ServerProcess, TempDir, Texts, VerifyingGroup, chinwag, probes::can_join,
    probes::load_page, tcp, wait_for_exit, wait_until,
};

use crate::page_requests::request_page_in_shortage;
use crate::recovery::{RECOVERY_MAX, serves_again};
use crate::strace::{Strace, threads_of};

const MEMBERS: usize = 12;
const TEXTS: Texts = Texts { count: 120, per_second: 60, text_bytes: 20..=200 };
const NO_LIMITS: [&str; 4] = ["--max-clients-per-address", "0", "--rate", "0"];

fn start() -> (ServerProcess, VerifyingGroup) {
    let program = ServerProcess::with(NO_LIMITS);
    let group = VerifyingGroup::join(program.websocket(), MEMBERS);
    (program, group)
}

/// Sends texts while calls fail, and again afterwards. Returns how many members are lost.
fn send_while_failing(
    name: &str,
    program: &ServerProcess,
    mut group: VerifyingGroup,
    strace: Strace,
) -> usize {
    group.send(&TEXTS);
    let failed = strace.detach();
    group.send(&Texts { count: 2 * MEMBERS, ..TEXTS });
    let lost = group.lost();
    serves_again(program);
    println!("{name}: {failed} calls fail, and {lost} of {MEMBERS} are lost");
    assert!(failed > 0, "nothing failed");
    lost
}

/// The handlers of SIGINT and SIGTERM may run in any thread and interrupt its system call.
#[test]
fn signals_interrupt_calls() {
    let (program, group) = start();
    let strace = Strace::of(&program, &["recvfrom,sendto,ppoll,read,write:error=EINTR:when=2+3"]);
    assert_eq!(send_while_failing("EINTR", &program, group, strace), 0);
}

/// A descriptor may not be ready although `poll` said so: a segment had a wrong checksum, the
/// socket has no memory, or the event was cleared before. (Writing an eventfd is left out. It fails
/// only after 2^64 writes.)
#[test]
fn a_ready_descriptor_has_nothing() {
    let (program, group) = start();
    let strace = Strace::of(&program, &["recvfrom,sendto,read:error=EAGAIN:when=2+3"]);
    assert_eq!(send_while_failing("EAGAIN", &program, group, strace), 0);
}

/// A machine restarts and answers with a reset, which the next read reports.
#[test]
fn connections_are_reset_while_they_are_read() {
    let (program, group) = start();
    let victims = threads_of(&program, "conn-");
    let strace = Strace::of_threads(&victims[..3], &["recvfrom:error=ECONNRESET:when=2"]);
    let lost = send_while_failing("ECONNRESET in recvfrom", &program, group, strace);
    assert_eq!(lost, 3);
}

/// The broadcaster is the next to use a socket that was reset. A second write gets `EPIPE`.
#[test]
fn connections_are_reset_while_they_are_written_to() {
    for error in ["ECONNRESET", "EPIPE"] {
        let (program, group) = start();
        let broadcaster = threads_of(&program, "broadcaster");
        let injection = format!("sendto:error={error}:when=100..500+101");
        let strace = Strace::of_threads(&broadcaster, &[&injection]);
        let lost = send_while_failing(&format!("{error} in sendto"), &program, group, strace);
        assert!((1..=4).contains(&lost), "{lost} are lost");
    }
}

/// Neither the server nor tiny_http can start a thread for a moment, and tiny_http ends meanwhile.
#[test]
fn threads_are_refused() {
    let (program, group) = start();
    let mut visitors: Vec<_> = (0..20).map(|_| tcp(program.page())).collect();
    wait_until("each has a thread", || {
        threads_of(&program, "conn-").len() == MEMBERS + visitors.len()
    });
    load_page(program.page());
    let strace = Strace::of(&program, &["clone3,clone:error=EAGAIN"]);
    request_page_in_shortage(&program, &mut visitors);
    assert!(can_join(program.websocket(), RECOVERY_MAX).is_none(), "a client was accepted");
    assert_eq!(send_while_failing("EAGAIN in clone", &program, group, strace), 0);
}

/// The socket takes few bytes at a time. The texts have the maximum length, so that most need many
/// writes.
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
        ServerProcess::start(command.args(FREE_PORTS).args(NO_LIMITS).env("LD_PRELOAD", &shim));
    let maps = fs::read_to_string(format!("/proc/{}/maps", program.child.id())).unwrap();
    assert!(maps.contains("short_writes.so"), "the program is linked statically");
    let mut group = VerifyingGroup::join(program.websocket(), MEMBERS);
    let texts = Texts { count: 240, per_second: 80, text_bytes: 1024..=8192 };
    let since = Instant::now();
    group.send(&texts);
    assert_eq!(group.lost(), 0);
    let took = since.elapsed();
    println!("short writes: {} texts for {MEMBERS} are heard in {took:.1?}", texts.count);
}

/// The reader of the log is gone, and there is much to log.
#[test]
fn the_log_is_closed_while_much_is_logged() {
    let mut command = chinwag();
    command.args(FREE_PORTS).args(NO_LIMITS).args(["--log-level", "debug"]);
    let mut program = ServerProcess::start(&mut command);
    let mut group = VerifyingGroup::join(program.websocket(), MEMBERS);
    let port = program.websocket();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || (0..VISITS).for_each(|_| can_join(port, RECOVERY_MAX).unwrap()));
        }
        // stdout was closed after the banner.
        drop(program.child.stderr.take());
        group.send(&TEXTS);
    });
    assert_eq!(group.lost(), 0);
    program.signal(Signal::TERM);
    let status = wait_for_exit(&mut program.child);
    println!("closed log: {} visits, and it ends with {status}", 2 * VISITS);
    assert_eq!(status.code(), Some(0));
}

/// Visits of each thread. Each leaves some lines at level debug.
const VISITS: usize = 300;
