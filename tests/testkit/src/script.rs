//! The notation of scripts. The tests of the server and PROTOCOL.md have JSON in it, the tests of
//! the chat (`src/chat/tests.rs`) have words.
//!
//! Each line has the name of a client, a verb, and what the verb is about:
//!
//! ```text
//! ana opens               ana connects a JSON client, which has yet to say hello
//! ana enters lobby        ana opens unless she has a client; says hello as ana, joins the lobby
//! bo joins                bo connects a plain client, which is in the lobby
//! ana > {"type":"ping"}   ana sends a text
//! ana < {"type":"pong"}   this is the next text that ana receives
//! ana leaves              ana sends a close frame and waits for the answer
//! ana breaks              ana's connection is reset; the line ends when the server has noticed
//! ana ends 4001           the server closes the connection; no text comes before that
//! ```
//!
//! In JSON that a client receives, `<time>` is a time of the last minute and `<any>` is any value.
//! Every other word in angle brackets is a text that must be the same wherever the word appears,
//! also in what a client sends. `enters` sets `<epoch>` and, under the name of the client, its
//! session. An object that ends with `...` may have more members than are written.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use chinwag::{Config, Limits};
use serde_json::{Value, from_str, json};
use tungstenite::{Bytes, Message};

use crate::{Client, TestServer};

/// One line of a script.
pub struct Line<'a> {
    pub name: &'a str,
    pub verb: &'a str,
    pub rest: &'a str,
    /// The whole line.
    pub text: &'a str,
}

/// Returns the lines of a script. Indentation and empty lines do not count.
pub fn lines(script: &str) -> impl Iterator<Item = Line<'_>> {
    script.lines().map(str::trim_start).filter(|line| !line.is_empty()).map(|text| {
        let (name, action) = text.split_once(' ').unwrap_or_else(|| panic!("no verb in {text:?}"));
        let (verb, rest) = action.split_once(' ').unwrap_or((action, ""));
        Line { name, verb, rest, text }
    })
}

/// A server, its clients by name, and the values that the words in angle brackets stand for.
pub struct Script {
    // Dropped before the server, which would wait for answers to its close frames.
    clients: BTreeMap<String, (Dialect, Client)>,
    pub server: TestServer,
    values: BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    Plain,
    Json,
}

impl Script {
    #[expect(clippy::new_without_default, reason = "it starts a server")]
    pub fn new() -> Self {
        Self::of(TestServer::start())
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self::of(TestServer::start_with_limits(limits))
    }

    pub fn with(config: &Config) -> Self {
        Self::of(TestServer::start_with(config))
    }

    fn of(server: TestServer) -> Self {
        Self { server, clients: BTreeMap::new(), values: BTreeMap::new() }
    }

    /// Plays a script and checks that no client receives more than it says.
    pub fn play(&mut self, script: &str) {
        lines(script).for_each(|line| self.play_line(&line));
        self.nothing_is_left_out();
    }

    pub fn client(&mut self, name: &str) -> &mut Client {
        &mut self.clients.get_mut(name).unwrap_or_else(|| panic!("{name} has no client")).1
    }

    /// Returns the text that a word in angle brackets stands for.
    pub fn value(&self, word: &str) -> &str {
        &self.values[word]
    }

    fn play_line(&mut self, line: &Line<'_>) {
        let Line { name, rest, text, .. } = *line;
        match line.verb {
            "opens" => self.open(name),
            "enters" => self.enter(name, rest),
            "joins" => {
                let client = self.server.join_at(&format!("/?nick={name}"));
                self.clients.insert(name.to_owned(), (Dialect::Plain, client));
            }
            ">" => {
                let values = self.values.iter();
                let filled = values.fold(rest.to_owned(), |filled, (word, value)| {
                    filled.replace(&format!("<{word}>"), value)
                });
                self.client(name).send(&filled);
            }
            "<" => self.expect(name, rest, text),
            "leaves" => self.take(name).close(),
            "breaks" => {
                let client = self.take(name);
                let id = client.id();
                client.reset();
                self.server.wait_for_close(id);
            }
            "ends" => match self.take(name).socket.read() {
                Ok(Message::Close(Some(frame))) => {
                    assert_eq!(u16::from(frame.code).to_string(), rest, "{text}");
                }
                other => panic!("{text}, but {other:?}"),
            },
            verb => panic!("no verb {verb:?}: {text}"),
        }
    }

