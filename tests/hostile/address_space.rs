//! Little address space and few threads: as many clients connect as the banner promises, and the
//! server does not abort.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Instant;

use rustix::process::{Signal, geteuid};
use testkit::{
    DEADLINE, FREE_PORTS, ServerProcess, TempDir, binary, chinwag_under, connect,
    frames::text_frame, prepared, probes::assert_healthy, probes::can_load_page, stderr_of,
    wait_for_exit, wait_until,
};
use tungstenite::WebSocket;

use crate::recovery::RECOVERY_MAX;

/// Limits of address space (MiB).
const LIMITS: [usize; 9] = [24, 32, 48, 64, 96, 128, 256, 512, 1024];
/// Maximum number of clients that connect, besides [`TOO_MANY`].
const CLIENTS: usize = 220;
/// Clients beyond the promised number.
const TOO_MANY: usize = 10;
/// Maximum of virtual memory at the start (MiB).
const START_MAX: usize = 128;
/// Connections of a browser to a server.
const BROWSER: usize = 6;
/// Minimum promised number of clients at which the page loads over all connections of a browser.
const CLIENTS_FOR_A_BROWSER: usize = 16;
/// Texts of each client that sends, and their length (bytes).
const TEXTS: usize = 300;
const TEXT_BYTES: usize = 8000;

/// All clients have one address, and send without a limit.
const ARGUMENTS: [&str; 6] =
    ["--bind", "127.0.0.1", "--max-clients-per-address", "0", "--rate", "0"];

/// Maximum number of threads of a server with a history and without clients, some of tiny_http's
/// included.
const THREADS: usize = 25;

/// Returns the number of clients in the banner.
fn promised(program: &ServerProcess) -> usize {
    let (_, behind) = program.banner.split_once("Room for ").unwrap();
    behind.split(' ').next().unwrap().parse().unwrap()
}

/// Connects clients, two in each room, until the server refuses one or `asked` are connected.
fn connect_up_to(program: &ServerProcess, asked: usize) -> Vec<WebSocket<TcpStream>> {
    let mut clients = Vec::new();
    for number in 0..asked {
        match connect(program.websocket(), &format!("/?room=room{}", number / 2)) {
            Ok(client) => clients.push(client),
            Err(error) => assert!(error.contains("503"), "{error} for client {number}"),
        }
    }
    clients
}

/// Fills a server and checks that the promised number of clients connects.
fn fill_as_promised(name: &str, program: &ServerProcess) -> (usize, Vec<WebSocket<TcpStream>>) {
    let promised = promised(program);
    let virtual_kib = program.status("VmSize");
    assert!(virtual_kib <= START_MAX * 1024, "{name}: {virtual_kib} KiB at the start");
    let asked = promised.min(CLIENTS) + TOO_MANY;
    let clients = connect_up_to(program, asked);
    println!(
        "{name}: room for {promised}, {} of {asked} joined; {virtual_kib} KiB, then {}; resident {}",
        clients.len(),
        program.status("VmSize"),
        program.status("VmRSS")
    );
    assert_eq!(clients.len(), asked.min(promised), "{name}");
    (promised, clients)
}

/// Waits until the page loads as in a browser, which requests all parts at once. If the server has
/// room for few clients, the parts are requested one after the other. Refused clients may still
/// hold some of the room.
fn page_loads(program: &ServerProcess) {
    let at_once = if promised(program) < CLIENTS_FOR_A_BROWSER { 1 } else { BROWSER };
    let is_shown = || {
        std::thread::scope(|scope| {
            let asked: Vec<_> = (0..at_once)
                .map(|_| scope.spawn(|| can_load_page(program.page(), RECOVERY_MAX)))
                .collect();
            asked.into_iter().all(|it| it.join().unwrap().is_some())
        })
    };
    wait_until("the page is shown", is_shown);
}

/// Every second client sends long texts to the others, which do not read.
fn send_to_clients_that_do_not_read(program: &ServerProcess, clients: &mut [WebSocket<TcpStream>]) {
    let text = text_frame(&"x".repeat(TEXT_BYTES));
    let deadline = Instant::now() + DEADLINE;
    for client in clients.iter() {
        client.get_ref().set_nonblocking(true).unwrap();
    }
    let mut left = vec![(TEXTS, 0); clients.len()];
    let mut scratch = vec![0; 64 * 1024];
    while left.iter().step_by(2).any(|(texts, _)| *texts > 0) && Instant::now() < deadline {
        for (client, (texts, sent)) in clients.iter().zip(&mut left).step_by(2) {
            let mut stream = client.get_ref();
            while stream.read(&mut scratch).is_ok_and(|read| read > 0) {}
            match stream.write(&text[*sent..]) {
                _ if *texts == 0 => {}
                Ok(written) => *sent += written,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                // The server has cut this sender.
                Err(_) => *texts = 0,
            }
            if *sent == text.len() {
                (*texts, *sent) = (texts.saturating_sub(1), 0);
            }
        }
        std::thread::yield_now();
    }
    println!(
        "  {} KiB after the talk, resident {}",
        program.status("VmSize"),
        program.status("VmRSS")
    );
}

