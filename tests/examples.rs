//! The examples for embedders, each run as a process of its own.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::env;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tungstenite::{Message, WebSocket};

/// Maximum time for a line or a message, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(20);

/// An example that runs. It is killed when this is dropped.
struct Example {
    child: Child,
    lines: Receiver<String>,
}

impl Example {
    fn start(name: &str, arguments: &[&Path]) -> Self {
        let this = env::current_exe().unwrap();
        let program = this.parent().unwrap().with_file_name("examples").join(name);
        let mut command = Command::new(&program);
        let spawned = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            panic!("{}: {error}: cargo build --examples", program.display())
        });
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line comes in time")
    }

    /// Reads the address that the example prints, and connects to it.
    fn connect(&self, nickname: &str) -> WebSocket<TcpStream> {
        let line = self.line();
        let (_, rest) = line.split_once("http://localhost:").expect(&line);
        let port: u16 = rest.split('/').next().unwrap().parse().unwrap();
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let url = format!("ws://localhost:{port}/?nick={nickname}");
        tungstenite::client(url, stream).unwrap().0
    }

    /// Waits for the end of the output, and so of the example. Returns whether it was a success.
    fn ends_well(mut self) -> bool {
        while self.lines.recv_timeout(DEADLINE).is_ok() {}
        self.child.wait().unwrap().success()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(socket: &mut WebSocket<TcpStream>, text: &str) {
    socket.send(Message::text(text)).unwrap();
    let echo = socket.read().unwrap();
    assert!(echo.to_text().unwrap().ends_with(&format!(": {text}")), "{echo}");
}

#[test]
fn embed_prints_events_until_the_last_client_has_left() {
    let example = Example::start("embed", &[]);
    let mut ana = example.connect("ana");
    send(&mut ana, "hello");
    ana.close(None).unwrap();
    while ana.read().is_ok() {}
    for start in
        ["open: client 1 from ", "joined: ana, in lobby", "message: ana: hello", "left: ana, from "]
    {
        let line = example.line();
        assert!(line.starts_with(start), "{line}");
    }
    assert_eq!(example.line().trim_end(), "close: client 1 with 1005");
    assert!(example.ends_well());
}

#[test]
fn the_bot_adds_numbers_and_removes_a_client_that_sends_spam() {
    let example = Example::start("bot", &[]);
    let mut ana = example.connect("ana");
    send(&mut ana, "2 + 3");
    assert_eq!(ana.read().unwrap().to_text().unwrap(), "bot: ana, that is 5");
    send(&mut ana, "spam");
    let close = ana.read().unwrap();
    let Message::Close(Some(frame)) = close else { panic!("{close:?}") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4009, "no spam, please"));
}

#[test]
#[cfg(feature = "history")]
fn the_history_survives_the_example() {
    let folder = env::temp_dir().join(format!("chinwag-example-{:016x}", rand::random::<u64>()));
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("chat.db");
    for messages in 0..2 {
        let example = Example::start("history", &[&file]);
        assert_eq!(example.line(), format!("the file has {messages} messages"));
        send(&mut example.connect("ana"), "hello");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
