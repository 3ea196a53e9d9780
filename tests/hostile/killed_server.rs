//! The server is killed while it writes. Every message that a client has seen is stored, once and
//! under its number.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Sender, bounded};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use serde_json::json;
use testkit::{
    DEADLINE, ROOMS, ServerProcess, TempDir, VerifyingClient, chinwag, chinwag_under, connect,
    history::{Transcript, assert_sound, export, serve, try_export},
    pause,
};
use tungstenite::{Message, WebSocket};

const KILLS: usize = 100;
const VERIFIERS: u64 = 8;
const PLAIN_CLIENTS: usize = 2;
/// Maximum time for which clients talk before the server is killed.
const TALK: Duration = Duration::from_millis(100);

/// A plain client that connects again to each server.
struct PlainClient {
    name: String,
    room: &'static str,
    said: usize,
    /// The lines that it received from each server.
    heard: Vec<Vec<String>>,
}

impl PlainClient {
    fn new(number: usize) -> Self {
        let (name, room) = (format!("plain-client-{number}"), ROOMS[number % ROOMS.len()]);
        Self { name, room, said: 0, heard: Vec::new() }
    }

    fn connect(&mut self, server: SocketAddr) -> WebSocket<TcpStream> {
        self.heard.push(Vec::new());
        let target = format!("/?nick={}&room={}", self.name, self.room);
        connect(server, &target).expect("a plain-client is let in")
    }

    /// Sends texts as fast as they come back, until the server is gone.
    fn talk(&mut self, mut socket: WebSocket<TcpStream>) {
        loop {
            self.said += 1;
            let line = format!("{}: this is {0} {}", self.name, self.said);
            let (_, text) = line.split_once(": ").unwrap();
            if socket.send(Message::text(text)).is_err() {
                return self.listen(&mut socket, None);
            }
            self.listen(&mut socket, Some(&line));
            if !self.heard.last().unwrap().ends_with(std::slice::from_ref(&line)) {
                return;
            }
        }
    }

    /// Reads until a line comes, or up to the end.
    fn listen(&mut self, socket: &mut WebSocket<TcpStream>, until: Option<&String>) {
        let heard = self.heard.last_mut().expect("it has come");
        while let Ok(message) = socket.read() {
            if let Message::Text(line) = message {
                if !line.starts_with(" .... ") {
                    heard.push(line.to_string());
                }
                if until.is_some() && heard.last() == until {
                    return;
                }
            }
        }
    }
}

/// The state at the time of a kill.
struct Kill {
    unix_ms: u64,
    /// The number of the newest message that a verifier had seen, in each room.
    seen: BTreeMap<String, u64>,
}

impl Kill {
    fn now(verifiers: &[VerifyingClient], unix_ms: u64) -> Self {
        let newest = |room: &str| verifiers.iter().map(|it| it.seen[room].len() as u64).max();
        let seen = ROOMS.map(|room| (room.to_owned(), newest(room).unwrap_or(0)));
        Self { unix_ms, seen: seen.into() }
    }

    /// Returns how many messages were stored that no verifier had seen.
    fn unseen(&self, kept: &Transcript) -> usize {
        let rooms = self.seen.iter().map(|(room, seen)| {
            let later = kept[room].iter().filter(|message| message.seq > *seen);
            later.take_while(|message| message.time <= self.unix_ms).count()
        });
        rooms.sum()
    }
}

struct Clients {
    verifiers: Vec<VerifyingClient>,
    plain_clients: Vec<PlainClient>,
}

impl Clients {
    fn new(seed: u64) -> Self {
        Self {
            verifiers: (0..VERIFIERS).map(|number| VerifyingClient::new(number, seed)).collect(),
            plain_clients: (0..PLAIN_CLIENTS).map(PlainClient::new).collect(),
        }
    }

    /// Connects all clients, lets them talk for this time and kills the server.
    fn talk_until_killed(&mut self, file: &Path, talk: Duration) -> Kill {
        let size = self.verifiers.len() + self.plain_clients.len();
        let unix_ms = std::thread::scope(|scope| {
            // Dropped, and thereby killed, also when a check fails, so that the other threads end.
            let program = serve(file);
            let server = program.websocket();
            let (connected, all_connected) = bounded(size);
            for verifier in &mut self.verifiers {
                let connected = connected.clone();
                scope.spawn(move || {
                    assert!(verifier.connect(server), "another history");
                    report_connected(connected);
                    verifier.say_until_broken();
                });
            }
            for plain_client in &mut self.plain_clients {
                let connected = connected.clone();
                scope.spawn(move || {
                    let socket = plain_client.connect(server);
                    report_connected(connected);
                    plain_client.talk(socket);
                });
            }
            drop(connected);
            for _ in 0..size {
                all_connected.recv_timeout(DEADLINE).expect("all connect");
            }
            pause(talk);
            kill(program)
        });
        Kill::now(&self.verifiers, unix_ms)
    }

