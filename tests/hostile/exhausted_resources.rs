//! Too few descriptors and threads, and no memory for another connection.

use std::fs;
use std::net::TcpStream;
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use testkit::{
    FREE_PORTS, Load, LoadGroup, ServerProcess, TempDir, chinwag, chinwag_under, probes::load_page,
    tcp, wait_until,
};

use crate::address_space::{as_other_user, with_threads};
use crate::page_requests::request_page_in_shortage;
use crate::recovery::{LOAD, serves_again};
use crate::strace::Strace;

const MEMBERS: usize = 10;
/// Silent connections to each port.
const SILENT: usize = 400;
/// Number of requests for the page during a shortage.
const PAGE_REQUESTS: usize = 10;
/// How long the shortage lasts (s).
const SHORTAGE_SECONDS: u32 = 2;
/// Maximum processor time during a shortage (percent of one processor).
const BUSY_MAX: u128 = 30;

/// All clients have one address.
const NO_ADDRESS_LIMIT: [&str; 2] = ["--max-clients-per-address", "0"];

/// Causes a shortage while a group talks, ends it, and checks that the server serves new clients.
fn with_shortage<T: Send>(
    name: &str,
    program: &ServerProcess,
    cause: impl FnOnce() -> T + Send,
    end: impl FnOnce(T),
) {
    let mut group = LoadGroup::join(program.websocket(), MEMBERS);
    let shortage = group.run_while(LOAD, cause);
    let (since, before) = (Instant::now(), program.processor_time());
    group.run(Load { seconds: SHORTAGE_SECONDS, ..LOAD });
    let busy = (program.processor_time() - before).as_millis() * 100 / since.elapsed().as_millis();
    end(shortage);
    let open = group.run_while(LOAD, || serves_again(program));
    println!("{name}: {busy} % of a processor, and open again after {open:.2?}");
    assert!(busy < BUSY_MAX, "{name}: something spins");
}

/// Opens silent connections to both ports.
fn open_silent(program: &ServerProcess, times: usize) -> Vec<TcpStream> {
    let ports = [program.page(), program.websocket()];
    let addresses = std::iter::repeat_n(ports, times).flatten();
    addresses.map(tcp).collect()
}

#[test]
fn requests_leave_descriptors_for_clients() {
    let limit = ["prlimit", "--nofile=256:256"];
    let program =
        ServerProcess::start(chinwag_under(&limit).args(FREE_PORTS).args(NO_ADDRESS_LIMIT));
    let cause = || open_silent(&program, SILENT);
    let end = |connections| {
        // Connections without a request have at most a quarter of the limit.
        let used = program.descriptors();
        assert!(used <= 128, "{used} descriptors are in use");
        drop(connections);
    };
    with_shortage("a limit of 256 descriptors", &program, cause, end);
}

#[test]
fn no_descriptor_is_left() {
    let temporary = TempDir::new();
    let mut command = chinwag();
    command.args(FREE_PORTS).args(NO_ADDRESS_LIMIT).env("TMPDIR", temporary.path());
    let program = ServerProcess::start(&mut command);
    let set_limit = |current| {
        let limit = Rlimit { current: Some(current), maximum: Some(256) };
        prlimit(Some(Pid::from_child(&program.child)), Resource::Nofile, limit).unwrap();
    };
    let cause = || {
        // The server has computed its limits from a larger number.
        set_limit(256);
        load_page(program.page());
        let mut connections = open_silent(&program, SILENT);
        wait_until("no descriptor is left", || program.descriptors() > 250);
        // Connections that end leave no descriptor either.
        set_limit(3);
        request_page_in_shortage(&program, &mut connections[..PAGE_REQUESTS]);
        connections
    };
    let end = |connections| {
        set_limit(256);
        drop(connections);
    };
    with_shortage("no descriptor", &program, cause, end);
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "a temporary file is left");
}

#[test]
fn no_thread_is_left() {
    let folder = TempDir::new();
    let program = ServerProcess::start(&mut with_threads(10_000, &folder));
    let set_limit = |current| {
        let process = format!("--pid={}", program.child.id());
        let limit = format!("--nproc={current}:200");
        let status = as_other_user().args(["prlimit", &process, &limit]).status().unwrap();
        assert!(status.success(), "{status}");
    };
    let cause = || {
        // The server has computed its limits from a larger number.
        set_limit(200);
        load_page(program.page());
        let mut connections = open_silent(&program, SILENT);
        wait_until("no thread is left", || program.threads() == 200);
        // Connections that end leave no thread either.
        set_limit(1);
        request_page_in_shortage(&program, &mut connections[..PAGE_REQUESTS]);
        connections
    };
    let end = |connections| {
        set_limit(200);
        drop(connections);
    };
    with_shortage("no thread", &program, cause, end);
}

/// Every lasting error of `accept`: no descriptor in the process or in the system, no memory for
/// the socket, and errors of the new connection. They run side by side, because each leaves the
/// processor to the others, or fails.
#[test]
fn accept_fails_for_a_while() {
    const LASTING: [&str; 6] = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPROTO"];
    std::thread::scope(|scope| {
        for error in LASTING {
            scope.spawn(move || accept_fails_with(error, &format!("accept4:error={error}")));
        }
        // A signal interrupts one call, and std repeats it at once.
        scope.spawn(|| accept_fails_with("EINTR", "accept4:error=EINTR:when=1+2"));
    });
}

fn accept_fails_with(error: &str, injection: &str) {
    let program = ServerProcess::with(NO_ADDRESS_LIMIT);
    let since = Instant::now();
    let cause = || {
        let strace = Strace::of(&program, &[injection]);
        (strace, open_silent(&program, 5))
    };
    let end = |(strace, _connections): (Strace, _)| {
        let (failed, seconds) = (strace.detach(), since.elapsed().as_secs_f64());
        // At least one of each port.
        assert!(failed >= 2, "{error}: only {failed} calls failed");
        let spins = failed as f64 / seconds > ATTEMPTS_MAX;
        assert!(!spins, "{error}: {failed} attempts in {seconds:.1} s");
    };
    with_shortage(error, &program, cause, end);
}

/// Maximum number of failing calls a second. Both ports double their pauses up to a second.
const ATTEMPTS_MAX: f64 = 20.0;
