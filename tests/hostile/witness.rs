//! People who remember every word, so that what was seen can be compared with what is kept.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Error, WebSocket};

use crate::kept::{Message, Transcript};
use crate::support::json::SUBPROTOCOL;
use crate::support::tcp;

pub const ROOMS: [&str; 3] = ["lobby", "kitchen", "attic"];
/// So much of what somebody says is under way at once.
const UNDER_WAY: usize = 8;

/// Somebody in all rooms, over any number of runs of the server.
pub struct Witness {
    name: String,
    random: StdRng,
    socket: Option<WebSocket<TcpStream>>,
    /// Of the history that is seen.
    epoch: Option<String>,
    session: Option<String>,
    pub seen: Transcript,
    /// What was said and has not come back: its id and its room.
    waiting: VecDeque<(String, &'static str)>,
    pub said: usize,
    pub said_again: usize,
    /// The levels of the notices, in their order.
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

impl Witness {
    pub fn new(number: u64, seed: u64) -> Self {
        Self {
            name: format!("witness {number}"),
            random: StdRng::seed_from_u64(seed.wrapping_add(number)),
            socket: None,
            epoch: None,
            session: None,
            seen: ROOMS.into_iter().map(|room| (room.to_owned(), Vec::new())).collect(),
            waiting: VecDeque::new(),
            said: 0,
            said_again: 0,
            notices: Vec::new(),
        }
    }

    /// Comes into all rooms, to a server that has just been started. Says whether it goes on with
    /// the history that was seen. Then nothing was missed, and what did not come back is said
    /// again; else all is forgotten but what the server tells.
    pub fn come(&mut self, server: SocketAddr) -> bool {
        let mut request = format!("ws://{server}/").into_client_request().unwrap();
        let dialect = SUBPROTOCOL.parse().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", dialect);
        let (socket, _) = tungstenite::client(request, tcp(server)).expect("the server upgrades");
        self.socket = Some(socket);
        self.notices.clear();
        let known = self.epoch.take();
        let (nick, session) = (&self.name, self.session.take());
        self.send(&json!({ "type": "hello", "nick": nick, "session": session })).unwrap();
        while self.epoch.is_none() {
            self.listen().expect("the server welcomes");
        }
        for room in ROOMS {
            self.join(room, known.as_ref());
        }
        for (id, room) in self.waiting.clone() {
            // A server that is killed takes nothing, and is noticed by who listens.
            let _ = self.send(&say(&id, room));
            self.said_again += 1;
        }
        known.is_none_or(|known| Some(known) == self.epoch)
    }

    /// Talks as fast as words come back, until the server is gone.
    pub fn talk(&mut self) -> Broken {
        loop {
            while self.waiting.len() < UNDER_WAY {
                if self.say().is_err() {
                    break;
                }
            }
            if self.listen().is_err() {
                return Broken;
            }
        }
    }

    /// Says something in one of the rooms.
    pub fn say(&mut self) -> Result<(), Broken> {
        let room = ROOMS[self.random.random_range(0..ROOMS.len())];
        let id = format!("{}-{}", self.name.replace(' ', "-"), self.said);
        self.said += 1;
        self.waiting.push_back((id.clone(), room));
        self.send(&say(&id, room))
    }

    /// Waits until all has come back that was said.
    pub fn hear_own_words(&mut self) {
        while !self.waiting.is_empty() {
            self.listen().expect("the server goes on");
        }
    }

    /// Listens until there were so many notices.
    pub fn hear_notices(&mut self, count: usize) {
        while self.notices.len() < count {
            self.listen().expect("the server goes on");
        }
    }

    /// Hears all that was said so far.
    pub fn catch_up(&mut self) {
        self.send(&json!({ "type": "ping" })).unwrap();
        while !matches!(self.listen().expect("the server goes on"), Event::Pong) {}
    }

    /// Reads a page back, before a message. `None` when the server cannot read just now.
    pub fn read_back(&mut self, room: &str, before: u64, limit: usize) -> Option<Vec<Message>> {
        let request = json!({ "type": "history", "room": room, "before": before, "limit": limit });
        self.send(&request).unwrap();
        loop {
            match self.listen().expect("the server goes on") {
                Event::History { messages } => return Some(messages),
                Event::Error { code, .. } if code == "unavailable" => return None,
                Event::Error { code, message } => panic!("{code}: {message}"),
                _ => {}
            }
        }
    }

    /// Comes into a room once more, as somebody would who has everything up to a message. Returns
    /// the rest, if that is what the server says that it is.
    pub fn go_on_after(&mut self, room: &str, seq: u64) -> Option<Vec<Message>> {
        self.send(&json!({ "type": "part", "room": room })).unwrap();
        let (mut rest, mut is_whole, mut after) = (Vec::new(), true, seq);
        loop {
            let join = json!({ "type": "join", "room": room, "epoch": self.epoch, "after": after });
            self.send(&join).unwrap();
            // What cannot be read just now is no gap.
            let joined = self.hear_joined()?;
            is_whole &= joined.recovered;
            after = joined.messages.last().map_or(after, |it| it.seq);
            rest.extend(joined.messages);
            if !joined.more {
                return is_whole.then_some(rest);
            }
        }
    }

    /// Goes at once.
    pub fn go(&mut self) {
        self.socket = None;
    }

    fn join(&mut self, room: &'static str, known: Option<&String>) {
        let mut join = json!({ "type": "join", "room": room });
        if let Some(epoch) = known {
            join["epoch"] = json!(epoch);
            join["after"] = json!(self.seen[room].len());
        }
        self.send(&join).unwrap();
        let joined = self.hear_joined().expect("it can be read");
        assert_eq!((joined.room.as_str(), Some(&joined.epoch)), (room, self.epoch.as_ref()));
        let (has, seq) = (self.seen[room].len(), joined.seq);
        let is_known = known == Some(&joined.epoch);
        assert_eq!(joined.recovered, is_known, "{} has {has} of {room}, and it {seq}", self.name);
        if !is_known {
            self.forget(room);
        }
        for message in joined.messages {
            self.hear(message);
        }
        if joined.more {
            return self.join(room, Some(&joined.epoch));
        }
        assert_eq!(self.seen[room].len() as u64, seq, "{room} is not whole");
    }

    fn hear_joined(&mut self) -> Option<Joined> {
        loop {
            match self.listen().expect("the server lets us in") {
                Event::Joined(joined) => return Some(joined),
                Event::Error { code, .. } if code == "unavailable" => return None,
                Event::Error { code, message } => panic!("{code}: {message}"),
                _ => {}
            }
        }
    }

    /// This is another history: what was said is not to be said in it.
    fn forget(&mut self, room: &str) {
        self.seen.insert(room.to_owned(), Vec::new());
        self.waiting.retain(|(_, other)| *other != room);
    }

    fn send(&mut self, request: &Value) -> Result<(), Broken> {
        let socket = self.socket.as_mut().expect("it has come");
        socket.send(tungstenite::Message::text(request.to_string())).map_err(|_| Broken)
    }

    fn listen(&mut self) -> Result<Event, Broken> {
        let socket = self.socket.as_mut().expect("it has come");
        let text = match socket.read() {
            Ok(tungstenite::Message::Text(text)) => text,
            // The end in order, or that of somebody who is cut.
            Ok(tungstenite::Message::Close(frame)) => {
                let code = frame.map(|it| u16::from(it.code));
                assert_eq!(code, Some(1001), "{} is closed", self.name);
                return Err(Broken);
            }
            Ok(_) => return Ok(Event::Other),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                panic!("nothing comes any more for {}", self.name)
            }
            Err(_) => return Err(Broken),
        };
        let event = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Ok(self.take(event))
    }

    fn take(&mut self, event: Event) -> Event {
        match &event {
            Event::Welcome { epoch, session, resumed } => {
                assert!(!resumed, "a session does not outlive its server");
                (self.epoch, self.session) = (Some(epoch.clone()), Some(session.clone()));
            }
            Event::Message(message) => self.hear(message.clone()),
            Event::Notice { level } => self.notices.push(level.clone()),
            _ => {}
        }
        event
    }

    /// The next message of its room.
    fn hear(&mut self, message: Message) {
        let room = self.seen.get_mut(&message.room).expect("it is one of the rooms");
        let number = room.len() as u64 + 1;
        assert_eq!(message.seq, number, "{} misses or repeats: {message:?}", self.name);
        self.waiting.retain(|(id, _)| *id != message.id);
        room.push(message);
    }
}

fn say(id: &str, room: &str) -> Value {
    json!({ "type": "say", "room": room, "id": id, "text": format!("this is {id}") })
}
