//! The example clients, in the languages that they are written in, with a network between them and
//! the server that breaks.
//!
//! `make clients` runs this, with a Python (`PYTHON`) that has what requirements.txt names, and
//! with the WebSocket of the browser tests where Node has none of its own.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(unreachable_pub, reason = "a test is nobody's library")]

mod proxy;

#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::num::NonZero;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};

use chinwag::{Config, Limits};
use proxy::Proxy;
use serde_json::{Value, json};
use support::{Client, House, config, program};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/clients");
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/node_modules");

/// An example client that runs. What it prints is read to the end, so that it never waits.
struct Example {
    process: Process,
    types: ChildStdin,
    prints: JoinHandle<String>,
}

/// It ends with the test, whichever way that ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Example {
    fn python(address: SocketAddr) -> Self {
        let python = env::var_os("PYTHON").expect("make clients says where Python is");
        Self::start(Command::new(python).arg(format!("{FOLDER}/chat.py")), address, "python")
    }

    fn node(address: SocketAddr) -> Self {
        let mut node = Command::new("node");
        Self::start(
            node.env("NODE_PATH", PACKAGES).arg(format!("{FOLDER}/chat.mjs")),
            address,
            "node",
        )
    }

    fn start(command: &mut Command, address: SocketAddr, nick: &str) -> Self {
        let url = format!("ws://{address}/");
        command.args([&url, "lobby", nick]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let types = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let prints = thread::spawn(move || {
            let mut printed = String::new();
            stdout.read_to_string(&mut printed).map(|_| printed).unwrap()
        });
        Self { process: Process(child), types, prints }
    }

    fn types(&mut self, line: &str) {
        writeln!(self.types, "{line}").unwrap();
    }

    /// Nothing more is typed; the client says what it has yet to say, and ends. All that it printed.
    fn ends(mut self) -> String {
        drop(self.types);
        assert!(program::wait(&mut self.process.0).success());
        self.prints.join().unwrap()
    }
}

/// Somebody with a sound connection, who writes down what was said.
struct Witness {
    client: Client,
    heard: Vec<String>,
}

impl Witness {
    fn new(house: &mut House) -> Self {
        let mut client = house.open_json();
        client.asked(&json!({"type": "hello", "nick": "rust"}));
        client.asked(&json!({"type": "join", "room": "lobby"}));
        Self { client, heard: Vec::new() }
    }

    fn says(&mut self, text: &str) {
        let id = text.split(' ').next();
        let say = json!({"type": "say", "room": "lobby", "text": text, "id": id});
        self.client.ask(&say);
    }

    /// Hears until so much was said in all. Nobody comes or goes.
    fn hears(&mut self, lines: usize) {
        while self.heard.len() < lines {
            let message = self.client.told();
            assert_eq!(message["type"], "message", "{message}");
            let text = |member: &str| message[member].as_str().unwrap();
            self.heard.push(format!("{}: {}", text("nick"), text("text")));
        }
    }

    fn sees(&mut self, expected: &Value) {
        assert_eq!(self.client.told(), *expected);
    }
}

