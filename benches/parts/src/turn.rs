//! Turns of the broadcaster.
//!
//! The real loop runs in this one thread. Before each turn it asks the history for its next
//! deadline. A [`Script`] in place of the history puts the inputs of the turn into the inbox. The
//! last turn is counted.

use std::net::{Ipv4Addr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use http::HeaderMap;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::broadcaster::broadcast;
use crate::broadcaster::event::Request;
use crate::broadcaster::history::{HistoryQueue, HistoryWriter, OpenedHistory};
use crate::broadcaster::inbox::{Arrival, ClientMessage, INBOX_MAX, Input};
use crate::cases::{counting_begins, counting_ends};
use crate::chat::{
    ANSWER_BYTES_MAX, Chat, ClientId, Level, Message, NameChange, Nickname, Quota, RoomName, Text,
};
use crate::client::{TEXT, connect, discard, encode_message, read_all};
use crate::limits::Limits;
use crate::protocol::json::parse;
use crate::protocol::{Dialect, Handshake};

/// Number of messages before the counted turn: as many as a room holds.
const MESSAGES_BEFORE: usize = 500;
/// Number of inputs in a turn that is not counted. Their deliveries fit into any socket.
const INPUTS_PER_TURN: usize = 250;
/// The text of the counted turn. It is as long as the text before.
const COUNTED_TEXT: &str = "it is closed; at the other one, then, half past 8?";

/// Delivers messages of some members to all members of a room in one turn.
pub(crate) fn spread(messages: usize, members: usize, dialect: Dialect) {
    let mut room = TestRoom::with(members, dialect);
    let said = (0..messages).map(|number| room.message(COUNTED_TEXT, MESSAGES_BEFORE + number));
    room.turns.push(said.collect());
    let heard = room.play();
    let hears_all = |it: &String| it.matches(COUNTED_TEXT).count() == messages;
    assert!(heard.iter().all(hears_all), "each member receives every text");
}

/// Joins a room.
pub(crate) fn join(members: usize) {
    let mut room = TestRoom::with(members, Dialect::Json);
    let mut before = room.arrival();
    let join = before.pop();
    room.turns.extend([before, join.into_iter().collect()]);
    let heard = room.play();
    let (newcomer, others) = heard.split_last().expect("a member has joined");
    assert!(newcomer.contains(r#""joined""#) && newcomer.contains(TEXT));
    assert!(others.iter().all(|it| it.matches(r#""arrived""#).count() == 1));
}

/// A room, its members by number, and the turns to play.
struct TestRoom {
    dialect: Dialect,
    far_ends: Vec<TcpStream>,
    turns: Vec<Vec<Input>>,
}

impl TestRoom {
    /// Fills a room with members and with messages.
    fn with(members: usize, dialect: Dialect) -> Self {
        let limit = getrlimit(Resource::Nofile);
        // With too few descriptors, `connect` fails and the error says so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        let mut room = Self { dialect, far_ends: Vec::new(), turns: Vec::new() };
        let arrivals: Vec<_> = (0..members).flat_map(|_| room.arrival()).collect();
        let said = (0..MESSAGES_BEFORE).map(|number| room.message(TEXT, number));
        let mut inputs = arrivals.into_iter().chain(said).peekable();
        let mut turns = Vec::new();
        while inputs.peek().is_some() {
            turns.push(inputs.by_ref().take(INPUTS_PER_TURN).collect());
        }
        drop(inputs);
        Self { turns, ..room }
    }

    /// Returns the inputs of the next member that arrives.
    fn arrival(&mut self) -> Vec<Input> {
        let number = self.far_ends.len();
        let (outbox, far_end) = connect().expect("there are sockets enough");
        self.far_ends.push(far_end);
        let nickname = format!("ana-{number:04}");
        let (handshake, requests) = match self.dialect {
            Dialect::Plain => {
                let wish = Nickname::parse(&nickname).ok();
                (Handshake::Plain { room: RoomName::lobby(), wish }, Vec::new())
            }
            Dialect::Json => {
                let hello = format!(r#"{{"type":"hello","nick":"{nickname}"}}"#);
                (Handshake::Json, vec![hello, r#"{"type":"join","room":"lobby"}"#.to_owned()])
            }
        };
        let client = id_of(number);
        let address = Ipv4Addr::LOCALHOST.into();
        let arrival =
            Arrival { client, address, handshake, request: request(), outbox: Arc::new(outbox) };
        let arrived = Input::Connected(Box::new(arrival));
        let asked = requests.iter().map(|request| asked(client, request));
        std::iter::once(arrived).chain(asked).collect()
    }

    /// Returns a message of the next member in turn.
    fn message(&self, words: &str, number: usize) -> Input {
        let client = id_of(number % self.far_ends.len());
        match self.dialect {
            Dialect::Plain => {
                let text = Text::parse(words, words.len()).expect("the words are short");
                Input::Messages { client, messages: vec![ClientMessage::Text(text)] }
            }
            Dialect::Json => asked(client, &encode_message(words, number, Dialect::Json)),
        }
    }

    /// Plays all turns. Returns the bytes that each member was sent in the last one.
    fn play(self) -> Vec<String> {
        let (inbox, inputs) = bounded(INBOX_MAX);
        let (into, turns) = bounded(self.turns.len());
        for turn in self.turns {
            into.send(turn).expect("there is room for all of them");
        }
        let far_ends: Arc<[_]> = self.far_ends.into();
        let answers = inbox.clone();
        let script = Script { inbox, turns, far_ends: far_ends.clone() };
        let history = OpenedHistory {
            epoch: format!("{:016x}", 1),
            rooms: Vec::new(),
            floor: 0,
            names: Vec::new(),
            writer: Box::new(script),
            // Never used: all messages are in memory.
            queue: HistoryQueue { reads: bounded(0).0, searches: bounded(0).0 },
            can_search: true,
        };
        let quota = Quota {
            people_max: 5000,
            people_per_network_max: NonZeroUsize::new(5000),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        broadcast(inputs, answers, &Limits::default(), quota, Some(history));
        far_ends.iter().map(read_all).collect()
    }
}

/// Returns the request of a client, without headers.
pub(crate) fn request() -> Arc<Request> {
    Arc::new(Request::new("/".to_owned(), HeaderMap::new()))
}

fn id_of(number: usize) -> ClientId {
    ClientId(number as u64 + 1)
}

fn asked(client: ClientId, request: &str) -> Input {
    let asked = parse(request, Limits::default().text_bytes_max);
    Input::Messages { client, messages: vec![ClientMessage::Request(asked)] }
}

/// Takes the place of the history. It stores nothing, and supplies the inputs.
struct Script {
    inbox: Sender<Input>,
    turns: Receiver<Vec<Input>>,
    far_ends: Arc<[TcpStream]>,
}

impl HistoryWriter for Script {
    fn take(&mut self, _: &Arc<Message>) {}

    fn take_names(&mut self, _: Vec<NameChange>) {}

    fn end_turn(&mut self, _: &Chat, _: Instant) -> Option<(&'static str, Level)> {
        None
    }

    fn next_tick(&self) -> Option<Instant> {
        let Ok(turn) = self.turns.try_recv() else {
            counting_ends();
            self.inbox.send(Input::End).expect("the broadcaster is there");
            return None;
        };
        self.far_ends.iter().for_each(discard);
        for input in turn {
            self.inbox.send(input).expect("the broadcaster is there");
        }
        if self.turns.is_empty() {
            counting_begins();
        }
        None
    }
}
