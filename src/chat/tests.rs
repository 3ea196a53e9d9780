//! Tests of the chat by scripts. Properties of any stream of commands are in `chat/model_tests.rs`.

use std::collections::{BTreeSet, HashMap, HashSet};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use testkit::{Line, lines};

use super::nickname::GIVEN_NAMES;
use super::*;

/// A chat, and its clients by name.
struct Stage {
    chat: Chat,
    random: StdRng,
    now: Now,
    clients_count: u64,
    clients: HashMap<String, ClientId>,
    /// The names whose newest client is plain.
    plain: HashSet<String>,
    sessions: HashMap<String, Token>,
    transcript: String,
}

fn rules() -> Rules {
    let history = HistoryLimits { lines_max: 5, ..HistoryLimits::default() };
    Rules { history, ..Rules::simple() }
}

impl Stage {
    fn new(rules: Rules) -> Self {
        Self {
            chat: Chat::new(rules),
            random: StdRng::seed_from_u64(1),
            now: Now { instant: Instant::now(), unix_ms: 0 },
            clients_count: 0,
            clients: HashMap::new(),
            plain: HashSet::new(),
            sessions: HashMap::new(),
            transcript: String::new(),
        }
    }

    fn connect(&mut self, who: &str) -> ClientId {
        self.clients_count += 1;
        let client = ClientId(self.clients_count);
        self.clients.insert(who.to_owned(), client);
        self.chat.connect(client, Network::UNKNOWN);
        client
    }

    /// Plays the lines of a script, which has no expectations.
    fn play(&mut self, script: &str) {
        lines(script).for_each(|line| self.play_line(&line));
    }

    fn play_line(&mut self, line: &Line<'_>) {
        let Line { name, rest, .. } = *line;
        let mut out = Vec::new();
        match line.verb {
            "opens" => {
                self.connect(name);
                self.plain.remove(name);
            }
            "enters" => self.enter(name, rest),
            "joins" => {
                let client = self.connect(name);
                self.plain.insert(name.to_owned());
                let wish = Nickname::parse(name).ok();
                let (now, random) = (self.now, &mut self.random);
                if let Err(refused) = self.chat.enter(
                    client,
                    room(rest),
                    wish,
                    &mut Turn { now, random, out: &mut out },
                ) {
                    self.transcript.push_str(&format!("{name} < refused: {refused}\n"));
                }
            }
            ">" if self.plain.contains(name) => {
                let turn = &mut Turn { now: self.now, random: &mut self.random, out: &mut out };
                self.chat.say(self.clients[name], text(rest), turn);
            }
            ">" => {
                let command = self.command(name, rest);
                let client = self.clients[name];
                self.chat.apply(
                    client,
                    command,
                    &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
                );
            }
            "leaves" => {
                self.chat.leave(
                    self.clients[name],
                    LeaveReason::Closed,
                    &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
                );
            }
            "breaks" => {
                self.chat.leave(
                    self.clients[name],
                    LeaveReason::Error,
                    &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
                );
            }
            "passes" => {
                self.now.instant += Duration::from_millis(rest.parse().unwrap());
                self.chat.tick(&mut Turn {
                    now: self.now,
                    random: &mut self.random,
                    out: &mut out,
                });
            }
            verb => panic!("no verb {verb:?}: {}", line.text),
        }
        self.write_down(out);
    }

    /// Says hello and joins a room. The transcript leaves out the answers.
    fn enter(&mut self, name: &str, room: &str) {
        let before = self.transcript.len();
        self.play(&format!("{name} opens\n{name} > hello\n{name} > join {room}"));
        let told = self.transcript.split_off(before);
        let answer = format!("{name} < ");
        assert!(told.contains(&format!("{answer}joined {room}")), "{told}");
        for line in told.lines().filter(|line| !line.starts_with(&answer)) {
            self.transcript.push_str(&format!("{line}\n"));
        }
    }

    /// Returns the command that a JSON client sends, in words.
    fn command(&self, name: &str, words: &str) -> Command {
        let (what, with) = words.split_once(' ').unwrap_or((words, ""));
        let (first, rest) = with.split_once(' ').unwrap_or((with, ""));
        let id = |text: &str| Id::parse(&text.replace(' ', "-")).unwrap();
        match what {
            "hello" => Command::Hello {
                wish: Nickname::parse(name).ok(),
                session: (with == "again").then(|| self.sessions[name]),
            },
            "join" => Command::Join {
                room: room(first),
                since: rest.split_once(' ').map(|(epoch, after)| Since {
                    epoch: epoch.to_owned(),
                    after: after.parse().unwrap(),
                }),
            },
            "part" => Command::Part { room: room(first) },
            "say" => Command::Say(NewMessage {
                room: room(first),
                text: text(rest),
                id: id(rest),
                kind: Kind::Say,
            }),
            "tell" => Command::Tell(NewPrivateMessage {
                to: Nickname::parse(first).unwrap(),
                text: text(rest),
                id: id(rest),
            }),
            "nick" => Command::Nick { nickname: Nickname::parse(first).unwrap() },
            "typing" => Command::Typing { room: room(first) },
            "history" => {
                Command::History { room: room(first), before: rest.parse().ok(), limit: 2 }
            }
            "rooms" => Command::Rooms { after: RoomName::parse(first).ok(), limit: 3 },
            "members" => Command::Members { room: room(first), after: Nickname::parse(rest).ok() },
            "ping" => Command::Ping,
            _ => panic!("no such command: {what}"),
        }
    }

