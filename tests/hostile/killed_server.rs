//! The server is killed while it writes: what anybody has seen is kept, once and in its place.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Sender, bounded, never};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use serde_json::json;
use testkit::{
    DEADLINE, ROOMS, ServerProcess, TempDir, VerifyingClient, chinwag, chinwag_under, connect,
    history::{Transcript, assert_sound, export, serve, try_export},
};
use tungstenite::{Message, WebSocket};

const KILLS: usize = 100;
const WITNESSES: u64 = 8;
const PASSERS_BY: usize = 2;
/// The longest that people talk before the server is killed.
const TALK: Duration = Duration::from_millis(100);

/// Somebody of the plain dialect, who comes anew each time.
struct PasserBy {
    name: String,
    room: &'static str,
    said: usize,
    /// In each of its lives, the lines that it heard.
    heard: Vec<Vec<String>>,
}

impl PasserBy {
    fn new(number: usize) -> Self {
        let (name, room) = (format!("passer-by-{number}"), ROOMS[number % ROOMS.len()]);
        Self { name, room, said: 0, heard: Vec::new() }
    }

    fn come(&mut self, server: SocketAddr) -> WebSocket<TcpStream> {
        self.heard.push(Vec::new());
        let target = format!("/?nick={}&room={}", self.name, self.room);
        connect(server, &target).expect("a passer-by is let in")
    }

    /// Talks as fast as words come back, until the server is gone.
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

    /// Listens until a line comes, or the end.
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

/// Where things stood when the server was killed.
struct Kill {
    unix_ms: u64,
    /// The number of the newest message that any witness had seen, in each room.
    seen: BTreeMap<String, u64>,
}

impl Kill {
    fn now(witnesses: &[VerifyingClient], unix_ms: u64) -> Self {
        let newest = |room: &str| witnesses.iter().map(|it| it.seen[room].len() as u64).max();
        let seen = ROOMS.map(|room| (room.to_owned(), newest(room).unwrap_or(0)));
        Self { unix_ms, seen: seen.into() }
    }

    /// How many messages the file had already that nobody had seen.
    fn unseen(&self, kept: &Transcript) -> usize {
        let rooms = self.seen.iter().map(|(room, seen)| {
            let later = kept[room].iter().filter(|message| message.seq > *seen);
            later.take_while(|message| message.time <= self.unix_ms).count()
        });
        rooms.sum()
    }
}

struct People {
    witnesses: Vec<VerifyingClient>,
    passers_by: Vec<PasserBy>,
}

impl People {
    fn new(seed: u64) -> Self {
        Self {
            witnesses: (0..WITNESSES).map(|number| VerifyingClient::new(number, seed)).collect(),
            passers_by: (0..PASSERS_BY).map(PasserBy::new).collect(),
        }
    }

    /// All come, go on where they were, and talk for so long. Then the server is killed.
    fn live_until_killed(&mut self, file: &Path, talk: Duration) -> Kill {
        let size = self.witnesses.len() + self.passers_by.len();
        let unix_ms = std::thread::scope(|scope| {
            // Killed also when anything fails here, so that the others come to an end.
            let program = serve(file);
            let server = program.websocket();
            let (come, everybody) = bounded(size);
            for witness in &mut self.witnesses {
                let come = come.clone();
                scope.spawn(move || {
                    assert!(witness.connect(server), "the history is another");
                    say_so(come);
                    witness.say_until_broken();
                });
            }
            for passer_by in &mut self.passers_by {
                let come = come.clone();
                scope.spawn(move || {
                    let socket = passer_by.come(server);
                    say_so(come);
                    passer_by.talk(socket);
                });
            }
            drop(come);
            for _ in 0..size {
                everybody.recv_timeout(DEADLINE).expect("everybody comes");
            }
            let _ = never::<()>().recv_timeout(talk);
            kill(program)
        });
        Kill::now(&self.witnesses, unix_ms)
    }

    /// What was under way is said, and everybody hears it.
    fn hear_all(&mut self, file: &Path) {
        let program = serve(file);
        for witness in &mut self.witnesses {
            assert!(witness.connect(program.websocket()), "the history is another");
            witness.wait_for_own();
        }
        self.witnesses.iter_mut().for_each(VerifyingClient::catch_up);
        kill(program);
    }
}

/// Who fails before this is not waited for.
fn say_so(come: Sender<()>) {
    come.send(()).expect("there is room for everybody");
}

/// Returns when it was killed: Unix time (ms).
fn kill(program: ServerProcess) -> u64 {
    program.signal(Signal::KILL);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let (_, log) = program.end();
    assert!(!log.contains("WARN") && !log.contains("panicked"), "{log}");
    u64::try_from(now).unwrap()
}

/// What a passer-by heard in one life is a piece of what is kept, without a hole.
fn is_kept(heard: &[String], lines: &[String], places: &HashMap<&String, usize>) {
    let Some(first) = heard.first() else { return };
    let start = places.get(first).unwrap_or_else(|| panic!("not kept: {first}"));
    assert!(lines[*start..].starts_with(heard), "something else is kept from {first} on");
}

#[test]
fn killed_a_hundred_times_it_keeps_what_was_seen() {
    let seed = rand::random::<u32>().into();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = TempDir::new();
    let file = folder.file("history");
    let since = Instant::now();
    let mut people = People::new(seed);
    // Everybody is there before anything is said.
    people.hear_all(&file);
    let kills: Vec<_> = (0..KILLS)
        .map(|_| people.live_until_killed(&file, TALK.mul_f64(random.random_range(0.0..1.0))))
        .collect();
    people.hear_all(&file);
    let took = since.elapsed();
    assert_sound(&file);
    let kept = export(&file);
    let People { witnesses, passers_by } = people;
    for witness in &witnesses {
        assert!(witness.seen == kept, "what was seen is not what is kept");
    }
    for passer_by in &passers_by {
        let lines = kept[passer_by.room].iter().map(|it| format!("{}: {}", it.nick, it.text));
        let lines: Vec<_> = lines.collect();
        let places: HashMap<_, _> = lines.iter().zip(0..).collect();
        assert_eq!(places.len(), lines.len(), "something is kept twice");
        passer_by.heard.iter().for_each(|heard| is_kept(heard, &lines, &places));
    }
    let said: usize = witnesses.iter().map(|witness| witness.sent).sum();
    let by_witnesses = kept.values().flatten().filter(|it| it.nick.starts_with("witness "));
    assert_eq!(by_witnesses.count(), said, "all that was said is kept");
    let unseen: Vec<_> = kills.iter().map(|kill| kill.unseen(&kept)).filter(|it| *it > 0).collect();
    println!(
        "{KILLS} kills in {took:.1?}: {} messages are kept and were seen, each once; {} were said \
         again; after {} kills the file had messages that nobody had seen, {} in all",
        kept.values().map(Vec::len).sum::<usize>(),
        witnesses.iter().map(|witness| witness.sent_again).sum::<usize>(),
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
        // It may be no history yet.
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
