//! The fan-out with real outboxes over real sockets, against what the deliveries mean
//! ([`DeliveryModel`]).

use std::io::{Cursor, Read as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tungstenite::WebSocket;
use tungstenite::protocol::{Role, WebSocketConfig};

use super::super::outbox::Drained;
use super::*;
use crate::chat::delivery_model::DeliveryModel;
use crate::chat::{
    Command, HistoryLimits, Id, Kind, LeaveReason, NewMessage, Nickname, Now, Quota, Rules, Since,
    Text, Token, Turn,
};
use crate::net::socket::Transport;

const ROOMS: [&str; 2] = ["lobby", "kitchen"];
/// The even ones are plain, the odd ones speak JSON.
const PEOPLE: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    /// Plain: to come in. JSON: to say hello, to come back or to take over, and to join.
    Come {
        room: usize,
    },
    Part {
        room: usize,
    },
    Speak {
        room: usize,
        bytes: usize,
    },
    /// The run of the room is filled up to so many bytes, so that what follows ends the turn.
    Fill {
        room: usize,
        left: usize,
    },
    Typing {
        room: usize,
    },
    Rename {
        number: usize,
    },
    Rooms,
    Break,
    EndTurn,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let room = || 0..ROOMS.len();
    let bytes = prop::sample::select(vec![0, 10, 10, 10, 1000, 8192]);
    let step = prop_oneof![
        8 => room().prop_map(|room| Step::Come { room }),
        1 => room().prop_map(|room| Step::Part { room }),
        8 => (room(), bytes).prop_map(|(room, bytes)| Step::Speak { room, bytes }),
        2 => (room(), 0_usize..150).prop_map(|(room, left)| Step::Fill { room, left }),
        2 => room().prop_map(|room| Step::Typing { room }),
        1 => (0_usize..20).prop_map(|number| Step::Rename { number }),
        1 => Just(Step::Rooms),
        1 => Just(Step::Break),
        2 => Just(Step::EndTurn),
    ];
    vec((0..PEOPLE, step), 1..60)
}

/// One end of a socket pair, and what is to come out of the other.
struct Connection {
    client: ClientId,
    dialect: Dialect,
    outbox: Arc<Outbox>,
    stream: TcpStream,
    due: Vec<u8>,
    /// How many notices were due when a turn ended, or when one came that was for it alone. Between
    /// two of these the rooms come in any order.
    stops: Vec<usize>,
    notices: usize,
    /// It is being closed: what was due to it in that turn comes or does not.
    is_replaced: bool,
}

impl Connection {
    fn expect(&mut self, in_plain: &[u8], in_json: &[u8], alone: bool) {
        self.due.extend(if self.dialect == Dialect::Plain { in_plain } else { in_json });
        if alone {
            self.stops.extend([self.notices, self.notices + 1]);
        }
        self.notices += 1;
    }
}

struct Stage {
    chat: Chat,
    fanout: Fanout,
    model: DeliveryModel,
    random: StdRng,
    now: Now,
    listener: TcpListener,
    connections: Vec<Connection>,
    /// The connection of each person, if there is one.
    present: [Option<ClientId>; PEOPLE],
    sessions: [Option<Token>; PEOPLE],
    words: usize,
}

fn host() -> ServerInfo {
    ServerInfo {
        epoch: "e1".to_owned(),
        has_search: false,
        text_bytes_max: 8192,
        burst: 10,
        per_second: 4,
    }
}

fn room(index: usize) -> RoomName {
    RoomName::parse(ROOMS[index]).unwrap()
}

impl Stage {
    fn new() -> Self {
        let history = HistoryLimits { lines_max: 3, ..HistoryLimits::default() };
        // So little fits into an answer that some who come back get what they missed in parts.
        let quota = Quota { answer_bytes_max: 2000, ..Rules::simple().quota };
        let rules = Rules { history, quota, ..Rules::simple() };
        Self {
            chat: Chat::new(rules),
            fanout: Fanout::new(host(), None, crossbeam_channel::bounded(1).0, 512 * 1024),
            model: DeliveryModel::default(),
            random: StdRng::seed_from_u64(1),
            now: Now { instant: Instant::now(), unix_ms: 0 },
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            connections: vec![],
            present: [None; PEOPLE],
            sessions: [None; PEOPLE],
            words: 0,
        }
    }