    /// Adds to the transcript the notices that each client gets, as the fan-out carries them out.
    fn write_down(&mut self, out: Vec<Delivery>) {
        let mut entering: Vec<_> = out
            .iter()
            .filter_map(|delivery| match delivery {
                Delivery::Enters { client, .. } => Some(*client),
                _ => None,
            })
            .collect();
        for delivery in out {
            let (clients, notice): (Vec<_>, _) = match delivery {
                Delivery::Room { room, notice } => {
                    let in_plain = matches!(notice, Notice::Message(_) | Notice::Left { .. });
                    let told = |it: &Listener| {
                        (!it.is_plain || in_plain) && !entering.contains(&it.client)
                    };
                    let listeners = self.chat.listeners(&room).filter(told);
                    (listeners.map(|it| it.client).collect(), notice)
                }
                Delivery::Others { room, except, notice } => {
                    let others = |it: &Listener| !it.is_plain && it.client != except;
                    let listeners = self.chat.listeners(&room).filter(others);
                    (listeners.map(|it| it.client).collect(), notice)
                }
                Delivery::Clients { clients, notice } => (clients, notice),
                Delivery::Reply { client, notice } => (vec![client], notice),
                Delivery::Enters { client, .. } => {
                    entering.retain(|other| *other != client);
                    continue;
                }
                Delivery::Leaves { .. } => continue,
                Delivery::Lookup { client, lookup } => (vec![client], looked_up(lookup)),
                Delivery::Replaced { .. } => {
                    self.transcript.push_str("old ends replaced\n");
                    continue;
                }
            };
            for client in clients {
                let name = self.clients.iter().find(|(_, id)| **id == client);
                let name = name.map_or("old", |(name, _)| name.as_str()).to_owned();
                if let Notice::Welcome { session, .. } = &notice {
                    self.sessions.insert(name.clone(), *session);
                }
                self.transcript.push_str(&format!("{name} < {}\n", in_words(&notice)));
            }
        }
    }
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn text(text: &str) -> Text {
    Text::parse(text, 8192).unwrap()
}

/// Answers a lookup as if every message were stored, and from one sender.
fn looked_up(lookup: Lookup) -> Notice {
    let Lookup::Read(read) = lookup else {
        return Notice::Results { messages: vec![], before: None };
    };
    let (room, before) = (read.room.clone(), read.before);
    let kept = move |seq| {
        let (room, nickname) = (room.clone(), Nickname::parse("keeper").unwrap());
        let text = text(&format!("kept {seq}"));
        Arc::new(Message { room, seq, time: 0, nickname, text, id: None, kind: Kind::Say })
    };
    match read.batch_after() {
        Some(after) => read.complete_batch((after + 1..before).map(kept)).unwrap(),
        None => read.complete((1..before).rev().map(kept)),
    }
}

fn in_words(notice: &Notice) -> String {
    let lines = |messages: &[Arc<Message>]| {
        let lines: Vec<_> = messages.iter().map(|it| format!("{}", it.seq)).collect();
        lines.join(" ")
    };
    let names = |names: &[Nickname]| {
        let names: Vec<_> = names.iter().map(Nickname::as_str).collect();
        names.join(" ")
    };
    match notice {
        Notice::Message(it) => format!("{} {}: {}", it.seq, it.nickname, it.text.as_str()),
        Notice::Arrived { room, nickname } => format!("{nickname} arrived in {room}"),
        Notice::Left { room, nickname, reason } => format!("{nickname} left {room}: {reason:?}"),
        Notice::Renamed { from, to, .. } => format!("{from} is {to}"),
        Notice::Typing { room, nickname } => format!("{nickname} writes in {room}"),
        Notice::Private { from, to, text, .. } => format!("{from} to {to}: {}", text.as_str()),
        Notice::Welcome { nickname, resumed, .. } => {
            format!("welcome{} {nickname}", if *resumed { " back" } else { "" })
        }
        Notice::Joined(it) => format!(
            "joined {}, seq {}, {}[{}]{}, with {}",
            it.room,
            it.seq,
            if it.recovered { "recovered " } else { "" },
            lines(&it.messages),
            if it.more { " and more" } else { "" },
            names(&it.members.nicknames)
        ),
        Notice::Members { members, more, .. } => {
            let more = if *more { " and more" } else { "" };
            format!("{} members: [{}]{more}", members.count, names(&members.nicknames))
        }
        Notice::Parted { room } => format!("parted {room}"),
        Notice::History { messages, more, .. } => {
            format!("[{}]{}", lines(messages), if *more { " and more" } else { "" })
        }
        Notice::Results { .. } | Notice::Announcement { .. } => format!("{notice:?}"),
        Notice::Rooms { rooms, more } => {
            let rooms: Vec<_> =
                rooms.iter().map(|it| format!("{} {} {}", it.room, it.members, it.seq)).collect();
            format!("rooms: {}{}", rooms.join(", "), if *more { " and more" } else { "" })
        }
        Notice::Handled { text } => format!("handled: {text:?}"),
        Notice::Pong => "pong".to_owned(),
        Notice::Error(refused) => format!("refused: {refused}"),
    }
}

/// Plays a script in the notation of the test kit, with words in place of JSON. The lines with `<`
/// and `ends` are compared with the transcript. In addition to the verbs of the kit there is
///
/// ```text
/// time passes 1000        the clock advances by this (ms)
/// ```
///
/// and a connection is called `old` when its client has opened another.
#[track_caller]
fn script(script: &str) {
    script_with(rules(), script);
}

#[track_caller]
fn script_with(rules: Rules, script: &str) {
    let mut stage = Stage::new(rules);
    let is_expected = |line: &Line<'_>| matches!(line.verb, "<" | "ends");
    let mut whole = String::new();
    for line in lines(script).filter(|line| !is_expected(line)) {
        stage.transcript.clear();
        stage.play_line(&line);
        whole.push_str(&format!("{}\n{}", line.text, stage.transcript));
    }
    let expected: Vec<_> = lines(script).map(|line| line.text).collect();
    assert_eq!(whole.lines().collect::<Vec<_>>(), expected, "{whole}");
}

#[test]
fn plain_clients_receive_all_messages_of_the_room() {
    script(
        "ana joins lobby
         ana > anybody?
         ana < 1 ana: anybody?
         bo joins lobby
         carl joins kitchen
         bo > me
         ana < 2 bo: me
         bo < 2 bo: me
         ana leaves
         bo < ana left lobby: Closed
         ana leaves
         ana > still here?",
    );
}

#[test]
fn a_join_is_answered_with_messages_and_members() {
    script(
        "ana enters lobby
         ana > say lobby one
         ana < 1 ana: one
         bo joins lobby
         ana < bo arrived in lobby
         bo > two
         ana < 2 bo: two
         bo < 2 bo: two
         carl opens
         carl > hello
         carl < welcome carl
         carl > join lobby
         ana < carl arrived in lobby
         carl < joined lobby, seq 2, [1 2], with ana bo carl
         bo leaves
         ana < bo left lobby: Closed
         carl < bo left lobby: Closed",
    );
}

#[test]
fn hello_comes_first_and_once() {
    let mut stage = Stage::new(rules());
    stage.connect("ana");
    stage.play("ana > join lobby");
    assert_eq!(stage.transcript, "ana < refused: say hello first\n");
    stage.transcript.clear();
    stage.play("ana opens\nana > hello");
    let hello = Command::Hello { wish: None, session: None };
    let mut out = Vec::new();
    stage.chat.apply(
        stage.clients["ana"],
        hello,
        &mut Turn { now: stage.now, random: &mut stage.random, out: &mut out },
    );
    stage.write_down(out);
    assert_eq!(stage.transcript, "ana < welcome ana\nana < refused: hello is said once\n");
}

#[test]
fn a_client_that_parts_receives_nothing_from_the_room() {
    script(
        "ana enters lobby
         bo enters lobby
         ana < bo arrived in lobby
         bo > part lobby
         ana < bo left lobby: Closed
         bo < parted lobby
         ana > say lobby alone?
         ana < 1 ana: alone?
         bo > say lobby may I?
         bo < refused: you are not in lobby
         bo > typing lobby
         bo < refused: you are not in lobby
         bo > history lobby
         bo < refused: you are not in lobby
         bo > part lobby
         bo < refused: you are not in lobby",
    );
}

#[test]
fn a_client_is_in_sixteen_rooms_at_most() {
    let mut stage = Stage::new(rules());
    stage.play("ana opens\nana > hello");
    for number in 0..16 {
        stage.play(&format!("ana > join room-{number}"));
    }
    stage.transcript.clear();
    stage.play("ana > join one-more");
    assert!(stage.transcript.starts_with("ana < refused: you are in 16 rooms"));
}

#[cfg(feature = "confusables")]
#[test]
fn a_nickname_that_looks_like_a_taken_one_is_refused() {
    script(
        "ana enters lobby
         Iris enters lobby
         ana < Iris arrived in lobby
         ana > nick lris
         ana < refused: lris is taken, or looks like a name that is
         ana > nick ANA
         Iris < ana is ANA
         ana < ana is ANA
         Iris leaves
         ana < Iris left lobby: Closed
         time passes 10000
         ana > nick lris
         ana < ANA is lris",
    );
}

#[test]
fn a_message_that_is_sent_again_is_stored_once() {
    script(
        "ana enters lobby
         bo enters lobby
         ana < bo arrived in lobby
         ana > say lobby one
         ana < 1 ana: one
         bo < 1 ana: one
         ana > say lobby one
         ana < 1 ana: one
         ana > tell bo psst
         bo < ana to bo: psst
         ana < ana to bo: psst
         ana > tell bo psst
         ana < ana to bo: psst
         ana breaks
         ana opens
         ana > hello again
         ana < welcome back ana
         ana > say lobby one
         ana < 1 ana: one",
    );
}

#[test]
fn a_forgotten_message_is_known_by_its_number() {
    let history = HistoryLimits { lines_max: 1, ..HistoryLimits::default() };
    script_with(
        Rules { history, ..rules() },
        "ana enters lobby
         ana > say lobby one
         ana < 1 ana: one
         ana > say lobby two
         ana < 2 ana: two
         ana > nick anne
         ana < ana is anne
         ana > say lobby one
         ana < 1 ana: one",
    );
}

#[test]
fn a_private_message_is_for_one_client() {
    script(
        "ana opens
         ana > hello
         ana < welcome ana
         bo joins lobby
         ana > tell bo psst
         ana < refused: bo has a simple client, which cannot get private messages
         ana > tell carl psst
         ana < refused: nobody here is called carl
         ana > tell ANA note to self
         ana < ana to ana: note to self",
    );
}

#[test]
fn typing_is_passed_on_every_three_seconds() {
    script(
        "ana enters lobby
         bo enters lobby
         ana < bo arrived in lobby
         ana > typing lobby
         bo < ana writes in lobby
         time passes 2999
         ana > typing lobby
         time passes 1
         ana > typing lobby
         bo < ana writes in lobby",
    );
}

#[test]
fn a_broken_connection_is_resumed_unseen() {
    script(
        "ana enters lobby
         bo enters lobby
         ana < bo arrived in lobby
         bo breaks
         ana > say lobby one
         ana < 1 ana: one
         ana > say lobby two
         ana < 2 ana: two
         time passes 9999
         bo opens
         bo > hello again
         bo < welcome back bo
         bo > join lobby e1 1
         bo < joined lobby, seq 2, recovered [2], with ana bo
         time passes 20000
         ana > say lobby three
         ana < 3 ana: three
         bo < 3 ana: three",
    );
}

#[test]
fn a_client_that_does_not_resume_in_time_has_left() {
    script(
        "ana enters lobby
         bo enters lobby
         ana < bo arrived in lobby
         bo > say lobby one
         ana < 1 bo: one
         bo < 1 bo: one
         bo breaks
         time passes 9999
         ana > nick bo
         ana < refused: bo is taken, or looks like a name that is
         time passes 1
         ana < bo left lobby: Error
         bo opens
         bo > hello again
         bo < welcome back bo
         bo > join lobby
         ana < bo arrived in lobby
         bo < joined lobby, seq 1, [1], with ana bo",
    );
}

#[test]
fn a_newer_connection_takes_over() {
    script(
        "ana enters lobby
         bo enters lobby
         ana < bo arrived in lobby
         bo > join kitchen
         bo < joined kitchen, seq 0, [], with bo
         bo opens
         bo > hello again
         old ends replaced
         bo < welcome back bo
         ana > say lobby there?
         ana < 1 ana: there?
         bo > join lobby e1 0
         bo < joined lobby, seq 1, recovered [1], with ana bo
         time passes 10000
         ana > join kitchen
         ana < joined kitchen, seq 0, [], with ana
         ana > rooms
         ana < rooms: kitchen 1 0, lobby 2 1",
    );
}

#[test]
fn a_client_that_closes_after_a_takeover_has_left_at_once() {
    script(
        "bo enters lobby
         bo opens
         bo > hello again
         old ends replaced
         bo < welcome back bo
         bo > typing lobby
         bo < refused: you are not in lobby
         bo leaves
         ana enters lobby",
    );
}

#[test]
fn the_name_of_a_client_that_closed_is_held_for_it_for_the_grace() {
    script(
        "ana opens
         ana > hello
         ana < welcome ana
         bo enters lobby
         bo leaves
         ana > nick bo
         ana < refused: bo is taken, or looks like a name that is
         ana > tell bo there?
         ana < refused: nobody here is called bo
         time passes 9999
         bo opens
         bo > hello again
         bo < welcome back bo
         bo leaves
         time passes 10000
         ana > nick bo
         ana < ana is bo",
    );
}

#[test]
fn a_client_that_closed_and_comes_back_may_be_called_something_else() {
    let mut stage = Stage::new(rules());
    stage.play("ana opens\nana > hello");
    stage.play("ana leaves");
    let client = stage.connect("ana");
    let (session, wish) = (Some(stage.sessions["ana"]), Nickname::parse("zoe").ok());
    let (now, mut out) = (stage.now, Vec::new());
    let hello = Command::Hello { wish, session };
    stage.chat.apply(client, hello, &mut Turn { now, random: &mut stage.random, out: &mut out });
    stage.write_down(out);
    assert!(stage.transcript.ends_with("ana < welcome back zoe\n"), "{}", stage.transcript);
    assert!(stage.chat.taken.keys().all(|form| form == "zoe"));
}

#[test]
fn without_grace_clients_leave_at_once() {
    script_with(
        Rules { has_archive: false, grace: Duration::ZERO, ..rules() },
        "ana joins lobby
         bo enters lobby
         bo breaks
         ana < bo left lobby: Error
         bo opens
         bo > hello again
         bo < welcome bo",
    );
}

#[test]
fn a_session_is_forgotten_after_ten_minutes() {
    script(
        "ana enters lobby
         ana > say lobby one
         ana < 1 ana: one
         ana leaves
         time passes 10000
         time passes 599999
         ana opens
         ana > hello again
         ana < welcome back ana
         ana leaves
         time passes 10000
         time passes 600000
         ana opens
         ana > hello again
         ana < welcome ana",
    );
}

#[test]
fn a_session_that_said_nothing_is_not_remembered_beyond_the_grace() {
    script(
        "ana enters lobby
         ana leaves
         time passes 10000
         ana opens
         ana > hello again
         ana < welcome ana",
    );
}

#[test]
fn a_recovery_is_complete_or_refused() {
    script(
        "ana enters lobby
         ana > say lobby one
         ana < 1 ana: one
         ana > say lobby two
         ana < 2 ana: two
         ana > say lobby three
         ana < 3 ana: three
         ana > say lobby four
         ana < 4 ana: four
         ana > say lobby five
         ana < 5 ana: five
         ana > say lobby six
         ana < 6 ana: six
         ana > join lobby e1 6
         ana < joined lobby, seq 6, recovered [], with ana
         ana > join lobby e1 1
         ana < joined lobby, seq 6, recovered [2 3 4 5 6], with ana
         ana > join lobby e1 0
         ana < joined lobby, seq 6, [2 3 4 5 6], with ana
         ana > join lobby e1 7
         ana < joined lobby, seq 6, [2 3 4 5 6], with ana
         ana > join lobby e0 5
         ana < joined lobby, seq 6, [2 3 4 5 6], with ana
         ana > history lobby
         ana < [5 6] and more
         ana > history lobby 4
         ana < [2 3]
         ana > history lobby 2
         ana < []",
    );
}

#[test]
fn an_empty_room_is_held_for_its_messages() {
    let history = HistoryLimits { lines_max: 5, idle_rooms_max: 1, ..HistoryLimits::default() };
    script_with(
        Rules { history, ..rules() },
        "ana enters attic
         ana > say attic one
         ana < 1 ana: one
         ana > part attic
         ana < parted attic
         ana > join attic e1 0
         ana < joined attic, seq 1, recovered [1], with ana
         ana > part attic
         ana < parted attic
         ana > join kitchen
         ana < joined kitchen, seq 0, [], with ana
         ana > say kitchen uno
         ana < 1 ana: uno
         ana > part kitchen
         ana < parted kitchen
         ana > rooms
         ana < rooms: kitchen 0 1
         ana > join attic e1 0
         ana < joined attic, seq 1, [], with ana
         ana > say attic two
         ana < 2 ana: two
         ana > join attic e1 1
         ana < joined attic, seq 2, recovered [2], with ana",
    );
}

#[test]
fn history_is_bounded_in_bytes() {
    let history = HistoryLimits { bytes_max: 3000, ..HistoryLimits::default() };
    let mut stage = Stage::new(Rules { history, ..rules() });
    stage.play("ana opens\nana > hello");
    for number in 0..20 {
        stage.play(&format!("ana > join room-{number}"));
        for word in ["one", "two", "three"] {
            stage.play(&format!("ana > say room-{number} {word}-{number}-{}", "x".repeat(50)));
        }
        stage.play(&format!("ana > part room-{number}"));
        let (rooms, idle, bytes) = stage.chat.rooms.sizes();
        assert!(bytes <= 3000 && rooms == idle, "{bytes} bytes, {rooms} rooms, {idle} idle");
    }
    stage.play("ana > join long");
    for number in 0..50 {
        stage.play(&format!("ana > say long {number}-{}", "x".repeat(50)));
        assert!(stage.chat.rooms.sizes().2 <= 3000);
    }
}

#[test]
fn ended_sessions_are_bounded() {
    let mut stage = Stage::new(Rules { grace: Duration::ZERO, ..rules() });
    let addresses = [Network::of([192, 0, 2, 1].into()), Network::of([192, 0, 2, 2].into())];
    for number in 0..5000 {
        let name = format!("guest-{number}");
        let client = stage.connect(&name);
        stage.chat.connect(client, addresses[usize::from(number > 0)]);
        let hello = Command::Hello { wish: Nickname::parse(&name).ok(), session: None };
        let (now, mut out) = (stage.now, Vec::new());
        stage.chat.apply(
            client,
            hello,
            &mut Turn { now, random: &mut stage.random, out: &mut out },
        );
        stage.write_down(out);
        if number % 2 == 0 {
            stage.play(&format!("{name} > join lobby"));
            stage.play(&format!("{name} > say lobby {number}"));
        }
        stage.play(&format!("{name} leaves"));
    }
    // Those that sent no message are not among them.
    assert_eq!(stage.chat.recent_sessions.len(), 2500);
    assert!(stage.chat.people.is_empty() && stage.chat.taken.is_empty());
    stage.play("guest-0 opens\nguest-0 > hello again");
    assert!(stage.transcript.ends_with("welcome back guest-0\n"));
}

#[test]
fn every_given_name_is_unique() {
    let mut stage = Stage::new(rules());
    // A thousand of the hundred thousand collide a few times. The last of a full chat searches
    // long.
    for number in 0..1000 {
        stage.play(&format!("user-{number} joins lobby"));
    }
    let names: BTreeSet<_> =
        stage.chat.members(&room("lobby")).iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), 1000);
    for name in names {
        let number = name.strip_prefix("user-").unwrap().parse::<u32>().unwrap();
        assert!(number < GIVEN_NAMES);
    }
}