    fn take(&mut self, name: &str) -> Client {
        self.clients.remove(name).unwrap_or_else(|| panic!("{name} has no client")).1
    }

    fn open(&mut self, name: &str) {
        let client = self.server.open_json();
        self.clients.insert(name.to_owned(), (Dialect::Json, client));
    }

    fn enter(&mut self, name: &str, room: &str) {
        if !self.clients.contains_key(name) {
            self.open(name);
            self.client(name).send_json(&json!({"type": "hello", "nick": name}));
            let welcome =
                format!(r#"{{"type":"welcome","session":"<{name}>","epoch":"<epoch>",...}}"#);
            self.expect(name, &welcome, &welcome);
        }
        let joined = self.client(name).request(&json!({"type": "join", "room": room}));
        assert_eq!(joined["type"], "joined", "{joined}");
    }

    fn expect(&mut self, name: &str, expected: &str, line: &str) {
        let client = self.clients.get_mut(name);
        let (dialect, client) = client.unwrap_or_else(|| panic!("{name} has no client"));
        let received = client.receive();
        if *dialect == Dialect::Plain {
            return assert_eq!(received, expected, "{line}");
        }
        let expected = expected.replace(":<time>", r#":"<time>""#).replace(",...}", r#","...":0}"#);
        let expected: Value = from_str(&expected).unwrap_or_else(|e| panic!("{line}: {e}"));
        let received = from_str(&received).expect("every event is an object");
        assert!(self.matches(&expected, &received), "{line}\nbut {received}");
    }

    fn matches(&mut self, expected: &Value, received: &Value) -> bool {
        match (expected, received) {
            (Value::String(word), _) if word == "<any>" => true,
            (Value::String(word), _) if word == "<time>" => received.as_u64().is_some_and(is_now),
            (Value::String(word), Value::String(text)) => {
                match word.strip_prefix('<').and_then(|word| word.strip_suffix('>')) {
                    Some(word) => {
                        self.values.entry(word.to_owned()).or_insert(text.clone()) == text
                    }
                    None => word == text,
                }
            }
            (Value::Array(expected), Value::Array(received)) => {
                expected.len() == received.len()
                    && expected.iter().zip(received).all(|(a, b)| self.matches(a, b))
            }
            (Value::Object(expected), Value::Object(received)) => {
                let is_open = expected.contains_key("...");
                let mut written = expected.iter().filter(|(name, _)| *name != "...");
                (is_open || expected.len() == received.len())
                    && written.all(|(name, value)| {
                        received.get(name).is_some_and(|received| self.matches(value, received))
                    })
            }
            _ => expected == received,
        }
    }

    /// Reads up to a pong, behind which nothing can be on its way. The texts of a client are with
    /// the broadcaster before the pong comes. The broadcaster answers one `rooms` in a turn, so that
    /// the first turn is over when the second is answered.
    fn nothing_is_left_out(&mut self) {
        for _ in 0..2 {
            for (name, (_, client)) in &mut self.clients {
                client.socket.send(Message::Ping(Bytes::new())).expect("the server takes it");
                match client.socket.read().expect("a pong comes in time") {
                    Message::Pong(_) => {}
                    message => panic!("{name} receives {message:?}, which the script leaves out"),
                }
            }
            for _ in 0..2 {
                self.server.handle.rooms().expect("the server runs");
            }
        }
    }
}

fn is_now(unix_ms: u64) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis();
    u128::from(unix_ms).abs_diff(now) < 60_000
}
