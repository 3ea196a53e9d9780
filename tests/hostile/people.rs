//! People whose connections break all the time, and who miss nothing: a fault run, of any length.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use socket2::SockRef;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Error, Message, WebSocket};

use crate::support::program::{FREE_PORTS, Program, chinwag};
use crate::support::{DEADLINE, tcp, text_frame};

const ROOMS: [&str; 2] = ["lobby", "kitchen"];

/// How much is said and broken.
#[derive(Clone, Copy)]
pub struct Plan {
    pub people: usize,
    pub texts_each: usize,
    pub duration: Duration,
    /// How long a connection lives, on the average.
    pub life: Duration,
}

/// What came of it, over all people.
#[derive(Default)]
struct Tally {
    breaks: AtomicUsize,
    recoveries: AtomicUsize,
    gaps: AtomicUsize,
    heard: AtomicUsize,
}

/// Somebody, over all their connections.
struct Person<'a> {
    number: usize,
    address: SocketAddr,
    plan: Plan,
    random: StdRng,
    tally: &'a Tally,
    session: Option<String>,
    epoch: String,
    /// What was heard in each room, by number: who said it, and its name.
    heard: BTreeMap<&'static str, BTreeMap<u64, (String, String)>>,
    /// The newest number in each room, once it was joined.
    newest: BTreeMap<&'static str, u64>,
    /// What was sent and has not come back.
    waiting: VecDeque<(String, &'static str)>,
    said: usize,
}

/// A connection that broke, which is what happens here.
struct Broken;