#[test]
fn the_last_free_name_is_found() {
    let mut stage = Stage::new(rules());
    for number in (0..GIVEN_NAMES).filter(|number| *number != 4711) {
        stage.chat.take_nickname(PersonId(0), &Nickname::given(number));
    }
    stage.play("ana: joins lobby");
    assert_eq!(stage.chat.members(&room("lobby"))[0].as_str(), "user-4711");
}

/// A chat that counts networks. Clients come from one network unless a test names another.
fn counted(people_per_network_max: usize) -> Stage {
    let people_per_network_max = std::num::NonZeroUsize::new(people_per_network_max);
    Stage::new(Rules {
        quota: Quota { people_max: 100, people_per_network_max, ..Rules::simple().quota },
        ..rules()
    })
}

#[test]
fn absent_clients_count_and_make_way_for_others_of_their_network() {
    let mut stage = counted(4);
    let other = Network::of([192, 0, 2, 1].into());
    stage.play("ana opens\nana > hello");
    stage.play("ana > join lobby");
    let stranger = stage.connect("bo");
    stage.chat.connect(stranger, other);
    let hello = Command::Hello { wish: Nickname::parse("bo").ok(), session: None };
    let (now, mut out) = (stage.now, Vec::new());
    stage.chat.apply(stranger, hello, &mut Turn { now, random: &mut stage.random, out: &mut out });
    stage.write_down(out);
    stage.play("bo > join lobby");
    stage.play("bo breaks");
    let mut refused = 0;
    for number in 0..100 {
        stage.transcript.clear();
        stage.play(&format!("ghost-{number} opens\nghost-{number} > hello"));
        refused += usize::from(stage.transcript.contains("refused: too much at once"));
        stage.play(&format!("ghost-{number} > join lobby"));
        stage.play(&format!("ghost-{number} breaks"));
        assert!(stage.chat.people.len() <= 4 + 1 && stage.chat.members(&room("lobby")).len() <= 5);
        assert_eq!(stage.chat.networks.people(), stage.chat.people.len());
    }
    // Twice the maximum number may come at once, and ana was the first.
    assert_eq!(refused, 100 - 7);
    stage.transcript.clear();
    stage.play("bo opens\nbo > hello again");
    stage.play("ana > say lobby still-here");
    assert!(stage.transcript.contains("bo < welcome back bo\n"), "{}", stage.transcript);
    assert!(stage.transcript.ends_with("ana < 1 ana: still-here\n"), "{}", stage.transcript);
}

