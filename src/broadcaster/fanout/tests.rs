//! Compares the fan-out, with real outboxes over real sockets, with the meaning of the deliveries
//! ([`DeliveryModel`]).

use std::io::{Cursor, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tungstenite::WebSocket;
use tungstenite::protocol::{Role, WebSocketConfig};

use super::super::outbox::{Drained, Outbox};
use super::*;
use crate::chat::delivery_model::DeliveryModel;
use crate::chat::{
    Command, HistoryLimits, Id, Kind, LeaveReason, NewMessage, Nickname, Now, Quota, Rules, Since,
    Text, Token, Turn,
};
use crate::limits::Limits;
use crate::net::socket::Transport;

const ROOMS: [&str; 2] = ["lobby", "kitchen"];
/// Number of users. Even ones speak the plain dialect, odd ones JSON.
const USERS: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    /// A plain user connects. A JSON user connects, resumes or takes over its session, and joins.
    Join {
        room: usize,
    },
    Part {
        room: usize,
    },
    Say {
        room: usize,
        bytes: usize,
    },
    /// Fills the run of the room up to this number of bytes before its end, so that the next message
    /// ends the turn.
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
    /// The connection breaks.
    Disconnect,
    EndTurn,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let room = || 0..ROOMS.len();
    let bytes = prop::sample::select(vec![0, 10, 10, 10, 1000, 8192]);
    let step = prop_oneof![
        8 => room().prop_map(|room| Step::Join { room }),
        1 => room().prop_map(|room| Step::Part { room }),
        8 => (room(), bytes).prop_map(|(room, bytes)| Step::Say { room, bytes }),
        2 => (room(), 0_usize..150).prop_map(|(room, left)| Step::Fill { room, left }),
        2 => room().prop_map(|room| Step::Typing { room }),
        1 => (0_usize..20).prop_map(|number| Step::Rename { number }),
        1 => Just(Step::Rooms),
        1 => Just(Step::Disconnect),
        2 => Just(Step::EndTurn),
    ];
    vec((0..USERS, step), 1..60)
}

/// One end of a socket pair, and the bytes that are expected at the other.
struct Connection {
    client: ClientId,
    dialect: Dialect,
    outbox: Arc<Outbox>,
    stream: TcpStream,
    expected: Vec<u8>,
    /// Numbers of expected notices at the ends of turns, and before and after each notice for this
    /// client alone. Between two of these the order of the rooms is free.
    stops: Vec<usize>,
    notices: usize,
    /// The connection is being closed. The client may miss the last expected notices.
    is_replaced: bool,
}

impl Connection {
    fn expect(&mut self, plain: &[u8], json: &[u8], alone: bool) {
        self.expected.extend(if self.dialect == Dialect::Plain { plain } else { json });
        if alone {
            self.stops.extend([self.notices, self.notices + 1]);
        }
        self.notices += 1;
    }
}

struct FanoutTest {
    chat: Chat,
    fanout: Fanout,
    expected: DeliveryModel,
    random: StdRng,
    now: Now,
    listener: TcpListener,
    connections: Vec<Connection>,
    /// The connection of each user, if there is one.
    clients: [Option<ClientId>; USERS],
    sessions: [Option<Token>; USERS],
    texts: usize,
}

fn server_info() -> ServerInfo {
    ServerInfo::new(&Limits::default(), "e1", false)
}

fn room(index: usize) -> RoomName {
    RoomName::parse(ROOMS[index]).unwrap()
}

impl FanoutTest {
    fn new() -> Self {
        let history = HistoryLimits { lines_max: 3, ..HistoryLimits::default() };
        // Answers are so small that some users get their missed messages in parts.
        let quota = Quota { answer_bytes_max: 2000, ..Rules::simple().quota };
        let rules = Rules { history, quota, ..Rules::simple() };
        Self {
            chat: Chat::new(rules),
            fanout: Fanout::new(server_info(), None, crossbeam_channel::bounded(1).0, 512 * 1024),
            expected: DeliveryModel::default(),
            random: StdRng::seed_from_u64(1),
            now: Now { instant: Instant::now(), unix_ms: 0 },
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            connections: vec![],
            clients: [None; USERS],
            sessions: [None; USERS],
            texts: 0,
        }
    }

    fn run(&mut self, user: usize, step: &Step) {
        match (step, self.clients[user]) {
            (Step::EndTurn, _) => self.end_turn(),
            (Step::Join { room: at }, None) if user % 2 == 0 => {
                let (client, mut out) = (self.connect(user, Dialect::Plain), vec![]);
                let (now, random) = (self.now, &mut self.random);
                self.chat
                    .enter(client, room(*at), None, &mut Turn { now, random, out: &mut out })
                    .unwrap();
                self.carry_out(&out);
            }
            (Step::Join { room: at }, before) if user % 2 == 1 => {
                // A connected user joins again or elsewhere, or takes over its own session.
                let client = match before.filter(|_| self.texts % 3 > 0) {
                    Some(client) => client,
                    None => {
                        let client = self.connect(user, Dialect::Json);
                        self.request(
                            client,
                            Command::Hello { wish: None, session: self.sessions[user] },
                        );
                        client
                    }
                };
                let since = Some(Since { epoch: "e1".to_owned(), after: self.texts as u64 / 2 });
                self.request(client, Command::Join { room: room(*at), since });
            }
            (Step::Say { room, bytes }, Some(client)) => self.say(client, *room, *bytes),
            (Step::Fill { room: at, left }, Some(client)) => {
                let run = self.fanout.runs.get(&room(*at));
                let filled = run.map_or(0, |run| run.plain.len().max(run.json.len()));
                let around = 150 + left;
                self.say(client, *at, RUN_BYTES_MAX.saturating_sub(filled + around));
            }
            (Step::Disconnect, Some(client)) => {
                self.clients[user] = None;
                self.disconnect(client);
            }
            (step, Some(client)) if user % 2 == 1 => {
                let command = match step {
                    Step::Part { room: at } => Command::Part { room: room(*at) },
                    Step::Typing { room: at } => Command::Typing { room: room(*at) },
                    Step::Rename { number } => Command::Nick {
                        nickname: Nickname::parse(&format!("ana {number}")).unwrap(),
                    },
                    _ => Command::Rooms { after: None, limit: 100 },
                };
                self.request(client, command);
            }
            _ => {}
        }
    }

