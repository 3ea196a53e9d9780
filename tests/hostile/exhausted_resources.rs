//! Too little of what the machine gives: descriptors, threads, memory for another connection.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use testkit::{
    FREE_PORTS, Load, LoadGroup, ServerProcess, TempDir, chinwag, chinwag_under, wait_until,
};

use crate::address_space::{as_lent_user, with_threads};
use crate::recovery::{PAGE_REQUEST, SLOW_PAGE, TALK, is_open, while_talking};
use crate::strace::Strace;

const PEOPLE: usize = 10;
/// Those who come to each port, and say nothing.
const SILENT: usize = 400;
/// How long the need lasts, once it is there (s).
const NEED_SECONDS: u32 = 2;
/// Nothing may spin, whatever it lacks: the most of one processor that is used (percent).
const BUSY_MAX: u128 = 30;

/// Everybody here comes from one address.
const NO_COUNT: [&str; 2] = ["--max-clients-per-address", "0"];

/// Brings need about while a group talks, lasts it out, relieves it, and sees who gets in.
fn endure<T: Send>(
    name: &str,
    program: &ServerProcess,
    press: impl FnOnce() -> T + Send,
    relieve: impl FnOnce(T),
) {
    let mut group = LoadGroup::join(program.websocket(), PEOPLE);
    let need = while_talking(&mut group, press);
    let (since, before) = (Instant::now(), program.processor_time());
    group.run(Load { seconds: NEED_SECONDS, ..TALK });
    let busy = (program.processor_time() - before).as_millis() * 100 / since.elapsed().as_millis();
    relieve(need);
    let open = while_talking(&mut group, || is_open(program));
    println!("{name}: {busy} % of a processor, and open again after {open:.2?}");
    assert!(busy < BUSY_MAX, "{name}: something spins");
}

/// Connections to both ports, which stay as they are.
fn knock(program: &ServerProcess, times: usize) -> Vec<TcpStream> {
    let ports = [program.page(), program.websocket()];
    let knocks = std::iter::repeat_n(ports, times).flatten();
    knocks.map(|port| TcpStream::connect(port).unwrap()).collect()
}

#[test]
fn the_door_leaves_descriptors_for_the_house() {
    let limit = ["prlimit", "--nofile=256:256"];
    let program = ServerProcess::start(chinwag_under(&limit).args(FREE_PORTS).args(NO_COUNT));
    let press = || knock(&program, SILENT);
    let relieve = |knocking| {
        // Those at the door have a quarter of them at most.
        let used = program.descriptors();
        assert!(used <= 128, "{used} descriptors are in use");
        drop(knocking);
    };
    endure("a limit of 256 descriptors", &program, press, relieve);
}

#[test]
fn descriptors_run_out() {
    let temporary = TempDir::new();
    let mut command = chinwag();
    command.args(FREE_PORTS).args(NO_COUNT).env("TMPDIR", temporary.path());
    let program = ServerProcess::start(&mut command);
    // It reckons with more than there will be.
    let limit = Rlimit { current: Some(256), maximum: Some(256) };
    let press = || {
        prlimit(Some(Pid::from_child(&program.child)), Resource::Nofile, limit).unwrap();
        let mut knocking = knock(&program, SILENT);
        wait_until("no descriptor is left", || program.descriptors() > 250);
        // tiny_http has none for the request that got the last.
        for visitor in &mut knocking {
            let _ = visitor.write_all(PAGE_REQUEST);
        }
        knocking
    };
    endure("256 descriptors, and no more", &program, press, drop);
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "what is in the way is left");
}

#[test]
fn threads_run_out() {
    let (folder, temporary) = (TempDir::new(), TempDir::new());
    let program =
        ServerProcess::start(with_threads(10_000, &folder).env("TMPDIR", temporary.path()));
    // It reckons with more than there will be.
    let process = format!("--pid={}", program.child.id());
    let lowered = as_lent_user().args(["prlimit", &process, "--nproc=200:200"]).status().unwrap();
    assert!(lowered.success(), "{lowered}");
    let press = || {
        let mut knocking = knock(&program, SILENT);
        wait_until("no thread is left", || program.threads() == 200);
        let strace = Strace::of(&program, &[SLOW_PAGE]);
        for visitor in &mut knocking {
            let _ = visitor.write_all(PAGE_REQUEST);
        }
        (strace, knocking)
    };
    let relieve = |(strace, knocking): (Strace, _)| {
        strace.detach();
        drop(knocking);
    };
    endure("200 threads, and no more", &program, press, relieve);
}

/// What `accept` may fail with: no descriptor in the process, none in the machine, no memory for
/// the socket, and what befell the caller between its greeting and its admission. All last for a
/// while. They are tried side by side, because each leaves a processor to the others, or fails.
#[test]
fn accepting_fails() {
    const LASTING: [&str; 6] = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPROTO"];
    std::thread::scope(|scope| {
        for error in LASTING {
            scope.spawn(move || accept_fails(error, &format!("accept4:error={error}")));
        }
        // A signal interrupts once and is gone; std calls again at once.
        scope.spawn(|| accept_fails("EINTR", "accept4:error=EINTR:when=1+2"));
    });
}

fn accept_fails(error: &str, injection: &str) {
    let program = ServerProcess::start(chinwag().args(FREE_PORTS).args(NO_COUNT));
    let since = Instant::now();
    let press = || {
        let strace = Strace::of(&program, &[injection]);
        (strace, knock(&program, 5))
    };
    let relieve = |(strace, _knocking): (Strace, _)| {
        let (failed, seconds) = (strace.detach(), since.elapsed().as_secs_f64());
        assert!(failed > 0, "nothing failed");
        let spins = failed as f64 / seconds > ATTEMPTS_MAX;
        assert!(!spins, "{error}: {failed} attempts in {seconds:.1} s");
    };
    endure(error, &program, press, relieve);
}

/// The most that may fail in a second. Both ports double their pauses up to a second, and each new
/// tiny_http is given a fifth.
const ATTEMPTS_MAX: f64 = 20.0;