#[test]
fn in_a_full_chat_an_absent_client_makes_way() {
    let quota = Quota { people_max: 3, ..Rules::simple().quota };
    let mut stage = Stage::new(Rules { quota, ..rules() });
    for name in ["ana", "bo", "carl"] {
        stage.play(&format!("{name} opens\n{name} > hello"));
    }
    stage.play("bo breaks");
    stage.transcript.clear();
    for name in ["dora", "emil"] {
        stage.play(&format!("{name} opens\n{name} > hello"));
    }
    assert_eq!(
        stage.transcript,
        "dora < welcome dora\nemil < refused: too much at once; try again in 1000 ms\n"
    );
    assert_eq!(stage.chat.people.len(), 3);
}

#[test]
fn resuming_a_session_costs_no_quota() {
    let mut stage = counted(4);
    stage.play("ana opens\nana > hello");
    for _ in 0..100 {
        stage.play("ana breaks");
        stage.transcript.clear();
        stage.play("ana opens\nana > hello again");
        assert_eq!(stage.transcript, "ana < welcome back ana\n");
    }
}

#[test]
fn arrivals_of_a_network_are_bounded() {
    let mut stage = counted(2);
    stage.play("ana opens\nana > hello");
    let joined = |stage: &mut Stage| {
        stage.transcript.clear();
        stage.play("ana > join lobby");
        stage.play("ana > part lobby");
        stage.transcript.contains("< joined lobby")
    };
    assert_eq!((0..100).filter(|_| joined(&mut stage)).count(), 32);
    stage.play("time passes 1000");
    assert_eq!((0..100).filter(|_| joined(&mut stage)).count(), 16);
}