    fn connect(&mut self, user: usize, dialect: Dialect) -> ClientId {
        let stream = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        let transport = Transport::new(self.listener.accept().unwrap().0).unwrap();
        let outbox = Arc::new(Outbox::new(Arc::new(transport), usize::MAX).unwrap());
        let client = ClientId(self.connections.len() as u64);
        let address = Ipv4Addr::LOCALHOST.into();
        let subscriber = Subscriber::new(dialect, address, UNIX_EPOCH, outbox.clone());
        self.fanout.add(client, subscriber);
        self.connections.push(Connection {
            client,
            dialect,
            outbox,
            stream,
            expected: vec![],
            stops: vec![],
            notices: 0,
            is_replaced: false,
        });
        self.clients[user] = Some(client);
        client
    }

    fn say(&mut self, client: ClientId, at: usize, bytes: usize) {
        self.texts += 1;
        let text = format!("{} {}", self.texts, "x".repeat(bytes));
        let text = Text::parse(&text, usize::MAX).unwrap();
        if self.connection(client).dialect == Dialect::Plain {
            let mut out = vec![];
            let turn = &mut Turn { now: self.now, random: &mut self.random, out: &mut out };
            self.chat.say(client, text, turn);
            self.carry_out(&out);
        } else {
            let id = Id::parse(&format!("id-{}", self.texts)).unwrap();
            self.request(
                client,
                Command::Say(NewMessage { room: room(at), text, id, kind: Kind::Say }),
            );
        }
    }

    fn request(&mut self, client: ClientId, command: Command) {
        let mut out = vec![];
        self.chat.apply(
            client,
            command,
            &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
        );
        self.carry_out(&out);
    }

    /// Disconnects a client as the broadcaster does.
    fn disconnect(&mut self, client: ClientId) {
        self.fanout.remove(client, &self.chat);
        self.expected.remove(client);
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
            let notices = self.expected.carry_out(delivery, &self.chat);
            if let Some((_, notice)) = notices.first() {
                let is_reply = matches!(delivery, Delivery::Reply { .. });
                let alone = !matches!(delivery, Delivery::Room { .. });
                let (mut plain_frames, mut json_frames) = (vec![], vec![]);
                plain::render(notice, &mut plain_frames);
                let text = if is_reply {
                    json::reply(notice, &tags, &server_info())
                } else {
                    json::render(notice, &server_info())
                };
                append_text_frame(&mut json_frames, |it| it.extend_from_slice(text.as_bytes()));
                for (client, _) in notices {
                    self.connection(client).expect(&plain_frames, &json_frames, alone);
                }
            }
            match delivery {
                Delivery::Reply { client, notice: Notice::Welcome { session, .. } } => {
                    let user = self.clients.iter().position(|it| *it == Some(*client)).unwrap();
                    self.sessions[user] = Some(*session);
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

    /// Checks that each client got each expected notice once and in its place.
    fn check(mut self) {
        self.end_turn();
        for connection in self.connections {
            let Connection { client, outbox, stream, expected, stops, is_replaced, .. } =
                connection;
            let (mut got, mut expected) =
                (notices(read_to_end(&outbox, stream)), notices(expected));
            if is_replaced {
                for room in ROOMS {
                    let is_of_room = |it: &&Received| it.room == Some(room);
                    let expected: Vec<_> = expected.iter().filter(is_of_room).collect();
                    let got: Vec<_> = got.iter().filter(is_of_room).collect();
                    assert!(expected.starts_with(&got), "{client:?}: {got:?} of {expected:?}");
                }
                continue;
            }
            assert_eq!(got.len(), expected.len(), "{client:?}");
            for (start, end) in
                std::iter::once(0).chain(stops.iter().copied()).zip(stops.iter().copied())
            {
                got[start..end].sort_by_key(|it| it.room);
                expected[start..end].sort_by_key(|it| it.room);
            }
            assert_eq!(got, expected, "{client:?}");
        }
    }
}

/// Drains while the client reads. Returns the bytes that it got.
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

/// A notice that a client received. The start and the length stand for a long text.
#[derive(Debug, PartialEq)]
struct Received {
    room: Option<&'static str>,
    start: String,
    length: usize,
}

/// Decodes the notices in these frames.
fn notices(frames: Vec<u8>) -> Vec<Received> {
    let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
    let mut socket = WebSocket::from_raw_socket(Cursor::new(frames), Role::Client, Some(config));
    let messages = std::iter::from_fn(|| socket.read().ok());
    let received = messages.map(|message| {
        let text = message.into_text().unwrap();
        let room = ROOMS.into_iter().find(|room| text.contains(&format!("\"room\":\"{room}\"")));
        Received { room, start: text.chars().take(100).collect(), length: text.len() }
    });
    received.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn each_client_gets_its_notices_once_and_in_order(steps in steps()) {
        let mut test = FanoutTest::new();
        for (user, step) in &steps {
            test.run(*user, step);
            if test.fanout.is_long() {
                test.end_turn();
            }
        }
        test.check();
    }
}
