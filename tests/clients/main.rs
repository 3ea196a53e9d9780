//! The example clients, in their own languages, over a network that breaks.
//!
//! `make clients` runs this. `PYTHON` names a Python with the packages of requirements.txt. A Node
//! without a WebSocket takes the one of the browser tests.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(unreachable_pub, reason = "the modules share functions")]

mod proxy;

use std::env;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::num::NonZero;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};

use chinwag::Limits;
use proxy::Proxy;
use serde_json::{Value, json};
use testkit::{Client, TestServer, config, wait_for_exit};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/clients");
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/node_modules");

/// A running example client. A thread reads its output to the end, so that it never blocks.
struct Example {
    process: Process,
    input: ChildStdin,
    output: JoinHandle<String>,
}

/// Killed when it is dropped.
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
        let input = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let output = thread::spawn(move || {
            let mut printed = String::new();
            stdout.read_to_string(&mut printed).map(|_| printed).unwrap()
        });
        Self { process: Process(child), input, output }
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Closes its input, waits until it has sent all and ended, and returns its output.
    fn end(mut self) -> String {
        drop(self.input);
        assert!(wait_for_exit(&mut self.process.0).success());
        self.output.join().unwrap()
    }
}

/// A client with a stable connection that records all texts.
struct Observer {
    client: Client,
    received: Vec<String>,
}

impl Observer {
    fn new(server: &mut TestServer) -> Self {
        let mut client = server.open_json();
        client.request(&json!({"type": "hello", "nick": "rust"}));
        client.request(&json!({"type": "join", "room": "lobby"}));
        Self { client, received: Vec::new() }
    }

    fn say(&mut self, text: &str) {
        let id = text.split(' ').next();
        let say = json!({"type": "say", "room": "lobby", "text": text, "id": id});
        self.client.send_json(&say);
    }

    /// Reads until this many texts have come in total. No client comes or goes.
    fn receive(&mut self, lines: usize) {
        while self.received.len() < lines {
            let message = self.client.receive_json();
            assert_eq!(message["type"], "message", "{message}");
            let text = |member: &str| message[member].as_str().unwrap();
            self.received.push(format!("{}: {}", text("nick"), text("text")));
        }
    }

    fn expect(&mut self, expected: &Value) {
        assert_eq!(self.client.receive_json(), *expected);
    }
}

#[test]
fn no_example_loses_or_repeats_a_line_over_a_breaking_network() {
    const ROUNDS: usize = 4;
    const LINES: usize = 10;
    // Low limits, so that the examples have to wait and send again.
    let limits = Limits::default().burst(5).per_second(NonZero::new(20));
    let mut server = TestServer::start_with(&config().limits(limits));
    let proxy = Proxy::to(server.address());
    let mut observer = Observer::new(&mut server);
    let mut examples = Vec::new();
    for (nick, start) in [("python", Example::python as fn(_) -> _), ("node", Example::node)] {
        examples.push((nick, start(proxy.address)));
        observer.expect(&json!({"type": "arrived", "room": "lobby", "nick": nick}));
    }
    for round in 0..ROUNDS {
        observer.say(&format!("round-{round}"));
        for line in 0..LINES {
            for (_, example) in &mut examples {
                example.type_line(&format!("{round}.{line} äöü \"{{語}}\""));
            }
        }
        let before = observer.received.len();
        observer.receive(before + LINES / 2);
        proxy.cut();
        observer.receive(before + 1 + LINES * examples.len());
    }
    for nick in ["python", "node", "rust"] {
        let said = observer.received.iter().filter_map(|it| it.strip_prefix(&format!("{nick}: ")));
        let line = |n: usize| format!("{}.{} äöü \"{{語}}\"", n / LINES, n % LINES);
        let round = |n: usize| format!("round-{n}");
        let expected: Vec<_> = match nick {
            "rust" => (0..ROUNDS).map(round).collect(),
            _ => (0..ROUNDS * LINES).map(line).collect(),
        };
        assert_eq!(said.collect::<Vec<_>>(), expected, "all of it once and in order, by {nick}");
    }
    let transcript: String = observer.received.iter().map(|line| format!("{line}\n")).collect();
    for (nick, example) in examples {
        assert_eq!(example.end(), transcript, "{nick} received it all once and in order");
        let left = json!({"type": "left", "room": "lobby", "nick": nick, "reason": "closed"});
        observer.expect(&left);
    }
}

#[test]
fn the_examples_send_all_lines_before_they_end() {
    let mut server = TestServer::start();
    let mut observer = Observer::new(&mut server);
    for (nick, start) in [("python", Example::python as fn(_) -> _), ("node", Example::node)] {
        let mut example: Example = start(server.address());
        let transcript = format!("{nick}: one\n{nick}: two\n");
        for line in ["one", "", "two"] {
            example.type_line(line);
        }
        let printed = example.end();
        assert!(printed.ends_with(&transcript), "{printed}");
        observer.expect(&json!({"type": "arrived", "room": "lobby", "nick": nick}));
        let lines = observer.received.len() + 2;
        observer.receive(lines);
        observer
            .expect(&json!({"type": "left", "room": "lobby", "nick": nick, "reason": "closed"}));
    }
}

#[test]
fn the_examples_receive_a_large_gap_in_parts() {
    // Three answers of 768 KiB.
    const MISSED: usize = 230;
    let text = |n: usize| format!("{n} {}", "x".repeat(8_000));
    for (nick, start) in [("python", Example::python as fn(_) -> _), ("node", Example::node)] {
        let mut server = TestServer::start();
        let proxy = Proxy::to(server.address());
        let mut observer = Observer::new(&mut server);
        let mut example = start(proxy.address);
        observer.expect(&json!({"type": "arrived", "room": "lobby", "nick": nick}));
        example.type_line("before");
        observer.receive(1);
        proxy.cut_off();
        for n in 0..MISSED {
            observer.say(&text(n));
            observer.receive(n + 2);
        }
        example.type_line("meanwhile");
        proxy.mend();
        observer.receive(MISSED + 2);
        let missed = (0..MISSED).map(|n| format!("rust: {}\n", text(n)));
        let expected = format!("{nick}: before\n{}{nick}: meanwhile\n", missed.collect::<String>());
        assert!(example.end() == expected, "{nick} has all of it once and in order");
    }
}

#[test]
fn the_examples_continue_after_a_refused_line() {
    let mut server = TestServer::start();
    let mut observer = Observer::new(&mut server);
    for (nick, start) in [("python", Example::python as fn(_) -> _), ("node", Example::node)] {
        let mut example: Example = start(server.address());
        observer.expect(&json!({"type": "arrived", "room": "lobby", "nick": nick}));
        // The first is answered with an error. The second ends the connection.
        for length in [8_193, 70_000] {
            example.type_line(&"x".repeat(length));
            example.type_line(&format!("behind {length}"));
        }
        let before = observer.received.len();
        observer.receive(before + 2);
        assert_eq!(
            observer.received[before..],
            [8_193, 70_000].map(|length| format!("{nick}: behind {length}"))
        );
        example.end();
        observer
            .expect(&json!({"type": "left", "room": "lobby", "nick": nick, "reason": "closed"}));
    }
}
