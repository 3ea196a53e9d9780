//! The chat by scripts. What holds in any stream of commands is in `chat/streams.rs`.

use std::collections::BTreeSet;
use std::collections::HashMap;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::nickname::GIVEN_NAMES;
use super::*;

/// A chat with people in it whose names the test knows.
struct Stage {
    chat: Chat,
    random: StdRng,
    now: Now,
    clients_count: u64,
    clients: HashMap<String, ClientId>,
    sessions: HashMap<String, Token>,
    transcript: String,
}

fn rules() -> Rules {
    let history = HistoryLimits { lines_max: 5, ..HistoryLimits::default() };
    Rules { epoch: "e1".to_owned(), history, has_archive: false, grace: Duration::from_secs(10) }
}

impl Stage {
    fn new(rules: Rules) -> Self {
        Self {
            chat: Chat::new(rules),
            random: StdRng::seed_from_u64(1),
            now: Now { instant: Instant::now(), unix_ms: 0 },
            clients_count: 0,
            clients: HashMap::new(),
            sessions: HashMap::new(),
            transcript: String::new(),
        }
    }

    fn connect(&mut self, who: &str) -> ClientId {
        self.clients_count += 1;
        self.clients.insert(who.to_owned(), ClientId(self.clients_count));
        ClientId(self.clients_count)
    }

    /// One line of a script: who, what, and with what.
    fn play(&mut self, line: &str) {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (who, what, with) = (word(), word(), word());
        let mut out = Vec::new();
        match what {
            "enters" => {
                let client = self.connect(who);
                let wish = Nickname::parse(who).ok();
                self.chat.enter(client, room(with), wish, &mut self.random, &mut out);
            }
            "speaks" => {
                let said = self.chat.say(self.clients[who], text(with), self.now);
                out.extend(said.map(|message| Delivery::Room {
                    room: message.room.clone(),
                    notice: Notice::Message(message),
                }));
            }
            "closes" | "breaks" => {
                let departure = if what == "closes" { Departure::Closed } else { Departure::Error };
                self.chat.leave(self.clients[who], departure, self.now, &mut out);
            }
            "waits" => {
                let passed = Duration::from_millis(with.parse().unwrap());
                self.now.instant += passed;
                self.chat.tick(self.now, &mut out);
            }
            _ => {
                let command = self.command(who, what, with);
                if matches!(command, Command::Hello { .. }) {
                    self.connect(who);
                }
                let client = self.clients[who];
                self.chat.apply(client, command, self.now, &mut self.random, &mut out);
            }
        }
        self.write_down(out);
    }

    fn command(&self, who: &str, what: &str, with: &str) -> Command {
        let (first, rest) = with.split_once(' ').unwrap_or((with, ""));
        let id = |text: &str| Id::parse(&text.replace(' ', "-")).unwrap();
        match what {
            "hello" => Command::Hello {
                wish: Nickname::parse(who).ok(),
                session: (with == "again").then(|| self.sessions[who]),
            },
            "join" => Command::Join {
                room: room(first),
                since: rest.split_once(' ').map(|(epoch, after)| Since {
                    epoch: epoch.to_owned(),
                    after: after.parse().unwrap(),
                }),
            },
            "part" => Command::Part { room: room(first) },
            "say" => {
                Command::Say { room: room(first), text: text(rest), id: id(rest), kind: Kind::Say }
            }
            "tell" => Command::Tell {
                to: Nickname::parse(first).unwrap(),
                text: text(rest),
                id: id(rest),
            },
            "nick" => Command::Nick { nickname: Nickname::parse(first).unwrap() },
            "typing" => Command::Typing { room: room(first) },
            "history" => {
                Command::History { room: room(first), before: rest.parse().ok(), limit: 2 }
            }
            "rooms" => Command::Rooms,
            "ping" => Command::Ping,
            _ => panic!("no such command: {what}"),
        }
    }

