//! A client that remembers every message, to compare with what a history file has.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tungstenite::{Error, WebSocket};

use crate::history::{Message, Transcript};
use crate::{connect_json, tcp};

/// The rooms of each [`VerifyingClient`].
pub const ROOMS: [&str; 3] = ["lobby", "kitchen", "attic"];
/// Maximum number of messages of a client that have not come back.
const UNCONFIRMED_MAX: usize = 8;

/// A JSON client that is in all [`ROOMS`], over any number of runs of the server. It checks that it
/// misses no message and receives none twice.
pub struct VerifyingClient {
    name: String,
    random: StdRng,
    socket: Option<WebSocket<TcpStream>>,
    epoch: Option<String>,
    session: Option<String>,
    pub seen: Transcript,
    /// Ids and rooms of the messages that have not come back.
    unconfirmed: VecDeque<(String, &'static str)>,
    /// Number of messages that it has sent.
    pub sent: usize,
    /// Number of messages that it has sent again.
    pub sent_again: usize,
    /// Levels of the notices since it connected.
    pub notices: Vec<String>,
}

/// The connection broke, as it does when the server is killed.
#[derive(Debug)]
pub struct Broken;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event {
    Welcome {
        epoch: String,
        session: String,
        resumed: bool,
    },
    Joined(Joined),
    Message(Message),
    History {
        messages: Vec<Message>,
    },
    Notice {
        level: String,
    },
    Error {
        code: String,
        message: String,
    },
    Pong,
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Joined {
    room: String,
    epoch: String,
    seq: u64,
    recovered: bool,
    #[serde(default)]
    more: bool,
    messages: Vec<Message>,
}

impl VerifyingClient {
    pub fn new(number: u64, seed: u64) -> Self {
        Self {
            name: format!("verifier {number}"),
            random: StdRng::seed_from_u64(seed.wrapping_add(number)),
            socket: None,
            epoch: None,
            session: None,
            seen: ROOMS.into_iter().map(|room| (room.to_owned(), Vec::new())).collect(),
            unconfirmed: VecDeque::new(),
            sent: 0,
            sent_again: 0,
            notices: Vec::new(),
        }
    }

    /// Joins all rooms of a server that has just started. Returns whether the server continues the
    /// history that the client knows. If it does, the client checks that it has missed no message,
    /// and sends again the messages that did not come back. If not, it forgets all it has seen.
    pub fn connect(&mut self, server: SocketAddr) -> bool {
        self.socket = Some(connect_json(tcp(server)).expect("the server upgrades"));
        self.notices.clear();
        let known = self.epoch.take();
        let (nick, session) = (&self.name, self.session.take());
        self.send(&json!({ "type": "hello", "nick": nick, "session": session })).unwrap();
        while self.epoch.is_none() {
            self.receive().expect("the server sends a welcome");
        }
        for room in ROOMS {
            self.join(room, known.as_ref());
        }
        for (id, room) in self.unconfirmed.clone() {
            // If the server is killed now, the next read fails.
            let _ = self.send(&say(&id, room));
            self.sent_again += 1;
        }
        known.is_none_or(|known| Some(known) == self.epoch)
    }

    pub fn disconnect(&mut self) {
        self.socket = None;
    }

    /// Sends messages as fast as they come back, until the connection breaks.
    pub fn say_until_broken(&mut self) {
        loop {
            while self.unconfirmed.len() < UNCONFIRMED_MAX {
                if self.say().is_err() {
                    break;
                }
            }
            if self.receive().is_err() {
                return;
            }
        }
    }

    /// Sends a message to a random room.
    pub fn say(&mut self) -> Result<(), Broken> {
        let room = ROOMS[self.random.random_range(0..ROOMS.len())];
        let id = format!("{}-{}", self.name.replace(' ', "-"), self.sent);
        self.sent += 1;
        self.unconfirmed.push_back((id.clone(), room));
        self.send(&say(&id, room))
    }

    /// Waits until all its messages have come back.
    pub fn wait_for_own(&mut self) {
        while !self.unconfirmed.is_empty() {
            self.receive().expect("the server runs");
        }
    }

    pub fn wait_for_notices(&mut self, count: usize) {
        while self.notices.len() < count {
            self.receive().expect("the server runs");
        }
    }

    /// Receives all messages that were sent before the call.
    pub fn catch_up(&mut self) {
        self.send(&json!({ "type": "ping" })).unwrap();
        while !matches!(self.receive().expect("the server runs"), Event::Pong) {}
    }

