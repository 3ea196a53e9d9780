//! Clients that say hello and vanish: how many the server remembers, and what others see of them.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::json;
use testkit::{Client, FREE_PORTS, ServerProcess, chinwag, connect_from, probes::assert_healthy};

use crate::connection_storm::{json_request, storm};

const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
const WITNESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// How many hellos a storm sends. `CHINWAG_GHOSTS` names another number.
const GHOSTS: usize = 30_000;
const GROWTH_MAX: usize = 16 * 1024 * 1024;
/// How long an answer to a client that has no part in it may take.
const LATENCY_MAX: Duration = Duration::from_millis(500);

fn ghosts() -> usize {
    std::env::var("CHINWAG_GHOSTS").map_or(GHOSTS, |number| number.parse().unwrap())
}

fn server(grace: &str) -> ServerProcess {
    ServerProcess::start(chinwag().args(FREE_PORTS).args(["--bind", "127.0.0.1", "--grace", grace]))
}

/// Has a storm pass, while a client of another address asks now and then: the longest that it
/// waited.
fn weather(witness: &mut Client, storm: impl FnOnce() -> usize + Send) -> (usize, Duration) {
    std::thread::scope(|scope| {
        let storm = scope.spawn(storm);
        let nothing = crossbeam_channel::never::<()>();
        let mut longest = Duration::ZERO;
        while !storm.is_finished() {
            longest = longest.max(witness.ping());
            let _ = nothing.recv_timeout(Duration::from_millis(20));
        }
        (storm.join().unwrap(), longest)
    })
}

#[test]
fn hello_and_a_reset_without_end() {
    for grace in ["0", "10", "120"] {
        let program = server(grace);
        let mut neighbour = Client::enter(&program, ATTACKER, "neighbour");
        let mut witness = Client::enter(&program, WITNESS, "witness");
        let before = program.resident_bytes();
        let hello = |_| vec![r#"{"type":"hello"}"#.to_owned()];
        let answers = [r#""welcome""#, r#""rate_limited""#];
        let storm = || storm(ATTACKER, program.websocket(), ghosts(), hello, &answers);
        let (welcome, longest) = weather(&mut witness, storm);
        let grown = program.resident_bytes().saturating_sub(before);
        println!(
            "--grace {grace}: {} hellos and resets, {welcome} of them welcome; {} KiB more, others \
             waited {longest:.1?} at most",
            ghosts(),
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
    const GHOSTS: usize = 10_000;
    let program = server("120");
    let mut witness = Client::enter(&program, WITNESS, "witness");
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
    let storm = || storm(ATTACKER, program.websocket(), GHOSTS, texts, &answers);
    let (_, longest) = weather(&mut witness, storm);
    let grown = program.resident_bytes().saturating_sub(before);
    let joined = witness.call(&json!({"type": "join", "room": "lobby"}));
    let members = joined["members_count"].as_u64().unwrap();
    let (mut rooms, mut after) = (0, None);
    loop {
        let page = witness.call(&json!({"type": "rooms", "after": after}));
        let names = page["rooms"].as_array().unwrap();
        assert!(names.len() <= 100 && page.to_string().len() < 16 * 1024);
        rooms += names.len();
        after = names.last().map(|it| it["room"].as_str().unwrap().to_owned());
        if page["more"] == false {
            break;
        }
    }
    println!(
        "{GHOSTS} clients join 16 rooms each and vanish: {rooms} rooms and {members} members of the \
         lobby are left, {} KiB more, others waited {longest:.1?} at most",
        grown / 1024
    );
    assert!(rooms <= 256 + 1 && members <= 64 + 1, "{rooms} rooms, {members} members");
    assert!(grown < GROWTH_MAX && longest < LATENCY_MAX, "{grown} bytes, {longest:?}");
    drop(witness);
    assert_healthy(program);
}

#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    const READERS: usize = 40;
    const REQUESTS: usize = 90;
    let program = server("120");
    let mut witness = Client::enter(&program, WITNESS, "witness");
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
    let longest = (0..50).map(|_| witness.ping()).max().unwrap();
    let grown = program.resident_bytes().saturating_sub(before);
    println!(
        "{READERS} clients ask for the rooms {REQUESTS} times and read nothing: {} KiB more, others \
         waited {longest:.1?} at most",
        grown / 1024
    );
    // Each may have as much waiting as the server holds for one, and a little besides.
    assert!(grown < READERS * 1024 * 1024 + GROWTH_MAX && longest < LATENCY_MAX);
    drop(readers);
    drop(witness);
    assert_healthy(program);
}
