//! Clients that reconnect for each burst of texts. They must not get more texts through than
//! clients that stay.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Client, ServerProcess, TempDir, connect_from, pause, probes::assert_healthy, reset};
use tungstenite::Message;

use crate::connection_storm::{json_request, read_until, request};

const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
const OBSERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// How long a loop runs.
const SECONDS: u32 = 10;
/// Maximum number of texts of four clients that stay for that time.
const FOUR_CLIENTS_MAX: u32 = 4 * (10 + 4 * SECONDS);

fn server() -> ServerProcess {
    ServerProcess::with(["--bind", "127.0.0.1"])
}

/// Connects a JSON client that sends a burst and closes.
fn burst_in_json(server: SocketAddr) {
    let say =
        |number| format!(r#"{{"type":"say","room":"lobby","text":"flood","id":"f{number}"}}"#);
    let begin = [r#"{"type":"hello"}"#, r#"{"type":"join","room":"lobby"}"#].map(str::to_owned);
    let end = r#"{"type":"ping","ref":"last"}"#.to_owned();
    let texts: Vec<_> = begin.into_iter().chain((0..10).map(say)).chain([end]).collect();
    let mut stream = connect_from(ATTACKER, server);
    if stream.write_all(&json_request(&texts)).is_ok() {
        read_until(&stream, &[r#""ref":"last""#, "\u{88}"]);
    }
    reset(stream);
}

/// Does the same with a plain client.
fn burst_in_plain(server: SocketAddr) {
    let texts = vec!["flood".to_owned(); 10];
    let mut stream = connect_from(ATTACKER, server);
    if stream.write_all(&request("/?nick=loop", "", &texts)).is_ok() {
        read_until(&stream, &[": flood"]);
    }
    reset(stream);
}

/// Counts the texts of the loops that a client in the lobby receives in ten seconds. Also returns
/// the number of connections.
fn heard(loops: usize, burst: fn(SocketAddr)) -> (u32, usize) {
    let program = server();
    let server = program.websocket();
    let stream = connect_from(OBSERVER, server);
    let (mut observer, _) = tungstenite::client("ws://localhost/?nick=observer", stream).unwrap();
    let turns = AtomicUsize::new(0);
    let until = Instant::now() + Duration::from_secs(SECONDS.into());
    let mut heard = 0;
    std::thread::scope(|scope| {
        for _ in 0..loops {
            scope.spawn(|| {
                while Instant::now() < until {
                    burst(server);
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // It reads up to its own text.
        scope.spawn(|| {
            let mut last = false;
            while !last {
                if let Message::Text(text) = observer.read().expect("the observer keeps up") {
                    heard += u32::from(text.ends_with(": flood"));
                    last = text.ends_with(": observer: the end") || text == "observer: the end";
                }
                if !last && Instant::now() >= until {
                    observer.send(Message::text("the end")).unwrap();
                }
            }
        });
        // Wakes the observer when no text comes.
        scope.spawn(|| {
            let stream = connect_from(Ipv4Addr::new(127, 0, 0, 3), server);
            let (mut clock, _) = tungstenite::client("ws://localhost/?nick=clock", stream).unwrap();
            while Instant::now() < until + Duration::from_secs(1) {
                clock.send(Message::text("tick")).unwrap();
                pause(Duration::from_millis(300));
            }
        });
    });
    assert_healthy(program);
    (heard, turns.into_inner())
}

#[test]
fn reconnecting_gets_no_more_texts_through_than_four_clients_that_stay() {
    for (name, burst) in [("JSON", burst_in_json as fn(SocketAddr)), ("plain", burst_in_plain)] {
        for loops in [1, 16] {
            let (heard, turns) = heard(loops, burst);
            println!(
                "{loops} loops in {name}: {turns} turns, {heard} texts in {SECONDS} s; four that \
                 stay say {FOUR_CLIENTS_MAX}"
            );
            assert!(heard > 0 && heard <= FOUR_CLIENTS_MAX, "{heard} texts");
        }
    }
}

/// A pupil, over any number of connections.
struct Pupil {
    client: Client,
    number: usize,
}

impl Pupil {
    fn connect(server: SocketAddr, number: usize, since: Option<(&str, u64)>) -> Self {
        let mut client = Client::open_json(server, ATTACKER);
        client.send_json(&json!({"type": "hello", "nick": format!("pupil {number}")}));
        let mut join = json!({"type": "join", "room": "lobby"});
        if let Some((epoch, after)) = since {
            (join["epoch"], join["after"]) = (epoch.into(), after.into());
        }
        client.send_json(&join);
        Self { client, number }
    }

    /// Returns the next event of this type. An error fails the test.
    fn receive(&mut self, wanted: &str) -> Value {
        self.client.receive_where(|event| {
            assert_ne!(event["type"], "error", "{event}");
            event["type"] == wanted
        })
    }

    fn say(&mut self, round: usize) {
        let id = format!("r{round}");
        let text = format!("{} in round {round}", self.number);
        self.client.send_json(&json!({"type": "say", "room": "lobby", "text": text, "id": id}));
    }
}

#[test]
fn a_classroom_behind_one_address_connects_and_reconnects_at_once() {
    const PUPILS: usize = 64;
    let folder = TempDir::new();
    let history = folder.file("h.db");
    let history = history.to_str().unwrap();
    let mut since: Option<(String, u64)> = None;
    for round in 0..2 {
        let here = ["--bind", "127.0.0.1", "--history", history];
        let program = ServerProcess::with(here);
        let server = program.websocket();
        let known = since.as_ref().map(|(epoch, after)| (epoch.as_str(), *after));
        let mut pupils: Vec<_> =
            (0..PUPILS).map(|number| Pupil::connect(server, number, known)).collect();
        let mut epoch = String::new();
        for pupil in &mut pupils {
            let joined = pupil.receive("joined");
            assert_eq!(joined["recovered"], known.is_some(), "{joined}");
            epoch = joined["epoch"].as_str().unwrap().to_owned();
        }
        pupils.iter_mut().for_each(|pupil| pupil.say(round));
        let mut newest = 0;
        for pupil in &mut pupils {
            let (mut heard, mine) = (0, format!("{} in round {round}", pupil.number));
            let mut is_heard = false;
            while heard < PUPILS {
                let message = pupil.receive("message");
                heard += 1;
                is_heard |= message["text"] == mine.as_str();
                newest = message["seq"].as_u64().unwrap();
            }
            assert!(is_heard, "{mine}");
        }
        since = Some((epoch, newest));
        drop(pupils);
        assert_healthy(program);
    }
}