#[test]
fn the_rooms_of_a_network_are_bounded() {
    let mut stage = counted(64);
    let mut refused = 0;
    for number in 0..300 {
        let guest = format!("guest-{}", number / 16);
        if number % 16 == 0 {
            stage.play(&format!("{guest} opens\n{guest} > hello"));
        }
        stage.transcript.clear();
        stage.play(&format!("{guest} > join room-{number}"));
        refused += usize::from(stage.transcript.contains("refused: there are too many rooms"));
    }
    assert_eq!((refused, stage.chat.rooms.sizes().0), (300 - 256, 256));
    let other = stage.connect("bo");
    stage.chat.connect(other, Network::of([192, 0, 2, 1].into()));
    let (now, mut out) = (stage.now, Vec::new());
    let wish = Nickname::parse("bo").ok();
    stage
        .chat
        .enter(
            other,
            room("cellar"),
            wish,
            &mut Turn { now, random: &mut stage.random, out: &mut out },
        )
        .unwrap();
    stage.transcript.clear();
    stage.play("guest-18 > join lobby");
    stage.play("guest-18 > join cellar");
    assert!(stage.transcript.contains("joined cellar"), "a room of others may be joined");
    assert!(stage.transcript.contains("refused: there are too many rooms"));
}

#[test]
fn rooms_and_members_are_listed_in_pages() {
    script(
        "ana joins a
         bo joins b
         carl joins d
         dora enters c
         dora > rooms
         dora < rooms: a 1 0, b 1 0, c 1 0 and more
         dora > rooms b
         dora < rooms: c 1 0, d 1 0
         dora > rooms bb
         dora < rooms: c 1 0, d 1 0
         dora > members a
         dora < refused: you are not in a
         dora > members c dora
         dora < 1 members: []
         dora > members c ana
         dora < refused: nobody here is called ana",
    );
    let mut stage = Stage::new(rules());
    stage.play("ana opens\nana > hello");
    for number in 0..1100 {
        stage.play(&format!("guest-{number} joins lobby"));
    }
    stage.transcript.clear();
    stage.play("ana > join lobby");
    assert!(stage.transcript.ends_with("guest-498 guest-499\n"), "{}", stage.transcript);
    stage.play("ana > members lobby guest-499");
    let pages = &stage.transcript;
    assert!(pages.ends_with("guest-998 guest-999] and more\n"), "{pages}");
    stage.play("ana > members lobby guest-999");
    assert!(stage.transcript.ends_with("guest-1099 ana]\n"));
    assert!(stage.transcript.contains("ana < 1101 members: [guest-1000 "));
}

