//! Little address space and few threads: the promised clients fit, and nothing aborts.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Instant;

use rustix::process::{Signal, geteuid};
use testkit::{
    DEADLINE, FREE_PORTS, ServerProcess, TempDir, binary, chinwag_under, connect,
    frames::text_frame, prepared, probes::assert_healthy, stderr_of, wait_for_exit, wait_until,
};
use tungstenite::WebSocket;

use crate::recovery::reads;

/// Limits of address space (MiB).
const LIMITS: [usize; 9] = [24, 32, 48, 64, 96, 128, 256, 512, 1024];
/// More clients than these are not asked for.
const CLIENTS: usize = 220;
/// More than there is room for.
const TOO_MANY: usize = 10;
/// Virtual memory at the start may be this (MiB).
const START_MAX: usize = 128;
/// Connections of a browser to a server.
const BROWSER: usize = 6;
/// Where there is room for fewer clients than these, there is none for all of a browser at once.
const ROOM_FOR_A_BROWSER: usize = 16;
/// Texts of each client that talks, and how long they are (bytes).
const TEXTS: usize = 300;
const TEXT_BYTES: usize = 8000;

/// Everybody here comes from one address, and may talk as they like.
const HERE: [&str; 6] = ["--bind", "127.0.0.1", "--max-clients-per-address", "0", "--rate", "0"];

/// Threads of a server without clients, with a history, and some of tiny_http's.
const THREADS: usize = 25;

/// How many clients the banner speaks of.
fn promised(program: &ServerProcess) -> usize {
    let (_, behind) = program.banner.split_once("Room for ").unwrap();
    behind.split(' ').next().unwrap().parse().unwrap()
}

/// Clients, two in each room, until one is refused or there are enough.
fn fill(program: &ServerProcess, asked: usize) -> Vec<WebSocket<TcpStream>> {
    let mut clients = Vec::new();
    for number in 0..asked {
        match connect(program.websocket(), &format!("/?room=room{}", number / 2)) {
            Ok(client) => clients.push(client),
            Err(error) => assert!(error.contains("503"), "{error} for client {number}"),
        }
    }
    clients
}

/// Fills a server, and sees that as many get in as it says, and the page is there all the same.
fn is_as_promised(name: &str, program: &ServerProcess) -> (usize, Vec<WebSocket<TcpStream>>) {
    let promised = promised(program);
    let virtual_kib = program.status("VmSize");
    assert!(virtual_kib <= START_MAX * 1024, "{name}: {virtual_kib} KiB at the start");
    let asked = promised.min(CLIENTS) + TOO_MANY;
    let clients = fill(program, asked);
    println!(
        "{name}: room for {promised}, {} of {asked} joined; {virtual_kib} KiB, then {}; resident {}",
        clients.len(),
        program.status("VmSize"),
        program.status("VmRSS")
    );
    assert_eq!(clients.len(), asked.min(promised), "{name}");
    (promised, clients)
}

/// The page is there for a browser, which asks for all parts at once; where there is hardly room for
/// clients, one part after the other. Refused clients may not have gone yet.
fn shows_the_page(program: &ServerProcess) {
    let at_once = if promised(program) < ROOM_FOR_A_BROWSER { 1 } else { BROWSER };
    let is_shown = || {
        std::thread::scope(|scope| {
            let asked: Vec<_> =
                (0..at_once).map(|_| scope.spawn(|| reads(program.page()))).collect();
            asked.into_iter().all(|it| it.join().unwrap().is_some())
        })
    };
    wait_until("the page is shown", is_shown);
}

/// Half of the clients talk in long texts to the other half, which read nothing. Then everybody
/// reads what is left, to the end of the time.
fn talk_to_the_deaf(program: &ServerProcess, clients: &mut [WebSocket<TcpStream>]) {
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
                // It was cut for its own part.
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

/// Waits until the threads of those who have gone have ended.
fn empties(program: &ServerProcess) {
    wait_until("all have gone", || program.threads() <= THREADS);
}

/// Ends in order, and no thread has panicked.
fn ends_well(program: ServerProcess, clients: Vec<WebSocket<TcpStream>>) {
    drop(clients);
    program.signal(Signal::TERM);
    let (status, log) = program.end();
    assert!(status.success(), "{status}: {log}");
    assert!(!log.contains("panicked"), "{log}");
}

fn with_address_space(mib: usize, history: Option<&TempDir>) -> ServerProcess {
    let limit = format!("--as={}", mib * 1024 * 1024);
    let mut command = chinwag_under(&["prlimit", &limit]);
    command.args(FREE_PORTS).args(HERE);
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
        let (promised, clients) = is_as_promised(&format!("{mib} MiB"), &program);
        assert!(promised >= before, "{mib} MiB hold {promised}, and less held {before}");
        before = promised;
        shows_the_page(&program);
        ends_well(program, clients);
    }
}

#[test]
fn what_clients_make_the_server_hold_fits() {
    for mib in [32, 48, 64, 128] {
        let folder = TempDir::new();
        for history in [None, Some(&folder)] {
            let program = with_address_space(mib, history);
            let name =
                format!("{mib} MiB{}", if history.is_some() { " with a history" } else { "" });
            let (_, mut clients) = is_as_promised(&name, &program);
            talk_to_the_deaf(&program, &mut clients);
            shows_the_page(&program);
            drop(clients);
            empties(&program);
            assert_healthy(program);
        }
    }
}

/// A command to be run as a user that nothing else here is run as.
pub fn as_lent_user() -> Command {
    let user = 40_000 + std::process::id() % 20_000;
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    command
}

/// The program under a limit of threads, as a user of its own: the limit does not bind root.
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
    let mut command = as_lent_user();
    command.args(["prlimit", &format!("--nproc={limit}:{limit}")]).arg(program);
    let mut command = prepared(command);
    command.args(FREE_PORTS).args(HERE);
    command
}

#[test]
fn more_threads_hold_more() {
    let folder = TempDir::new();
    let mut before = 0;
    for limit in [14, 16, 20, 40, 64, 100, 200] {
        let program = ServerProcess::start(&mut with_threads(limit, &folder));
        let (promised, clients) = is_as_promised(&format!("{limit} threads"), &program);
        assert!(promised >= before, "{limit} threads hold {promised}, and fewer held {before}");
        before = promised;
        shows_the_page(&program);
        ends_well(program, clients);
    }
}

#[test]
fn too_little_to_start_is_told() {
    let folder = TempDir::new();
    for limit in 1..13 {
        let mut child = with_threads(limit, &folder).spawn().unwrap();
        let status = wait_for_exit(&mut child);
        let told = stderr_of(&mut child);
        assert_eq!(status.code(), Some(1), "{limit}: {told}");
        assert!(told.contains(" threads") && told.contains("ulimit -u"), "{limit}: {told}");
        assert!(told.contains("needed") || told.contains("needs"), "{limit}: {told}");
        assert_eq!(told.lines().count(), 1, "{limit}: {told}");
    }
    let limit = format!("--as={}", 14 * 1024 * 1024);
    let mut child =
        chinwag_under(&["prlimit", &limit]).args(FREE_PORTS).args(HERE).spawn().unwrap();
    let status = wait_for_exit(&mut child);
    let told = stderr_of(&mut child);
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("the limit of address space (ulimit -v) leaves too little"), "{told}");
}

#[test]
fn a_filled_server_takes_others_when_some_have_gone() {
    let program = with_address_space(48, None);
    for _ in 0..3 {
        let (_, clients) = is_as_promised("48 MiB", &program);
        drop(clients);
        empties(&program);
    }
    assert_healthy(program);
}