    /// Waits until all clients have received every message.
    fn receive_all(&mut self, file: &Path) {
        let program = serve(file);
        for verifier in &mut self.verifiers {
            assert!(verifier.connect(program.websocket()), "another history");
            verifier.wait_for_own();
        }
        self.verifiers.iter_mut().for_each(VerifyingClient::catch_up);
        kill(program);
    }
}

/// Reports a connected client. A sender that is dropped by a panic ends the wait for all.
fn report_connected(connected: Sender<()>) {
    connected.send(()).expect("the channel has room for all");
}

/// Returns the time of the kill (Unix time in ms).
fn kill(program: ServerProcess) -> u64 {
    program.signal(Signal::KILL);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let (_, log) = program.end();
    assert!(!log.contains("WARN") && !log.contains("panicked"), "{log}");
    u64::try_from(now).unwrap()
}

/// Checks that the lines from one server are stored without a gap.
fn check_stored(heard: &[String], lines: &[String], places: &HashMap<&String, usize>) {
    let Some(first) = heard.first() else { return };
    let start = places.get(first).unwrap_or_else(|| panic!("not kept: {first}"));
    assert!(lines[*start..].starts_with(heard), "something else is kept from {first} on");
}

#[test]
fn a_server_killed_a_hundred_times_keeps_all_seen_messages() {
    let seed = rand::random::<u32>().into();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = TempDir::new();
    let file = folder.file("history");
    let since = Instant::now();
    let mut clients = Clients::new(seed);
    // All clients join before the first message.
    clients.receive_all(&file);
    let kills: Vec<_> = (0..KILLS)
        .map(|_| clients.talk_until_killed(&file, TALK.mul_f64(random.random_range(0.0..1.0))))
        .collect();
    clients.receive_all(&file);
    let took = since.elapsed();
    assert_sound(&file);
    let kept = export(&file);
    let Clients { verifiers, plain_clients } = clients;
    for verifier in &verifiers {
        assert!(verifier.seen == kept, "the file has other messages than were seen");
    }
    for plain_client in &plain_clients {
        let lines = kept[plain_client.room].iter().map(|it| format!("{}: {}", it.nick, it.text));
        let lines: Vec<_> = lines.collect();
        let places: HashMap<_, _> = lines.iter().zip(0..).collect();
        assert_eq!(places.len(), lines.len(), "something is kept twice");
        plain_client.heard.iter().for_each(|heard| check_stored(heard, &lines, &places));
    }
    let said: usize = verifiers.iter().map(|verifier| verifier.sent).sum();
    let by_verifiers = kept.values().flatten().filter(|it| it.nick.starts_with("verifier "));
    assert_eq!(by_verifiers.count(), said, "all that was said is kept");
    let unseen: Vec<_> = kills.iter().map(|kill| kill.unseen(&kept)).filter(|it| *it > 0).collect();
    println!(
        "{KILLS} kills in {took:.1?}: {} messages are kept and were seen, each once; {} were said \
         again; after {} kills the file had messages that no client had seen, {} in all",
        kept.values().map(Vec::len).sum::<usize>(),
        verifiers.iter().map(|verifier| verifier.sent_again).sum::<usize>(),
        unseen.len(),
        unseen.iter().sum::<usize>(),
    );
    assert!(!unseen.is_empty(), "no kill came between writing and telling");
}

/// The import makes the file, writes to the log, and moves the log into the file.
#[test]
fn an_import_that_is_killed_adds_all_or_nothing() {
    const MESSAGES: usize = 200;
    let folder = TempDir::new();
    let lines = folder.file("lines");
    fs::write(&lines, (1..=MESSAGES).map(line).collect::<String>()).unwrap();
    for write in 1.. {
        let file = folder.file(&format!("history-{write}"));
        let kill = format!("inject=pwrite64:signal=KILL:when={write}");
        let strace = ["strace", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", &kill];
        let import = |mut command: Command| {
            command.args(["history", "import"]).args([&file, &lines]).output().unwrap().status
        };
        if import(chinwag_under(&strace)).success() {
            println!(
                "an import of {MESSAGES} messages, killed at each of its {} writes",
                write - 1
            );
            assert!(write > 20, "it was not killed often enough");
            return;
        }
        // The file may not be a history yet.
        if let Ok(kept) = try_export(&file) {
            let count = kept.values().map(Vec::len).sum::<usize>();
            assert!(count == 0 || count == MESSAGES, "{count} of {MESSAGES} messages");
        }
        assert!(import(chinwag()).success(), "it is not done after write {write}");
        assert_eq!(export(&file)["lobby"].len(), MESSAGES);
        assert_sound(&file);
    }
}

fn line(seq: usize) -> String {
    let text = format!("this is {seq}, {}", "x".repeat(200));
    format!(
        "{}\n",
        json!({ "room": "lobby", "seq": seq, "time": seq, "nick": "ana", "text": text })
    )
}