    /// Writes down who is told what, as a fan-out would carry it out.
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
                Delivery::Others { room, but, notice } => {
                    let others = |it: &Listener| !it.is_plain && it.client != but;
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
                    self.transcript.push_str("somebody is replaced\n");
                    continue;
                }
            };
            for client in clients {
                let name = self.clients.iter().find(|(_, id)| **id == client);
                let name = name.map_or("an old connection", |(name, _)| name.as_str()).to_owned();
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

/// As if all that was ever said were kept, and said by the keeper.
fn looked_up(lookup: Lookup) -> Notice {
    let Lookup::Reading(reading) = lookup else {
        return Notice::Results { messages: vec![], before: None };
    };
    let (room, before) = (reading.room.clone(), reading.before);
    let kept = move |seq| {
        let (room, nickname) = (room.clone(), Nickname::parse("keeper").unwrap());
        let text = text(&format!("kept {seq}"));
        Arc::new(Message { room, seq, time: 0, nickname, text, id: None, kind: Kind::Say })
    };
    reading.complete((1..before).rev().map(kept))
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
            "in {}, seq {}, {}[{}], with {}",
            it.room,
            it.seq,
            if it.recovered { "recovered " } else { "" },
            lines(&it.messages),
            names(&it.members)
        ),
        Notice::Parted { room } => format!("out of {room}"),
        Notice::History { messages, more, .. } => {
            format!("[{}]{}", lines(messages), if *more { " and more" } else { "" })
        }
        Notice::Results { .. } | Notice::Word { .. } => format!("{notice:?}"),
        Notice::Rooms(rooms) => {
            let rooms: Vec<_> =
                rooms.iter().map(|it| format!("{} {} {}", it.room, it.members, it.seq)).collect();
            format!("rooms: {}", rooms.join(", "))
        }
        Notice::Pong => "pong".to_owned(),
        Notice::Refused(refused) => format!("refused: {refused}"),
    }
}

/// Plays a script, in which the lines with ` < ` are what it is to lead to.
#[track_caller]
fn script(script: &str) {
    script_with(rules(), script);
}

#[track_caller]
fn script_with(rules: Rules, script: &str) {
    let mut stage = Stage::new(rules);
    let lines = || script.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_told = |line: &&str| line.contains(" < ") || *line == "somebody is replaced";
    let mut whole = String::new();
    for line in lines().filter(|line| !is_told(line)) {
        stage.transcript.clear();
        stage.play(line);
        whole.push_str(&format!("{line}\n{}", stage.transcript));
    }
    let expected: Vec<_> = lines().collect();
    assert_eq!(whole.lines().collect::<Vec<_>>(), expected, "{whole}");
}

#[test]
fn plain_clients_hear_everybody_and_themselves() {
    script(
        "ana enters lobby
         ana speaks anybody?
         ana < 1 ana: anybody?
         bo enters lobby
         carl enters kitchen
         bo speaks me
         ana < 2 bo: me
         bo < 2 bo: me
         ana closes
         bo < ana left lobby: Closed
         ana closes
         ana speaks still here?",
    );
}

#[test]
fn a_room_is_joined_with_what_was_said_and_who_is_there() {
    script(
        "ana hello
         ana < welcome ana
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         ana say lobby one
         ana < 1 ana: one
         bo enters lobby
         ana < bo arrived in lobby
         bo speaks two
         ana < 2 bo: two
         bo < 2 bo: two
         carl hello
         carl < welcome carl
         carl join lobby
         ana < carl arrived in lobby
         carl < in lobby, seq 2, [1 2], with ana bo carl
         bo closes
         ana < bo left lobby: Closed
         carl < bo left lobby: Closed",
    );
}

#[test]
fn hello_comes_first_and_once() {
    let mut stage = Stage::new(rules());
    stage.connect("ana");
    stage.play("ana join lobby");
    assert_eq!(stage.transcript, "ana < refused: say hello first\n");
    stage.transcript.clear();
    stage.play("ana hello");
    let hello = Command::Hello { wish: None, session: None };
    let mut out = Vec::new();
    stage.chat.apply(stage.clients["ana"], hello, stage.now, &mut stage.random, &mut out);
    stage.write_down(out);
    assert_eq!(stage.transcript, "ana < welcome ana\nana < refused: hello is said once\n");
}

#[test]
fn who_parts_hears_the_room_no_more() {
    script(
        "ana hello
         ana < welcome ana
         bo hello
         bo < welcome bo
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         bo join lobby
         ana < bo arrived in lobby
         bo < in lobby, seq 0, [], with ana bo
         bo part lobby
         ana < bo left lobby: Closed
         bo < out of lobby
         ana say lobby alone?
         ana < 1 ana: alone?
         bo say lobby may I?
         bo < refused: you are not in lobby
         bo typing lobby
         bo < refused: you are not in lobby
         bo history lobby
         bo < refused: you are not in lobby
         bo part lobby
         bo < refused: you are not in lobby",
    );
}

#[test]
fn sixteen_rooms_are_as_many_as_can_be() {
    let mut stage = Stage::new(rules());
    stage.play("ana hello");
    for number in 0..16 {
        stage.play(&format!("ana join room-{number}"));
    }
    stage.transcript.clear();
    stage.play("ana join one-more");
    assert!(stage.transcript.starts_with("ana < refused: you are in 16 rooms"));
}

