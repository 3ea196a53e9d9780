//! Clients whose connections break all the time and that miss no message: a fault run of any
//! length.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tungstenite::{Error, Message, WebSocket};

use crate::frames::text_frame;
use crate::verifying_client::Broken;
use crate::{DEADLINE, ServerProcess, connect_json, reset, tcp};

const ROOMS: [&str; 2] = ["lobby", "kitchen"];

/// The size of a fault run.
#[derive(Clone, Copy)]
pub struct FaultRun {
    pub clients: usize,
    pub texts_each: usize,
    pub duration: Duration,
    /// Mean life of a connection.
    pub connection_life: Duration,
}

/// Counts over all clients.
#[derive(Default)]
struct Tally {
    breaks: AtomicUsize,
    recoveries: AtomicUsize,
    gaps: AtomicUsize,
    received: AtomicUsize,
}

/// A client over all its connections.
struct ReconnectingClient<'a> {
    number: usize,
    server: SocketAddr,
    run: FaultRun,
    random: StdRng,
    tally: &'a Tally,
    session: Option<String>,
    epoch: String,
    /// The sender and the id of each message, by room and number.
    received: BTreeMap<&'static str, BTreeMap<u64, (String, String)>>,
    /// The newest number in each room that it has joined.
    newest: BTreeMap<&'static str, u64>,
    /// Ids and rooms of the messages that have not come back.
    unconfirmed: VecDeque<(String, &'static str)>,
    sent: usize,
}