/// Waits until the threads of the clients that left have ended.
fn wait_until_empty(program: &ServerProcess) {
    wait_until("all have gone", || program.threads() <= THREADS);
}

/// Stops the server and checks that no thread has panicked.
fn stop(program: ServerProcess, clients: Vec<WebSocket<TcpStream>>) {
    drop(clients);
    program.signal(Signal::TERM);
    let (status, log) = program.end();
    assert!(status.success(), "{status}: {log}");
    assert!(!log.contains("panicked"), "{log}");
}

fn with_address_space(mib: usize, history: Option<&TempDir>) -> ServerProcess {
    let limit = format!("--as={}", mib * 1024 * 1024);
    let mut command = chinwag_under(&["prlimit", &limit]);
    command.args(FREE_PORTS).args(ARGUMENTS);
    if let Some(folder) = history {
        command.arg("--history").arg(folder.file(&format!("{mib}.db")));
    }
    ServerProcess::start(&mut command)
}

#[test]
fn a_larger_address_space_holds_more() {
    let mut before = 0;
    for mib in LIMITS {
        let program = with_address_space(mib, None);
        let (promised, clients) = fill_as_promised(&format!("{mib} MiB"), &program);
        assert!(promised >= before, "{mib} MiB hold {promised}, and less held {before}");
        before = promised;
        page_loads(&program);
        stop(program, clients);
    }
}

#[test]
fn full_backlogs_of_all_clients_fit() {
    for mib in [32, 48, 64, 128] {
        let folder = TempDir::new();
        for history in [None, Some(&folder)] {
            let program = with_address_space(mib, history);
            let name =
                format!("{mib} MiB{}", if history.is_some() { " with a history" } else { "" });
            let (_, mut clients) = fill_as_promised(&name, &program);
            send_to_clients_that_do_not_read(&program, &mut clients);
            page_loads(&program);
            drop(clients);
            wait_until_empty(&program);
            assert_healthy(program);
        }
    }
}

/// Returns a command that runs as a user with no other process.
pub fn as_other_user() -> Command {
    let user = 40_000 + std::process::id() % 20_000;
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    command
}

/// Returns the program under a limit of threads, as a user of its own: the limit does not bind
/// root.
pub fn with_threads(limit: usize, folder: &TempDir) -> Command {
    assert!(
        geteuid().is_root(),
        "the limit of threads does not bind root, and counts all threads of a user: this test is \
         to be run by root, who can lend it a user of its own"
    );
    let program = folder.file("chinwag");
    if !program.exists() {
        fs::copy(binary(), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = as_other_user();
    command.args(["prlimit", &format!("--nproc={limit}:{limit}")]).arg(program);
    let mut command = prepared(command);
    command.args(FREE_PORTS).args(ARGUMENTS);
    command
}

#[test]
fn more_threads_hold_more() {
    let folder = TempDir::new();
    let mut before = 0;
    for limit in [20, 21, 25, 40, 64, 100, 200] {
        let program = ServerProcess::start(&mut with_threads(limit, &folder));
        let (promised, clients) = fill_as_promised(&format!("{limit} threads"), &program);
        assert!(promised >= before, "{limit} threads hold {promised}, and fewer held {before}");
        before = promised;
        page_loads(&program);
        stop(program, clients);
    }
}

#[test]
fn a_limit_too_low_to_start_is_reported() {
    let folder = TempDir::new();
    for limit in 1..20 {
        let mut child = with_threads(limit, &folder).spawn().unwrap();
        let status = wait_for_exit(&mut child);
        let message = stderr_of(&mut child);
        assert_eq!(status.code(), Some(1), "{limit}: {message}");
        assert!(
            message.contains(" threads") && message.contains("ulimit -u"),
            "{limit}: {message}"
        );
        assert!(message.contains("needed") || message.contains("needs"), "{limit}: {message}");
        assert_eq!(message.lines().count(), 1, "{limit}: {message}");
    }
    let limit = format!("--as={}", 14 * 1024 * 1024);
    let mut child =
        chinwag_under(&["prlimit", &limit]).args(FREE_PORTS).args(ARGUMENTS).spawn().unwrap();
    let status = wait_for_exit(&mut child);
    let message = stderr_of(&mut child);
    assert_eq!(status.code(), Some(1), "{message}");
    assert!(
        message.contains("the limit of address space (ulimit -v) leaves too little"),
        "{message}"
    );
}

#[test]
fn a_full_server_accepts_clients_after_others_have_left() {
    let program = with_address_space(48, None);
    for _ in 0..3 {
        let (_, clients) = fill_as_promised("48 MiB", &program);
        drop(clients);
        wait_until_empty(&program);
    }
    assert_healthy(program);
}