    fn play(&mut self, who: usize, step: &Step) {
        match (step, self.present[who]) {
            (Step::EndTurn, _) => self.end_turn(),
            (Step::Come { room: at }, None) if who % 2 == 0 => {
                let (client, mut out) = (self.connect(who, Dialect::Plain), vec![]);
                let (now, random) = (self.now, &mut self.random);
                self.chat
                    .enter(client, room(*at), None, &mut Turn { now, random, out: &mut out })
                    .unwrap();
                self.carry_out(&out);
            }
            (Step::Come { room: at }, before) if who % 2 == 1 => {
                // Who is there asks once more, joins another room, or takes over.
                let client = match before.filter(|_| self.words % 3 > 0) {
                    Some(client) => client,
                    None => {
                        let client = self.connect(who, Dialect::Json);
                        self.ask(
                            client,
                            Command::Hello { wish: None, session: self.sessions[who] },
                        );
                        client
                    }
                };
                let since = Some(Since { epoch: "e1".to_owned(), after: self.words as u64 / 2 });
                self.ask(client, Command::Join { room: room(*at), since });
            }
            (Step::Speak { room, bytes }, Some(client)) => self.speak(client, *room, *bytes),
            (Step::Fill { room: at, left }, Some(client)) => {
                let run = self.fanout.runs.get(&room(*at));
                let filled = run.map_or(0, |run| run.plain.len().max(run.json.len()));
                let around = 150 + left;
                self.speak(client, *at, RUN_BYTES_MAX.saturating_sub(filled + around));
            }
            (Step::Break, Some(client)) => {
                self.present[who] = None;
                self.leave(client);
            }
            (step, Some(client)) if who % 2 == 1 => {
                let command = match step {
                    Step::Part { room: at } => Command::Part { room: room(*at) },
                    Step::Typing { room: at } => Command::Typing { room: room(*at) },
                    Step::Rename { number } => Command::Nick {
                        nickname: Nickname::parse(&format!("ana {number}")).unwrap(),
                    },
                    _ => Command::Rooms { after: None, limit: 100 },
                };
                self.ask(client, command);
            }
            _ => {}
        }
    }

    fn connect(&mut self, who: usize, dialect: Dialect) -> ClientId {
        let stream = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        let transport = Transport::new(self.listener.accept().unwrap().0).unwrap();
        let outbox = Arc::new(Outbox::new(Arc::new(transport), usize::MAX).unwrap());
        let client = ClientId(self.connections.len() as u64);
        self.fanout.add(client, dialect, outbox.clone());
        self.connections.push(Connection {
            client,
            dialect,
            outbox,
            stream,
            due: vec![],
            stops: vec![],
            notices: 0,
            is_replaced: false,
        });
        self.present[who] = Some(client);
        client
    }

    fn speak(&mut self, client: ClientId, at: usize, bytes: usize) {
        self.words += 1;
        let text = format!("{} {}", self.words, "x".repeat(bytes));
        let text = Text::parse(&text, usize::MAX).unwrap();
        if self.connection(client).dialect == Dialect::Plain {
            let mut out = vec![];
            let turn = &mut Turn { now: self.now, random: &mut self.random, out: &mut out };
            self.chat.say(client, text, turn);
            self.carry_out(&out);
        } else {
            let id = Id::parse(&format!("id-{}", self.words)).unwrap();
            self.ask(
                client,
                Command::Say(NewMessage { room: room(at), text, id, kind: Kind::Say }),
            );
        }
    }

    fn ask(&mut self, client: ClientId, command: Command) {
        let mut out = vec![];
        self.chat.apply(
            client,
            command,
            &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
        );
        self.carry_out(&out);
    }

    /// As the broadcaster does it.
    fn leave(&mut self, client: ClientId) {
        self.fanout.remove(client, &self.chat);
        self.model.remove(client);
        let mut out = vec![];
        self.chat.leave(
            client,
            LeaveReason::Error,
            &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
        );
        self.carry_out(&out);
    }