impl ReconnectingClient<'_> {
    /// Runs until all texts of all clients have arrived, over as many connections as that takes.
    fn run(&mut self, all_have_joined: &Barrier) {
        let mut first = self.connect().expect("no connection breaks yet");
        let greeted = self.greet(&mut first).is_ok();
        while greeted && self.newest.len() < ROOMS.len() {
            assert!(self.receive(&mut first).is_ok(), "no connection breaks yet");
        }
        all_have_joined.wait();
        drop(first);
        let start = Instant::now();
        let deadline = start + self.run.duration + DEADLINE;
        while !self.has_received_all() {
            let gaps = self.tally.gaps.load(Ordering::Relaxed);
            assert!(
                Instant::now() < deadline,
                "{} has {} texts; {gaps} joins had a gap",
                self.number,
                self.received_count(),
            );
            if self.run_once(start).is_err() {
                self.tally.breaks.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn received_count(&self) -> usize {
        self.received.values().map(BTreeMap::len).sum()
    }

    fn has_received_all(&self) -> bool {
        self.received_count() == self.run.clients * self.run.texts_each
    }

    fn run_once(&mut self, start: Instant) -> Result<(), Broken> {
        let mut socket = self.connect().ok_or(Broken)?;
        self.greet(&mut socket)?;
        let life = self.run.connection_life.mul_f64(self.random.random_range(0.5..1.5));
        let ends = Instant::now() + life;
        for (id, room) in self.unconfirmed.clone() {
            send(&mut socket, &say(&id, room))?;
        }
        while !self.has_received_all() {
            // The last connections do not break, so that the run ends.
            if Instant::now() > ends && start.elapsed() < self.run.duration {
                self.break_connection(socket);
                return Err(Broken);
            }
            self.send_due(&mut socket, start)?;
            self.receive(&mut socket)?;
        }
        Ok(())
    }

    fn connect(&self) -> Option<WebSocket<TcpStream>> {
        connect_json(tcp(self.server))
    }

    fn greet(&mut self, socket: &mut WebSocket<TcpStream>) -> Result<(), Broken> {
        let mut hello = json!({ "type": "hello", "nick": format!("client {}", self.number) });
        if let Some(session) = &self.session {
            hello["session"] = json!(session);
        }
        send(socket, &hello)?;
        for room in ROOMS {
            let mut join = json!({ "type": "join", "room": room });
            if let Some(newest) = self.newest.get(room) {
                join["epoch"] = json!(self.epoch);
                join["after"] = json!(newest);
            }
            send(socket, &join)?;
        }
        Ok(())
    }

    fn send_due(
        &mut self,
        socket: &mut WebSocket<TcpStream>,
        start: Instant,
    ) -> Result<(), Broken> {
        let progress = start.elapsed().as_secs_f64() / self.run.duration.as_secs_f64();
        let due = progress * self.run.texts_each as f64;
        // The clients take turns, so that the texts are spread over the whole time.
        let turn = self.number as f64 / self.run.clients as f64;
        while self.sent < self.run.texts_each && self.sent as f64 + turn <= due {
            let id = format!("{}-{}", self.number, self.sent);
            let room = ROOMS[self.random.random_range(0..ROOMS.len())];
            self.sent += 1;
            self.unconfirmed.push_back((id.clone(), room));
            send(socket, &say(&id, room))?;
        }
        Ok(())
    }

    /// Resets the connection, in most cases in the middle of a frame.
    fn break_connection(&mut self, mut socket: WebSocket<TcpStream>) {
        if let Some((id, room)) = self.unconfirmed.front() {
            let frame = text_frame(&say(id, room).to_string());
            let part = self.random.random_range(1..frame.len());
            let _ = socket.get_mut().write_all(&frame[..part]);
        }
        reset(socket.into_inner());
    }

    fn receive(&mut self, socket: &mut WebSocket<TcpStream>) -> Result<(), Broken> {
        socket.get_ref().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        match socket.read() {
            Ok(Message::Text(text)) => self.take(&serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(frame)) => panic!("{} was closed: {frame:?}", self.number),
            Ok(_) => {}
            Err(Error::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Err(Broken),
        }
        Ok(())
    }

    fn take(&mut self, event: &Value) {
        match event["type"].as_str().unwrap() {
            "welcome" => {
                assert!(self.session.is_none() || event["resumed"] == true, "{event}");
                self.session = Some(event["session"].as_str().unwrap().to_owned());
                self.epoch = event["epoch"].as_str().unwrap().to_owned();
            }
            "joined" => self.take_joined(event),
            "message" => {
                let (room, seq) = (room_of(event), event["seq"].as_u64().unwrap());
                // A client that sends a text again receives the message again.
                if self.newest[room] >= seq {
                    let (_, id) = &self.received[room][&seq];
                    assert!(id.starts_with(&format!("{}-", self.number)), "repeated: {event}");
                    assert_eq!(id, event["id"].as_str().unwrap());
                } else {
                    self.record(room, event);
                }
                self.confirm(event);
            }
            "error" => panic!("{} got {event}", self.number),
            _ => {}
        }
    }

    fn take_joined(&mut self, joined: &Value) {
        let room = room_of(joined);
        let messages = joined["messages"].as_array().unwrap();
        match (self.newest.get(room), joined["recovered"].as_bool().unwrap()) {
            (Some(_), true) => {
                self.tally.recoveries.fetch_add(1, Ordering::Relaxed);
            }
            (Some(_), false) => {
                self.tally.gaps.fetch_add(1, Ordering::Relaxed);
                let first = messages.first().map(|it| it["seq"].as_u64().unwrap());
                self.newest
                    .insert(room, first.map_or(joined["seq"].as_u64().unwrap(), |it| it - 1));
            }
            (None, _) => {
                assert!(messages.is_empty(), "all clients join before the first message");
                self.newest.insert(room, 0);
            }
        }
        for message in messages {
            self.record(room, message);
            self.confirm(message);
        }
        assert_eq!(self.newest[room], joined["seq"].as_u64().unwrap());
    }

    /// Records a message, which must be the next of its room.
    fn record(&mut self, room: &'static str, message: &Value) {
        let seq = message["seq"].as_u64().unwrap();
        assert_eq!(seq, self.newest[room] + 1, "{} misses or repeats: {message}", self.number);
        self.newest.insert(room, seq);
        let text = |member: &str| message[member].as_str().unwrap().to_owned();
        self.received.entry(room).or_default().insert(seq, (text("nick"), text("id")));
        self.tally.received.fetch_add(1, Ordering::Relaxed);
    }

    fn confirm(&mut self, message: &Value) {
        self.unconfirmed.retain(|(id, _)| id != message["id"].as_str().unwrap());
    }
}

fn say(id: &str, room: &str) -> Value {
    json!({ "type": "say", "room": room, "id": id, "text": format!("this is {id}") })
}

fn send(socket: &mut WebSocket<TcpStream>, request: &Value) -> Result<(), Broken> {
    socket.send(Message::text(request.to_string())).map_err(|_| Broken)
}

fn room_of(event: &Value) -> &'static str {
    ROOMS.into_iter().find(|room| *room == event["room"]).expect("one of the rooms")
}

/// Runs the clients, which send texts and break their connections. Checks that all receive the same
/// messages, once and in one order, or are told of the gap.
pub fn run(run: FaultRun, seed: u64) {
    let arguments = ["--rate", "0", "--max-clients-per-address", "0"];
    let program = ServerProcess::with(arguments);
    let tally = Tally::default();
    let all_have_joined = Barrier::new(run.clients);
    let transcripts: Vec<_> = std::thread::scope(|scope| {
        let start = |number: usize| {
            let mut client = ReconnectingClient {
                number,
                server: program.websocket(),
                run,
                random: StdRng::seed_from_u64(seed.wrapping_add(number as u64)),
                tally: &tally,
                session: None,
                epoch: String::new(),
                received: BTreeMap::new(),
                newest: BTreeMap::new(),
                unconfirmed: VecDeque::new(),
                sent: 0,
            };
            let all_have_joined = &all_have_joined;
            move || {
                client.run(all_have_joined);
                client.received
            }
        };
        let clients: Vec<_> = (0..run.clients).map(|number| scope.spawn(start(number))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let ids: HashSet<_> = transcripts[0].values().flat_map(|room| room.values()).collect();
    assert_eq!(ids.len(), run.clients * run.texts_each, "each text arrives once");
    for transcript in &transcripts {
        assert_eq!(transcript, &transcripts[0], "all receive the same, in one order");
    }
    let count = |tally: &AtomicUsize| tally.load(Ordering::Relaxed);
    println!(
        "{} clients, {} texts, {} deliveries: {} connections broke, {} joins were recovered, {} had \
         a gap; no text was lost, repeated or out of order",
        run.clients,
        ids.len(),
        count(&tally.received),
        count(&tally.breaks),
        count(&tally.recoveries),
        count(&tally.gaps),
    );
    assert!(count(&tally.recoveries) > run.clients, "connections broke often enough");
}