#[test]
fn private_messages_to_a_client_are_limited_and_the_sender_is_told() {
    let mut stage = Stage::new(rules());
    for name in ["ana", "bo", "carl"] {
        stage.play(&format!("{name} opens\n{name} > hello"));
    }
    let long = "x".repeat(8000);
    let id = |number: usize| Id::parse(&format!("id-{number}")).unwrap();
    let tell = |stage: &mut Stage, who: &str, number| {
        let (to, text) = (Nickname::parse("carl").unwrap(), text(&long));
        let command = Command::Tell(NewPrivateMessage { to, text, id: id(number) });
        let (client, mut out) = (stage.clients[who], Vec::new());
        stage.chat.apply(
            client,
            command,
            &mut Turn { now: stage.now, random: &mut stage.random, out: &mut out },
        );
        matches!(&out[..], [Delivery::Clients { .. }, Delivery::Reply { .. }])
    };
    let told = (0..100).filter(|number| tell(&mut stage, ["ana", "bo"][number % 2], *number));
    assert_eq!(told.count(), 3, "8 units each, of 20 at once for each network");
    let other = stage.connect("dora");
    stage.chat.connect(other, Network::of([192, 0, 2, 1].into()));
    let hello = Command::Hello { wish: None, session: None };
    let (now, mut out) = (stage.now, Vec::new());
    stage.chat.apply(other, hello, &mut Turn { now, random: &mut stage.random, out: &mut out });
    let told = (100..200).filter(|number| tell(&mut stage, "dora", *number)).count();
    assert_eq!(told, 2, "others are not kept from it, up to 40 of all");
    stage.play("time passes 2000");
    assert!(tell(&mut stage, "ana", 200) && !tell(&mut stage, "ana", 201));
}