#[test]
fn a_nickname_is_taken_by_all_that_look_like_it() {
    script(
        "ana hello
         ana < welcome ana
         Iris hello
         Iris < welcome Iris
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         Iris join lobby
         ana < Iris arrived in lobby
         Iris < in lobby, seq 0, [], with ana Iris
         ana nick lris
         ana < refused: lris is taken, or looks like a name that is
         ana nick ANA
         Iris < ana is ANA
         ana < ana is ANA
         Iris closes
         ana < Iris left lobby: Closed
         ana nick lris
         ana < ANA is lris",
    );
}

#[test]
fn what_is_sent_again_is_not_said_again() {
    script(
        "ana hello
         ana < welcome ana
         bo hello
         bo < welcome bo
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         bo join lobby
         ana < bo arrived in lobby
         bo < in lobby, seq 0, [], with ana bo
         ana say lobby one
         ana < 1 ana: one
         bo < 1 ana: one
         ana say lobby one
         ana < 1 ana: one
         ana tell bo psst
         bo < ana to bo: psst
         ana < ana to bo: psst
         ana tell bo psst
         ana < ana to bo: psst
         ana breaks
         ana hello again
         ana < welcome back ana
         ana say lobby one
         ana < 1 ana: one",
    );
}

#[test]
fn what_nobody_holds_any_more_is_known_by_its_number() {
    let history = HistoryLimits { lines_max: 1, ..HistoryLimits::default() };
    script_with(
        Rules { history, ..rules() },
        "ana hello
         ana < welcome ana
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         ana say lobby one
         ana < 1 ana: one
         ana say lobby two
         ana < 2 ana: two
         ana nick anne
         ana < ana is anne
         ana say lobby one
         ana < 1 ana: one",
    );
}

#[test]
fn a_secret_is_for_one() {
    script(
        "ana hello
         ana < welcome ana
         bo enters lobby
         ana tell bo psst
         ana < refused: bo has a simple client, which cannot get private messages
         ana tell carl psst
         ana < refused: nobody here is called carl
         ana tell ANA note to self
         ana < ana to ana: note to self",
    );
}

#[test]
fn that_somebody_writes_is_passed_on_every_three_seconds() {
    script(
        "ana hello
         ana < welcome ana
         bo hello
         bo < welcome bo
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         bo join lobby
         ana < bo arrived in lobby
         bo < in lobby, seq 0, [], with ana bo
         ana typing lobby
         bo < ana writes in lobby
         ana waits 2999
         ana typing lobby
         ana waits 1
         ana typing lobby
         bo < ana writes in lobby",
    );
}

#[test]
fn a_connection_that_breaks_is_mended_unseen() {
    script(
        "ana hello
         ana < welcome ana
         bo hello
         bo < welcome bo
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         bo join lobby
         ana < bo arrived in lobby
         bo < in lobby, seq 0, [], with ana bo
         bo breaks
         ana say lobby one
         ana < 1 ana: one
         ana say lobby two
         ana < 2 ana: two
         bo waits 9999
         bo hello again
         bo < welcome back bo
         bo join lobby e1 1
         bo < in lobby, seq 2, recovered [2], with ana bo
         bo waits 20000
         ana say lobby three
         ana < 3 ana: three
         bo < 3 ana: three",
    );
}

#[test]
fn who_does_not_come_back_in_time_has_left() {
    script(
        "ana hello
         ana < welcome ana
         bo hello
         bo < welcome bo
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         bo join lobby
         ana < bo arrived in lobby
         bo < in lobby, seq 0, [], with ana bo
         bo breaks
         ana waits 9999
         ana nick bo
         ana < refused: bo is taken, or looks like a name that is
         ana waits 1
         ana < bo left lobby: Error
         bo hello again
         bo < welcome back bo
         bo join lobby
         ana < bo arrived in lobby
         bo < in lobby, seq 0, [], with ana bo",
    );
}

#[test]
fn a_newer_connection_takes_over() {
    script(
        "ana hello
         ana < welcome ana
         bo hello
         bo < welcome bo
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         bo join lobby
         ana < bo arrived in lobby
         bo < in lobby, seq 0, [], with ana bo
         bo join kitchen
         bo < in kitchen, seq 0, [], with bo
         bo hello again
         somebody is replaced
         bo < welcome back bo
         ana say lobby there?
         ana < 1 ana: there?
         bo join lobby e1 0
         bo < in lobby, seq 1, recovered [1], with ana bo
         bo waits 10000
         ana join kitchen
         ana < in kitchen, seq 0, [], with ana
         ana rooms
         ana < rooms: kitchen 1 0, lobby 2 1",
    );
}

#[test]
fn who_closes_after_a_take_over_is_gone_at_once() {
    script(
        "ana hello
         ana < welcome ana
         bo hello
         bo < welcome bo
         bo join lobby
         bo < in lobby, seq 0, [], with bo
         bo hello again
         somebody is replaced
         bo < welcome back bo
         bo typing lobby
         bo < refused: you are not in lobby
         bo closes
         ana nick bo
         ana < ana is bo
         ana join lobby
         ana < in lobby, seq 0, [], with bo",
    );
}

