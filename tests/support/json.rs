//! Clients of the JSON dialect, and scripts for all kinds of clients: who does what, line by line,
//! and what must come of it. PROTOCOL.md has its sessions in the same notation.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use chinwag::{Config, Event, Limits};
use serde_json::{Value, from_str, json};
use tungstenite::{Bytes, ClientRequestBuilder, Message};

use super::{Client, House, config, tcp};

pub const SUBPROTOCOL: &str = "chinwag.v1";

impl House {
    /// A server with these limits, but as many texts as the clients like.
    pub fn with_limits(limits: Limits) -> Self {
        Self::with(&config().limits(limits.per_second(None)))
    }

    /// A client of the JSON dialect that has yet to say hello.
    pub fn open_json(&mut self) -> Client {
        let address = self.address();
        let uri = format!("ws://{address}/").parse().expect("it is a URI");
        let request = ClientRequestBuilder::new(uri).with_sub_protocol(SUBPROTOCOL);
        let (socket, _) = tungstenite::client(request, tcp(address)).expect("the server upgrades");
        let id = loop {
            match self.event() {
                Event::Open { client, .. } => break client,
                event => self.note(&event),
            }
        };
        Client { id, nick: String::new(), room: String::new(), socket }
    }
}

impl Client {
    pub fn ask(&mut self, request: &Value) {
        self.say(&request.to_string());
    }

    /// The next event that comes.
    pub fn told(&mut self) -> Value {
        from_str(&self.hear()).expect("every event is an object")
    }

    /// Asks, and is told.
    pub fn asked(&mut self, request: &Value) -> Value {
        self.ask(request);
        self.told()
    }

    /// Shows that nothing has come that was not read.
    pub fn has_heard_all(&mut self) {
        assert_eq!(self.asked(&json!({"type": "ping"})), json!({"type": "pong"}));
    }
}

/// A server, clients by name, and what the scripts have seen so far.
///
/// ```text
/// ana opens               a socket of the JSON dialect
/// ana enters lobby        says hello as ana, if she has not, and joins
/// bo joins                a plain client in the lobby
/// ana > {"type":"ping"}   what one sends
/// ana < {"type":"pong"}   what one gets next
/// ana leaves              with a close frame
/// ana breaks              with a reset, which the server has seen when the line is over
/// ana ends 4001           the server closes, and this is the next that comes
/// ```
///
/// In what one gets, `<time>` is a moment ago, `<any>` is anything, and every other word in such
/// brackets is a text that is the same wherever the word stands, also in what one sends. `enters`
/// sets `<epoch>` and, by the name of the client, its session. An object with `...` at its end may
/// have more members than are written.
pub struct Scene {
    // Dropped before the server, which would wait for them to answer its close frames.
    clients: BTreeMap<String, (Speaks, Client)>,
    pub house: House,
    known: BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Speaks {
    Plain,
    Json,
}

impl Scene {
    pub fn new() -> Self {
        Self::of(House::open())
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self::of(House::with_limits(limits))
    }

    pub fn with(config: &Config) -> Self {
        Self::of(House::with(config))
    }

    fn of(house: House) -> Self {
        Self { house, clients: BTreeMap::new(), known: BTreeMap::new() }
    }