#[test]
fn the_largest_rooms_shrink_first() {
    let history = HistoryLimits { lines_max: 500, bytes_max: 100_000, idle_rooms_max: 5 };
    let mut stage = Stage::new(Rules { history, ..Rules::simple() });
    stage.play("ana joins lobby");
    stage.play("bo joins large");
    stage.play("carl joins left");
    for number in 0..8 {
        stage.play(&format!("ana > {number}"));
        stage.play(&format!("carl > {number}"));
    }
    stage.play("carl leaves");
    for _ in 0..1000 {
        stage.play(&format!("bo > {}", "x".repeat(1000)));
    }
    let held = |name: &str| stage.chat.rooms.get(&room(name)).map(|it| it.before(u64::MAX).len());
    assert_eq!((held("lobby"), held("left")), (Some(8), Some(8)));
    assert!(held("large").is_some_and(|held| held > 70), "{:?}", held("large"));
    assert!(stage.chat.rooms.sizes().2 <= 100_000);
}

#[test]
fn an_idle_room_of_the_network_with_most_rooms_is_forgotten_first() {
    let mut stage = counted(64);
    let other = stage.connect("bo");
    stage.chat.connect(other, Network::of([192, 0, 2, 1].into()));
    let (now, mut out) = (stage.now, Vec::new());
    let wish = Nickname::parse("bo").ok();
    stage
        .chat
        .enter(
            other,
            room("kitchen"),
            wish,
            &mut Turn { now, random: &mut stage.random, out: &mut out },
        )
        .unwrap();
    stage.plain.insert("bo".to_owned());
    stage.play("bo > kept?");
    stage.play("bo leaves");
    for number in 0..128 {
        stage.play(&format!("ana joins room-{number}"));
        stage.play("ana > flushed?");
        stage.play("ana leaves");
    }
    assert_eq!(stage.chat.rooms.sizes().1, 100);
    assert_eq!(stage.chat.rooms.get(&room("kitchen")).map(Room::seq), Some(1));
}