    fn carry_out(&mut self, out: &[Delivery]) {
        let tags = RequestTags { reference: Id::parse("ref"), id: None };
        for delivery in out {
            self.fanout.deliver(delivery, &tags, &self.chat);
            let told = self.model.carry_out(delivery, &self.chat);
            if let Some((_, notice)) = told.first() {
                let is_reply = matches!(delivery, Delivery::Reply { .. });
                let alone = !matches!(delivery, Delivery::Room { .. });
                let (mut in_plain, mut in_json) = (vec![], vec![]);
                plain::render(notice, &mut in_plain);
                let text = if is_reply {
                    json::reply(notice, &tags, &host())
                } else {
                    json::render(notice, &host())
                };
                append_text_frame(&mut in_json, |it| it.extend_from_slice(text.as_bytes()));
                for (client, _) in told {
                    self.connection(client).expect(&in_plain, &in_json, alone);
                }
            }
            match delivery {
                Delivery::Reply { client, notice: Notice::Welcome { session, .. } } => {
                    let who = self.present.iter().position(|it| *it == Some(*client)).unwrap();
                    self.sessions[who] = Some(*session);
                }
                Delivery::Replaced { client } => self.connection(*client).is_replaced = true,
                _ => {}
            }
        }
    }

    fn end_turn(&mut self) {
        self.fanout.end_turn(&self.chat);
        assert!(self.fanout.runs.is_empty());
        for connection in &mut self.connections {
            connection.stops.push(connection.notices);
        }
    }

    fn connection(&mut self, client: ClientId) -> &mut Connection {
        self.connections.iter_mut().find(|it| it.client == client).unwrap()
    }

    /// Everybody got what was due, each notice once and in its place.
    fn end(mut self) {
        self.end_turn();
        for connection in self.connections {
            let Connection { client, outbox, stream, due, stops, is_replaced, .. } = connection;
            let (mut got, mut due) = (texts(read_to_end(&outbox, stream)), texts(due));
            if is_replaced {
                for room in ROOMS {
                    let of = |it: &&Told| it.room == Some(room);
                    let due: Vec<_> = due.iter().filter(of).collect();
                    let got: Vec<_> = got.iter().filter(of).collect();
                    assert!(due.starts_with(&got), "{client:?}: {got:?} of {due:?}");
                }
                continue;
            }
            assert_eq!(got.len(), due.len(), "{client:?}");
            for (start, end) in
                std::iter::once(0).chain(stops.iter().copied()).zip(stops.iter().copied())
            {
                got[start..end].sort_by_key(|it| it.room);
                due[start..end].sort_by_key(|it| it.room);
            }
            assert_eq!(got, due, "{client:?}");
        }
    }
}

/// Drains while the client reads, and returns all that it got.
fn read_to_end(outbox: &Outbox, mut stream: TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut got = vec![];
            stream.read_to_end(&mut got).map(|_| got)
        });
        while outbox.drain().unwrap() != Drained::All {
            std::thread::yield_now();
        }
        outbox.transport.finish();
        reader.join().unwrap().unwrap()
    })
}

/// What a client was told. Of a long text the start and the length do.
#[derive(Debug, PartialEq)]
struct Told {
    room: Option<&'static str>,
    start: String,
    length: usize,
}

/// What is in these frames.
fn texts(frames: Vec<u8>) -> Vec<Told> {
    let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
    let mut socket = WebSocket::from_raw_socket(Cursor::new(frames), Role::Client, Some(config));
    let messages = std::iter::from_fn(|| socket.read().ok());
    let told = messages.map(|message| {
        let text = message.into_text().unwrap();
        let room = ROOMS.into_iter().find(|room| text.contains(&format!("\"room\":\"{room}\"")));
        Told { room, start: text.chars().take(100).collect(), length: text.len() }
    });
    told.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn everybody_gets_what_is_delivered_in_its_order(steps in steps()) {
        let mut stage = Stage::new();
        for (who, step) in &steps {
            stage.play(*who, step);
            if stage.fanout.is_long() {
                stage.end_turn();
            }
        }
        stage.end();
    }
}