#[test]
fn the_examples_lose_and_repeat_nothing_over_a_network_that_breaks() {
    const ROUNDS: usize = 4;
    const LINES: usize = 10;
    // What is too much for a moment is said a little later.
    let limits = Limits::default().burst(5).per_second(NonZero::new(20));
    let mut house = House::with(&config().limits(limits));
    let proxy = Proxy::to(house.address());
    let mut witness = Witness::new(&mut house);
    let mut examples = Vec::new();
    for (nick, start) in [("python", Example::python as fn(_) -> _), ("node", Example::node)] {
        examples.push((nick, start(proxy.address)));
        witness.sees(&json!({"type": "arrived", "room": "lobby", "nick": nick}));
    }
    for round in 0..ROUNDS {
        witness.says(&format!("round-{round}"));
        for line in 0..LINES {
            for (_, example) in &mut examples {
                example.types(&format!("{round}.{line} äöü \"{{語}}\""));
            }
        }
        let before = witness.heard.len();
        witness.hears(before + LINES / 2);
        proxy.cut();
        witness.hears(before + 1 + LINES * examples.len());
    }
    for nick in ["python", "node", "rust"] {
        let said = witness.heard.iter().filter_map(|it| it.strip_prefix(&format!("{nick}: ")));
        let line = |n: usize| format!("{}.{} äöü \"{{語}}\"", n / LINES, n % LINES);
        let round = |n: usize| format!("round-{n}");
        let expected: Vec<_> = match nick {
            "rust" => (0..ROUNDS).map(round).collect(),
            _ => (0..ROUNDS * LINES).map(line).collect(),
        };
        assert_eq!(said.collect::<Vec<_>>(), expected, "all of it once and in order, by {nick}");
    }
    let transcript: String = witness.heard.iter().map(|line| format!("{line}\n")).collect();
    for (nick, example) in examples {
        assert_eq!(example.ends(), transcript, "{nick} heard it all once and in order");
        let left = json!({"type": "left", "room": "lobby", "nick": nick, "reason": "closed"});
        witness.sees(&left);
    }
}

#[test]
fn the_examples_say_what_they_have_yet_to_say_before_they_end() {
    let mut house = House::open();
    let mut witness = Witness::new(&mut house);
    for (nick, start) in [("python", Example::python as fn(_) -> _), ("node", Example::node)] {
        let mut example: Example = start(house.address());
        let transcript = format!("{nick}: one\n{nick}: two\n");
        for line in ["one", "", "two"] {
            example.types(line);
        }
        let printed = example.ends();
        assert!(printed.ends_with(&transcript), "{printed}");
        witness.sees(&json!({"type": "arrived", "room": "lobby", "nick": nick}));
        let lines = witness.heard.len() + 2;
        witness.hears(lines);
        witness.sees(&json!({"type": "left", "room": "lobby", "nick": nick, "reason": "closed"}));
    }
}

#[test]
fn the_examples_get_in_parts_what_no_single_answer_holds() {
    // Three answers of 768 KiB.
    const MISSED: usize = 230;
    let text = |n: usize| format!("{n} {}", "x".repeat(8_000));
    for (nick, start) in [("python", Example::python as fn(_) -> _), ("node", Example::node)] {
        let mut house = House::open();
        let proxy = Proxy::to(house.address());
        let mut witness = Witness::new(&mut house);
        let mut example = start(proxy.address);
        witness.sees(&json!({"type": "arrived", "room": "lobby", "nick": nick}));
        example.types("before");
        witness.hears(1);
        proxy.cut_off();
        for n in 0..MISSED {
            witness.says(&text(n));
            witness.hears(n + 2);
        }
        example.types("meanwhile");
        proxy.mend();
        witness.hears(MISSED + 2);
        let missed = (0..MISSED).map(|n| format!("rust: {}\n", text(n)));
        let expected = format!("{nick}: before\n{}{nick}: meanwhile\n", missed.collect::<String>());
        assert!(example.ends() == expected, "{nick} has all of it once and in order");
    }
}

#[test]
fn the_examples_go_on_after_a_line_that_is_refused_for_good() {
    let mut house = House::open();
    let mut witness = Witness::new(&mut house);
    for (nick, start) in [("python", Example::python as fn(_) -> _), ("node", Example::node)] {
        let mut example: Example = start(house.address());
        witness.sees(&json!({"type": "arrived", "room": "lobby", "nick": nick}));
        // One has an error for an answer; for the other the connection ends.
        for length in [8_193, 70_000] {
            example.types(&"x".repeat(length));
            example.types(&format!("behind {length}"));
        }
        let before = witness.heard.len();
        witness.hears(before + 2);
        assert_eq!(
            witness.heard[before..],
            [8_193, 70_000].map(|length| format!("{nick}: behind {length}"))
        );
        example.ends();
        witness.sees(&json!({"type": "left", "room": "lobby", "nick": nick, "reason": "closed"}));
    }
}