    /// Plays a script, and shows that nobody has heard more than it says.
    pub fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            let (who, rest) = line.split_once(' ').expect("somebody does something");
            let (does, what) = rest.split_once(' ').unwrap_or((rest, ""));
            self.act(who, does, what, line);
        }
        self.nothing_is_left_out();
    }

    pub fn client(&mut self, who: &str) -> &mut Client {
        &mut self.clients.get_mut(who).unwrap_or_else(|| panic!("{who} is not there")).1
    }

    pub fn known(&self, word: &str) -> &str {
        &self.known[word]
    }

    fn act(&mut self, who: &str, does: &str, what: &str, line: &str) {
        match does {
            "opens" => {
                let client = self.house.open_json();
                self.clients.insert(who.to_owned(), (Speaks::Json, client));
            }
            "enters" => self.enter(who, what),
            "joins" => {
                let client = self.house.join_at(&format!("/?nick={who}"));
                self.clients.insert(who.to_owned(), (Speaks::Plain, client));
            }
            ">" => {
                let known = self.known.iter();
                let filled = known.fold(what.to_owned(), |what, (word, text)| {
                    what.replace(&format!("<{word}>"), text)
                });
                self.client(who).say(&filled);
            }
            "<" => self.hear(who, what, line),
            "leaves" => self.take(who).close(),
            "breaks" => {
                let client = self.take(who);
                let id = client.id;
                client.reset();
                self.house.gone(id);
            }
            "ends" => {
                let mut client = self.take(who);
                match client.socket.read() {
                    Ok(Message::Close(Some(frame))) => {
                        assert_eq!(u16::from(frame.code).to_string(), what, "{line}");
                    }
                    other => panic!("{line}, but {other:?}"),
                }
            }
            _ => panic!("the script says: {line}"),
        }
    }

    fn take(&mut self, who: &str) -> Client {
        self.clients.remove(who).unwrap_or_else(|| panic!("{who} is not there")).1
    }

    fn enter(&mut self, who: &str, room: &str) {
        if !self.clients.contains_key(who) {
            self.act(who, "opens", "", "");
            self.client(who).ask(&json!({"type": "hello", "nick": who}));
            let welcome =
                format!(r#"{{"type":"welcome","session":"<{who}>","epoch":"<epoch>",...}}"#);
            self.hear(who, &welcome, &welcome);
        }
        let joined = self.client(who).asked(&json!({"type": "join", "room": room}));
        assert_eq!(joined["type"], "joined", "{joined}");
    }

    fn hear(&mut self, who: &str, what: &str, line: &str) {
        let (speaks, client) =
            self.clients.get_mut(who).unwrap_or_else(|| panic!("{who} is not there"));
        let heard = client.hear();
        if *speaks == Speaks::Plain {
            return assert_eq!(heard, what, "{line}");
        }
        let expected = what.replace(":<time>", r#":"<time>""#).replace(",...}", r#","...":0}"#);
        let expected: Value = from_str(&expected).unwrap_or_else(|e| panic!("{line}: {e}"));
        let heard = from_str(&heard).expect("every event is an object");
        assert!(self.agrees(&expected, &heard), "{line}\nbut {heard}");
    }

    fn agrees(&mut self, expected: &Value, heard: &Value) -> bool {
        match (expected, heard) {
            (Value::String(word), _) if word == "<any>" => true,
            (Value::String(word), _) if word == "<time>" => heard.as_u64().is_some_and(is_now),
            (Value::String(word), Value::String(text)) => {
                match word.strip_prefix('<').and_then(|word| word.strip_suffix('>')) {
                    Some(word) => self.known.entry(word.to_owned()).or_insert(text.clone()) == text,
                    None => word == text,
                }
            }
            (Value::Array(expected), Value::Array(heard)) => {
                expected.len() == heard.len()
                    && expected.iter().zip(heard).all(|(a, b)| self.agrees(a, b))
            }
            (Value::Object(expected), Value::Object(heard)) => {
                let open = expected.contains_key("...");
                let mut written = expected.iter().filter(|(name, _)| *name != "...");
                (open || expected.len() == heard.len())
                    && written.all(|(name, value)| {
                        heard.get(name).is_some_and(|heard| self.agrees(value, heard))
                    })
            }
            _ => expected == heard,
        }
    }

    /// What a client sent is with the broadcaster when its own pong comes. The broadcaster answers
    /// one call in a turn, so that what was sent before the first is pushed before the second.
    fn nothing_is_left_out(&mut self) {
        for _ in 0..2 {
            for (who, (_, client)) in &mut self.clients {
                client.socket.send(Message::Ping(Bytes::new())).expect("the server takes it");
                match client.socket.read().expect("a pong comes in time") {
                    Message::Pong(_) => {}
                    message => panic!("{who} gets {message:?}, which the script leaves out"),
                }
            }
            for _ in 0..2 {
                self.house.handle.rooms().expect("the server runs");
            }
        }
    }
}

/// The code of an error, which has a sentence for a person, too.
pub fn error(event: &Value) -> &str {
    assert_eq!(event["type"], "error", "{event}");
    assert!(event["message"].as_str().expect("errors are in words").len() > 5, "{event}");
    event["code"].as_str().expect("errors are in words")
}

/// The numbers of the messages in an answer.
pub fn seqs(event: &Value) -> Vec<u64> {
    let messages = event["messages"].as_array().expect("there are messages");
    messages.iter().map(|message| message["seq"].as_u64().expect("it is a number")).collect()
}

fn is_now(unix_ms: u64) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis();
    u128::from(unix_ms).abs_diff(now) < 60_000
}