#[test]
fn without_grace_everybody_leaves_at_once() {
    script_with(
        Rules { has_archive: false, grace: Duration::ZERO, ..rules() },
        "ana enters lobby
         bo hello
         bo < welcome bo
         bo join lobby
         bo < in lobby, seq 0, [], with ana bo
         bo breaks
         ana < bo left lobby: Error
         bo hello again
         bo < welcome back bo",
    );
}

#[test]
fn a_session_is_forgotten_after_ten_minutes() {
    script(
        "ana hello
         ana < welcome ana
         ana closes
         ana waits 600000
         ana hello again
         ana < welcome ana",
    );
}

#[test]
fn a_recovery_is_whole_or_none() {
    script(
        "ana hello
         ana < welcome ana
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         ana say lobby one
         ana < 1 ana: one
         ana say lobby two
         ana < 2 ana: two
         ana say lobby three
         ana < 3 ana: three
         ana say lobby four
         ana < 4 ana: four
         ana say lobby five
         ana < 5 ana: five
         ana say lobby six
         ana < 6 ana: six
         ana join lobby e1 6
         ana < in lobby, seq 6, recovered [], with ana
         ana join lobby e1 1
         ana < in lobby, seq 6, recovered [2 3 4 5 6], with ana
         ana join lobby e1 0
         ana < in lobby, seq 6, [2 3 4 5 6], with ana
         ana join lobby e1 7
         ana < in lobby, seq 6, [2 3 4 5 6], with ana
         ana join lobby e0 5
         ana < in lobby, seq 6, [2 3 4 5 6], with ana
         ana history lobby
         ana < [5 6] and more
         ana history lobby 4
         ana < [2 3]
         ana history lobby 2
         ana < []",
    );
}

#[test]
fn an_empty_room_is_held_for_what_was_said_there() {
    let history = HistoryLimits { lines_max: 5, idle_rooms_max: 1, ..HistoryLimits::default() };
    script_with(
        Rules { history, ..rules() },
        "ana hello
         ana < welcome ana
         ana join attic
         ana < in attic, seq 0, [], with ana
         ana say attic one
         ana < 1 ana: one
         ana part attic
         ana < out of attic
         ana join attic e1 0
         ana < in attic, seq 1, recovered [1], with ana
         ana part attic
         ana < out of attic
         ana join kitchen
         ana < in kitchen, seq 0, [], with ana
         ana say kitchen uno
         ana < 1 ana: uno
         ana part kitchen
         ana < out of kitchen
         ana rooms
         ana < rooms: kitchen 0 1
         ana join attic e1 0
         ana < in attic, seq 1, [], with ana
         ana say attic two
         ana < 2 ana: two
         ana join attic e1 1
         ana < in attic, seq 2, recovered [2], with ana",
    );
}

#[test]
fn history_is_bounded_in_bytes() {
    let history = HistoryLimits { bytes_max: 3000, ..HistoryLimits::default() };
    let mut stage = Stage::new(Rules { history, ..rules() });
    stage.play("ana hello");
    for number in 0..20 {
        stage.play(&format!("ana join room-{number}"));
        for word in ["one", "two", "three"] {
            stage.play(&format!("ana say room-{number} {word}-{number}-{}", "x".repeat(50)));
        }
        stage.play(&format!("ana part room-{number}"));
        let (rooms, idle, bytes) = stage.chat.rooms.held();
        assert!(bytes <= 3000 && rooms == idle, "{bytes} bytes, {rooms} rooms, {idle} idle");
    }
    stage.play("ana join long");
    for number in 0..50 {
        stage.play(&format!("ana say long {number}-{}", "x".repeat(50)));
        assert!(stage.chat.rooms.held().2 <= 3000);
    }
}

#[test]
fn ended_sessions_are_bounded() {
    let mut stage = Stage::new(rules());
    for number in 0..5000 {
        stage.play(&format!("guest-{number} hello"));
        stage.play(&format!("guest-{number} closes"));
    }
    assert_eq!(stage.chat.memory.len(), 4096);
    assert!(stage.chat.people.is_empty() && stage.chat.taken.is_empty());
}

#[test]
fn every_given_name_is_given_once() {
    let mut stage = Stage::new(rules());
    // A thousand of the hundred thousand collide a few times; the last of a full house walks far.
    for number in 0..1000 {
        stage.play(&format!("user-{number} enters lobby"));
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
        stage.chat.reserve(PersonId(0), &Nickname::given(number));
    }
    stage.play("somebody: enters lobby");
    assert_eq!(stage.chat.members(&room("lobby"))[0].as_str(), "user-4711");
}
