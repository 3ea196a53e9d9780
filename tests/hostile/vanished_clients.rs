//! Clients that say hello and vanish: how many the server remembers, and how long other clients
//! wait.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::json;
use testkit::{Client, ServerProcess, connect_from, pause, probes::assert_healthy};

use crate::connection_storm::{json_request, storm};

const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
const OBSERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Number of hellos. `VANISHED_CLIENTS` sets another.
const CLIENTS: usize = 30_000;
const GROWTH_MAX: usize = 16 * 1024 * 1024;
/// How long an answer to another client may take.
const LATENCY_MAX: Duration = Duration::from_millis(500);

fn clients() -> usize {
    std::env::var("VANISHED_CLIENTS").map_or(CLIENTS, |number| number.parse().unwrap())
}

fn server(grace: &str) -> ServerProcess {
    ServerProcess::with(["--bind", "127.0.0.1", "--grace", grace])
}

/// Runs a storm while a client of another address sends requests. Returns the result of the storm
/// and the longest wait.
fn latency_during(
    observer: &mut Client,
    storm: impl FnOnce() -> usize + Send,
) -> (usize, Duration) {
    std::thread::scope(|scope| {
        let storm = scope.spawn(storm);
        let mut longest = Duration::ZERO;
        while !storm.is_finished() {
            longest = longest.max(observer.ping());
            pause(Duration::from_millis(20));
        }
        (storm.join().unwrap(), longest)
    })
}

#[test]
fn hellos_and_resets_without_end() {
    for grace in ["0", "10", "120"] {
        let program = server(grace);
        let mut neighbour = Client::enter(&program, ATTACKER, "neighbour");
        let mut observer = Client::enter(&program, OBSERVER, "observer");
        let before = program.resident_bytes();
        let hello = |_| vec![r#"{"type":"hello"}"#.to_owned()];
        let answers = [r#""welcome""#, r#""rate_limited""#];
        let storm = || storm(ATTACKER, program.websocket(), clients(), hello, &answers);
        let (welcome, longest) = latency_during(&mut observer, storm);
        let grown = program.resident_bytes().saturating_sub(before);
        println!(
            "--grace {grace}: {} hellos and resets, {welcome} of them welcome; {} KiB more, others \
             waited {longest:.1?} at most",
            clients(),
            grown / 1024
        );
        assert!(grown < GROWTH_MAX && longest < LATENCY_MAX, "{grown} bytes, {longest:?}");
        assert!(neighbour.ping() < LATENCY_MAX, "a client of the same address is served");
        Client::enter(&program, Ipv4Addr::new(127, 0, 0, 3), "newcomer");
        assert_healthy(program);
    }
}

#[test]
fn rooms_of_clients_that_have_vanished() {
    const CLIENTS: usize = 10_000;
    let program = server("120");
    let mut observer = Client::enter(&program, OBSERVER, "observer");
    let before = program.resident_bytes();
    let long = "x".repeat(24);
    let texts = |number: usize| {
        let hello = format!(r#"{{"type":"hello","nick":"{} {number}"}}"#, "W".repeat(18));
        let join = |room: usize| {
            let name =
                if room == 0 { "lobby".to_owned() } else { format!("{long}-{number}-{room}") };
            format!(r#"{{"type":"join","room":"{name}"}}"#)
        };
        let last = r#"{"type":"ping","ref":"last"}"#.to_owned();
        std::iter::once(hello).chain((0..16).map(join)).chain([last]).collect()
    };
    let answers = [r#""ref":"last""#];
    let storm = || storm(ATTACKER, program.websocket(), CLIENTS, texts, &answers);
    let (_, longest) = latency_during(&mut observer, storm);
    let grown = program.resident_bytes().saturating_sub(before);
    let joined = observer.call(&json!({"type": "join", "room": "lobby"}));
    let members = joined["members_count"].as_u64().unwrap();
    let (mut rooms, mut after) = (0, None);
    loop {
        let page = observer.call(&json!({"type": "rooms", "after": after}));
        let names = page["rooms"].as_array().unwrap();
        assert!(names.len() <= 100 && page.to_string().len() < 16 * 1024);
        rooms += names.len();
        after = names.last().map(|it| it["room"].as_str().unwrap().to_owned());
        if page["more"] == false {
            break;
        }
    }
    println!(
        "{CLIENTS} clients join 16 rooms each and vanish: {rooms} rooms and {members} members of the \
         lobby are left, {} KiB more, others waited {longest:.1?} at most",
        grown / 1024
    );
    assert!(rooms <= 256 + 1 && members <= 64 + 1, "{rooms} rooms, {members} members");
    assert!(grown < GROWTH_MAX && longest < LATENCY_MAX, "{grown} bytes, {longest:?}");
    drop(observer);
    assert_healthy(program);
}

#[test]
fn unread_answers_do_not_pile_up() {
    const READERS: usize = 40;
    const REQUESTS: usize = 90;
    let program = server("120");
    let mut observer = Client::enter(&program, OBSERVER, "observer");
    let before = program.resident_bytes();
    let requests = |number: usize| -> Vec<String> {
        let hello = r#"{"type":"hello"}"#.to_owned();
        let join = |room| format!(r#"{{"type":"join","room":"room-{number}-{room}"}}"#);
        let asks = (0..REQUESTS).map(|_| r#"{"type":"rooms"}"#.to_owned());
        std::iter::once(hello).chain((0..8).map(join)).chain(asks).collect()
    };
    let readers: Vec<_> = (0..READERS)
        .map(|number| {
            let mut stream = connect_from(ATTACKER, program.websocket());
            stream.write_all(&json_request(&requests(number))).unwrap();
            stream
        })
        .collect();
    let longest = (0..50).map(|_| observer.ping()).max().unwrap();
    let grown = program.resident_bytes().saturating_sub(before);
    println!(
        "{READERS} clients ask for the rooms {REQUESTS} times and read nothing: {} KiB more, others \
         waited {longest:.1?} at most",
        grown / 1024
    );
    // The server may hold a full backlog for each client, and a little more.
    assert!(grown < READERS * 1024 * 1024 + GROWTH_MAX && longest < LATENCY_MAX);
    drop(readers);
    drop(observer);
    assert_healthy(program);
}