#[test]
fn a_large_gap_is_recovered_in_parts() {
    let history = HistoryLimits { lines_max: 50, ..HistoryLimits::default() };
    // Some five messages fit into an answer.
    let quota = Quota { answer_bytes_max: 1000, ..Rules::simple().quota };
    let rules = Rules { history, quota, ..Rules::simple() };
    let before = "ana enters lobby
         ana breaks
         bo joins lobby\n";
    let said: String =
        (1..=10).map(|number| format!("bo > {number}\nbo < {number} bo: {number}\n")).collect();
    let after = "ana opens
         ana > hello again
         ana < welcome back ana
         ana > join lobby e1 0
         ana < joined lobby, seq 10, recovered [1 2 3 4 5] and more, with ana bo
         bo > one-more
         bo < 11 bo: one-more
         ana > say lobby between
         bo < 12 ana: between
         ana > join lobby e1 5
         ana < joined lobby, seq 12, recovered [6 7 8 9 10] and more, with ana bo
         time passes 20000
         ana > join lobby e1 10
         ana < joined lobby, seq 12, recovered [11 12], with ana bo
         bo > done
         ana < 13 bo: done
         bo < 13 bo: done";
    script_with(rules, &format!("{before}{said}{after}"));
}

#[test]
fn a_message_is_found_by_its_number_where_others_are_missing() {
    let mut stage = Stage::new(rules());
    let message = |seq| {
        let (room, nickname) = (room("lobby"), Nickname::parse("bo").unwrap());
        let (text, id) = (text("of bo"), None);
        Arc::new(Message { room, seq, time: 0, nickname, text, id, kind: Kind::Say })
    };
    stage.chat.restore(room("lobby"), 9, [1, 4, 8].map(message).to_vec());
    let lobby = stage.chat.rooms.get(&room("lobby")).unwrap();
    let found: Vec<_> = (0..12).filter_map(|seq| Some((seq, lobby.message(seq)?.seq))).collect();
    assert_eq!(found, [(1, 1), (4, 4), (8, 8)]);
}

#[test]
fn a_name_is_held_for_its_session_over_a_restart() {
    let archived = || Rules { has_archive: true, ..rules() };
    let mut before = Stage::new(archived());
    for line in [
        "ana opens\nana > hello",
        "bo opens\nbo > hello",
        "carl opens\ncarl > hello",
        "ana > nick zoe",
        "carl breaks",
    ] {
        before.play(line);
    }
    before.play("time passes 10000");
    let changes = before.chat.take_name_changes();
    // As they are stored: the last change of each session.
    let mut kept = HashMap::new();
    for change in changes {
        match change.nickname {
            Some(nickname) => kept.insert(change.session, nickname),
            None => kept.remove(&change.session),
        };
    }
    let mut names: Vec<_> = kept.values().map(Nickname::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["bo", "zoe"]);
    assert_eq!(before.chat.names().count(), 2);

    let mut after = Stage::new(archived());
    after.random = StdRng::seed_from_u64(2);
    for (session, nickname) in kept {
        after.chat.hold_name(session, nickname, after.now);
    }
    after.sessions = before.sessions.clone();
    after.play("bo opens\nbo > hello");
    after.play("eve opens\neve > hello");
    after.play("eve > nick zoe");
    after.play("eve > tell zoe there?");
    after.play("time passes 9999");
    let client = after.connect("ana");
    let hello = Command::Hello { wish: None, session: Some(after.sessions["ana"]) };
    let (now, mut out) = (after.now, Vec::new());
    after.chat.apply(client, hello, &mut Turn { now, random: &mut after.random, out: &mut out });
    after.write_down(out);
    let lines: Vec<_> = after.transcript.lines().collect();
    assert!(lines[0].starts_with("bo < welcome user-"), "another client gets another name");
    assert_eq!(
        lines[1..],
        [
            "eve < welcome eve",
            "eve < refused: zoe is taken, or looks like a name that is",
            "eve < refused: nobody here is called zoe",
            "ana < welcome zoe"
        ]
    );
    after.transcript.clear();
    after.play("time passes 1");
    after.play("eve > nick bo");
    assert_eq!(after.transcript, "eve < eve is bo\n");
    assert!(after.chat.held.is_empty() && after.chat.people.len() == 3);
}