impl Person<'_> {
    /// Goes on until everybody's texts are heard, over as many connections as it takes.
    fn live(&mut self, everybody_is_in: &Barrier) {
        let mut first = self.connect().expect("nothing breaks yet");
        let greeted = self.greet(&mut first).is_ok();
        while greeted && self.newest.len() < ROOMS.len() {
            assert!(self.listen(&mut first).is_ok(), "nothing breaks yet");
        }
        everybody_is_in.wait();
        drop(first);
        let start = Instant::now();
        let deadline = start + self.plan.duration + DEADLINE;
        while self.heard_count() < self.plan.people * self.plan.texts_each {
            let gaps = self.tally.gaps.load(Ordering::Relaxed);
            assert!(
                Instant::now() < deadline,
                "{} heard {} texts; {gaps} joins had a gap",
                self.number,
                self.heard_count(),
            );
            if self.live_once(start).is_err() {
                self.tally.breaks.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn heard_count(&self) -> usize {
        self.heard.values().map(BTreeMap::len).sum()
    }

    fn live_once(&mut self, start: Instant) -> Result<(), Broken> {
        let mut socket = self.connect().ok_or(Broken)?;
        self.greet(&mut socket)?;
        let ends = self.random.random_range(0.5..1.5) * self.plan.life.as_secs_f64();
        let ends = Instant::now() + Duration::from_secs_f64(ends);
        for (id, room) in self.waiting.clone() {
            self.say(&mut socket, &id, room)?;
        }
        while self.heard_count() < self.plan.people * self.plan.texts_each {
            // In the end everything is left in peace, so that there is an end.
            if Instant::now() > ends && start.elapsed() < self.plan.duration {
                self.break_off(socket);
                return Err(Broken);
            }
            self.say_what_is_due(&mut socket, start)?;
            self.listen(&mut socket)?;
        }
        Ok(())
    }

    fn connect(&self) -> Option<WebSocket<TcpStream>> {
        let mut request = format!("ws://{}/", self.address).into_client_request().unwrap();
        let dialect = "chinwag.v1".parse().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", dialect);
        tungstenite::client(request, tcp(self.address)).ok().map(|(socket, _)| socket)
    }

    fn greet(&mut self, socket: &mut WebSocket<TcpStream>) -> Result<(), Broken> {
        let mut hello = json!({ "type": "hello", "nick": format!("person {}", self.number) });
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

    fn say_what_is_due(
        &mut self,
        socket: &mut WebSocket<TcpStream>,
        start: Instant,
    ) -> Result<(), Broken> {
        let progress = start.elapsed().as_secs_f64() / self.plan.duration.as_secs_f64();
        let due = progress * self.plan.texts_each as f64;
        // They take turns, so that what is said is spread over the whole time.
        let turn = self.number as f64 / self.plan.people as f64;
        while self.said < self.plan.texts_each && self.said as f64 + turn <= due {
            let id = format!("{}-{}", self.number, self.said);
            let room = ROOMS[self.random.random_range(0..ROOMS.len())];
            self.said += 1;
            self.waiting.push_back((id.clone(), room));
            self.say(socket, &id, room)?;
        }
        Ok(())
    }

    fn say(&self, socket: &mut WebSocket<TcpStream>, id: &str, room: &str) -> Result<(), Broken> {
        send(socket, &say(id, room))
    }

    /// Ends the connection with a reset, more often than not in the middle of a frame.
    fn break_off(&mut self, mut socket: WebSocket<TcpStream>) {
        if let Some((id, room)) = self.waiting.front() {
            let frame = text_frame(&say(id, room).to_string());
            let part = self.random.random_range(1..frame.len());
            let _ = socket.get_mut().write_all(&frame[..part]);
        }
        SockRef::from(socket.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    }

    fn listen(&mut self, socket: &mut WebSocket<TcpStream>) -> Result<(), Broken> {
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
            "joined" => self.enter(event),
            "message" => {
                let room = room_of(event);
                // Its own words once more, which it sent once more.
                let is_known = self.newest[room] >= event["seq"].as_u64().unwrap();
                if is_known {
                    let (_, id) = &self.heard[room][&event["seq"].as_u64().unwrap()];
                    assert!(id.starts_with(&format!("{}-", self.number)), "repeated: {event}");
                    assert_eq!(id, event["id"].as_str().unwrap());
                } else {
                    self.hear(room, event);
                }
                self.waiting.retain(|(id, _)| id != event["id"].as_str().unwrap());
            }
            "error" => panic!("{} got {event}", self.number),
            _ => {}
        }
    }

    fn enter(&mut self, joined: &Value) {
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
                assert!(messages.is_empty(), "everybody comes before anything is said");
                self.newest.insert(room, 0);
            }
        }
        for message in messages {
            self.hear(room, message);
            self.waiting.retain(|(id, _)| id != message["id"].as_str().unwrap());
        }
        assert_eq!(self.newest[room], joined["seq"].as_u64().unwrap());
    }

    fn hear(&mut self, room: &'static str, message: &Value) {
        let seq = message["seq"].as_u64().unwrap();
        assert_eq!(seq, self.newest[room] + 1, "{} misses or repeats: {message}", self.number);
        self.newest.insert(room, seq);
        let word = |member: &str| message[member].as_str().unwrap().to_owned();
        self.heard.entry(room).or_default().insert(seq, (word("nick"), word("id")));
        self.tally.heard.fetch_add(1, Ordering::Relaxed);
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

/// Everybody talks and breaks; all hear the same, once and in one order, or are told of the gap.
pub fn run(plan: Plan, seed: u64) {
    let arguments = ["--rate", "0", "--max-clients-per-address", "0"];
    let program = Program::start(chinwag().args(FREE_PORTS).args(arguments));
    let tally = Tally::default();
    let everybody_is_in = Barrier::new(plan.people);
    let transcripts: Vec<_> = std::thread::scope(|scope| {
        let live = |number: usize| {
            let mut person = Person {
                number,
                address: program.websocket(),
                plan,
                random: StdRng::seed_from_u64(seed.wrapping_add(number as u64)),
                tally: &tally,
                session: None,
                epoch: String::new(),
                heard: BTreeMap::new(),
                newest: BTreeMap::new(),
                waiting: VecDeque::new(),
                said: 0,
            };
            let everybody_is_in = &everybody_is_in;
            move || {
                person.live(everybody_is_in);
                person.heard
            }
        };
        let people: Vec<_> = (0..plan.people).map(|number| scope.spawn(live(number))).collect();
        people.into_iter().map(|person| person.join().unwrap()).collect()
    });
    let ids: HashSet<_> = transcripts[0].values().flat_map(|room| room.values()).collect();
    assert_eq!(ids.len(), plan.people * plan.texts_each, "everything was said, and once");
    for transcript in &transcripts {
        assert_eq!(transcript, &transcripts[0], "all heard the same, in one order");
    }
    let count = |tally: &AtomicUsize| tally.load(Ordering::Relaxed);
    println!(
        "{} people, {} texts, {} deliveries: {} connections broke, {} joins were recovered, {} had \
         a gap; none was lost, repeated or out of order",
        plan.people,
        ids.len(),
        count(&tally.heard),
        count(&tally.breaks),
        count(&tally.recoveries),
        count(&tally.gaps),
    );
    assert!(count(&tally.recoveries) > plan.people, "connections broke often enough");
}