    /// Requests a page of the history. Returns `None` if the server cannot read it at the moment.
    pub fn read_page(&mut self, room: &str, before: u64, limit: usize) -> Option<Vec<Message>> {
        let request = json!({ "type": "history", "room": room, "before": before, "limit": limit });
        self.send(&request).unwrap();
        loop {
            match self.receive().expect("the server runs") {
                Event::History { messages } => return Some(messages),
                Event::Error { code, .. } if code == "unavailable" => return None,
                Event::Error { code, message } => panic!("{code}: {message}"),
                _ => {}
            }
        }
    }

    /// Joins a room again as a client that has every message up to `seq`. Returns the rest, or
    /// `None` if the server says that a message is missing or cannot read its history.
    pub fn rejoin_after(&mut self, room: &str, seq: u64) -> Option<Vec<Message>> {
        self.send(&json!({ "type": "part", "room": room })).unwrap();
        let (mut rest, mut is_whole, mut after) = (Vec::new(), true, seq);
        loop {
            let join = json!({ "type": "join", "room": room, "epoch": self.epoch, "after": after });
            self.send(&join).unwrap();
            let joined = self.receive_joined()?;
            is_whole &= joined.recovered;
            after = joined.messages.last().map_or(after, |it| it.seq);
            rest.extend(joined.messages);
            if !joined.more {
                return is_whole.then_some(rest);
            }
        }
    }

    fn join(&mut self, room: &'static str, known: Option<&String>) {
        let mut join = json!({ "type": "join", "room": room });
        if let Some(epoch) = known {
            join["epoch"] = json!(epoch);
            join["after"] = json!(self.seen[room].len());
        }
        self.send(&join).unwrap();
        let joined = self.receive_joined().expect("the history can be read");
        assert_eq!((joined.room.as_str(), Some(&joined.epoch)), (room, self.epoch.as_ref()));
        let (count, seq) = (self.seen[room].len(), joined.seq);
        let is_known = known == Some(&joined.epoch);
        assert_eq!(joined.recovered, is_known, "{} has {count} of {room} of {seq}", self.name);
        if !is_known {
            // The messages belong to another history and are not sent again.
            self.seen.insert(room.to_owned(), Vec::new());
            self.unconfirmed.retain(|(_, other)| *other != room);
        }
        for message in joined.messages {
            self.record(message);
        }
        if joined.more {
            return self.join(room, Some(&joined.epoch));
        }
        assert_eq!(self.seen[room].len() as u64, seq, "{room} has a gap");
    }

    fn receive_joined(&mut self) -> Option<Joined> {
        loop {
            match self.receive().expect("the server runs") {
                Event::Joined(joined) => return Some(joined),
                Event::Error { code, .. } if code == "unavailable" => return None,
                Event::Error { code, message } => panic!("{code}: {message}"),
                _ => {}
            }
        }
    }

    fn send(&mut self, request: &Value) -> Result<(), Broken> {
        let socket = self.socket.as_mut().expect("it is connected");
        socket.send(tungstenite::Message::text(request.to_string())).map_err(|_| Broken)
    }

    fn receive(&mut self) -> Result<Event, Broken> {
        let socket = self.socket.as_mut().expect("it is connected");
        let text = match socket.read() {
            Ok(tungstenite::Message::Text(text)) => text,
            // The server stops. It has no other reason to close.
            Ok(tungstenite::Message::Close(frame)) => {
                let code = frame.map(|it| u16::from(it.code));
                assert_eq!(code, Some(1001), "{} is closed", self.name);
                return Err(Broken);
            }
            Ok(_) => return Ok(Event::Other),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                panic!("{} receives nothing in time", self.name)
            }
            Err(_) => return Err(Broken),
        };
        let event = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        match &event {
            Event::Welcome { epoch, session, resumed } => {
                assert!(!resumed, "a session does not outlive its server");
                (self.epoch, self.session) = (Some(epoch.clone()), Some(session.clone()));
            }
            Event::Message(message) => self.record(message.clone()),
            Event::Notice { level } => self.notices.push(level.clone()),
            _ => {}
        }
        Ok(event)
    }

    /// Records a message, which must be the next of its room.
    fn record(&mut self, message: Message) {
        let room = self.seen.get_mut(&message.room).expect("it is one of the rooms");
        let number = room.len() as u64 + 1;
        assert_eq!(message.seq, number, "{} misses or repeats: {message:?}", self.name);
        self.unconfirmed.retain(|(id, _)| *id != message.id);
        room.push(message);
    }
}

fn say(id: &str, room: &str) -> Value {
    json!({ "type": "say", "room": room, "id": id, "text": format!("this is {id}") })
}
