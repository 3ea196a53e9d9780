//! The chat by scripts. What holds in any stream of commands is in `chat/model_tests.rs`.

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
                let (now, random) = (self.now, &mut self.random);
                if let Err(refused) = self.chat.enter(
                    client,
                    room(with),
                    wish,
                    &mut Turn { now, random, out: &mut out },
                ) {
                    self.transcript.push_str(&format!("{who} < refused: {refused}\n"));
                }
            }
            "speaks" => {
                let turn = &mut Turn { now: self.now, random: &mut self.random, out: &mut out };
                self.chat.say(self.clients[who], text(with), turn);
            }
            "closes" | "breaks" => {
                let leave_reason =
                    if what == "closes" { LeaveReason::Closed } else { LeaveReason::Error };
                self.chat.leave(
                    self.clients[who],
                    leave_reason,
                    &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
                );
            }
            "waits" => {
                let passed = Duration::from_millis(with.parse().unwrap());
                self.now.instant += passed;
                self.chat.tick(&mut Turn {
                    now: self.now,
                    random: &mut self.random,
                    out: &mut out,
                });
            }
            _ => {
                let command = self.command(who, what, with);
                if matches!(command, Command::Hello { .. }) {
                    self.connect(who);
                }
                let client = self.clients[who];
                self.chat.apply(
                    client,
                    command,
                    &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
                );
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
            "in {}, seq {}, {}[{}]{}, with {}",
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
        Notice::Parted { room } => format!("out of {room}"),
        Notice::History { messages, more, .. } => {
            format!("[{}]{}", lines(messages), if *more { " and more" } else { "" })
        }
        Notice::Results { .. } | Notice::Announcement { .. } => format!("{notice:?}"),
        Notice::Rooms { rooms, more } => {
            let rooms: Vec<_> =
                rooms.iter().map(|it| format!("{} {} {}", it.room, it.members, it.seq)).collect();
            format!("rooms: {}{}", rooms.join(", "), if *more { " and more" } else { "" })
        }
        Notice::Pong => "pong".to_owned(),
        Notice::Error(refused) => format!("refused: {refused}"),
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
    stage.chat.apply(
        stage.clients["ana"],
        hello,
        &mut Turn { now: stage.now, random: &mut stage.random, out: &mut out },
    );
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

#[cfg(feature = "confusables")]
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
         ana waits 10000
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
         bo say lobby one
         ana < 1 bo: one
         bo < 1 bo: one
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
         bo < in lobby, seq 1, [1], with ana bo",
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
         ana join lobby
         ana < in lobby, seq 0, [], with ana",
    );
}

#[test]
fn the_name_of_a_client_that_closed_is_held_for_it_for_the_grace() {
    script(
        "ana hello
         ana < welcome ana
         bo hello
         bo < welcome bo
         bo join lobby
         bo < in lobby, seq 0, [], with bo
         bo closes
         ana nick bo
         ana < refused: bo is taken, or looks like a name that is
         ana tell bo there?
         ana < refused: nobody here is called bo
         bo waits 9999
         bo hello again
         bo < welcome back bo
         bo closes
         bo waits 10000
         ana nick bo
         ana < ana is bo",
    );
}

#[test]
fn a_client_that_closed_and_comes_back_may_be_called_something_else() {
    let mut stage = Stage::new(rules());
    stage.play("ana hello");
    stage.play("ana closes");
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
         bo < welcome bo",
    );
}

#[test]
fn a_session_is_forgotten_after_ten_minutes() {
    script(
        "ana hello
         ana < welcome ana
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         ana say lobby one
         ana < 1 ana: one
         ana closes
         ana waits 10000
         ana waits 599999
         ana hello again
         ana < welcome back ana
         ana closes
         ana waits 10000
         ana waits 600000
         ana hello again
         ana < welcome ana",
    );
}

#[test]
fn a_session_that_said_nothing_is_not_remembered_beyond_the_grace() {
    script(
        "ana hello
         ana < welcome ana
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         ana closes
         ana waits 10000
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
        let (rooms, idle, bytes) = stage.chat.rooms.sizes();
        assert!(bytes <= 3000 && rooms == idle, "{bytes} bytes, {rooms} rooms, {idle} idle");
    }
    stage.play("ana join long");
    for number in 0..50 {
        stage.play(&format!("ana say long {number}-{}", "x".repeat(50)));
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
            stage.play(&format!("{name} join lobby"));
            stage.play(&format!("{name} say lobby {number}"));
        }
        stage.play(&format!("{name} closes"));
    }
    // Those that said nothing are not among them.
    assert_eq!(stage.chat.recent_sessions.len(), 2500);
    assert!(stage.chat.people.is_empty() && stage.chat.taken.is_empty());
    stage.play("guest-0 hello again");
    assert!(stage.transcript.ends_with("welcome back guest-0\n"));
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
        stage.chat.take_nickname(PersonId(0), &Nickname::given(number));
    }
    stage.play("somebody: enters lobby");
    assert_eq!(stage.chat.members(&room("lobby"))[0].as_str(), "user-4711");
}

/// A chat that counts networks, in which clients come from one network unless they say otherwise.
fn counted(people_per_network_max: usize) -> Stage {
    let people_per_network_max = std::num::NonZeroUsize::new(people_per_network_max);
    Stage::new(Rules {
        quota: Quota { people_max: 100, people_per_network_max, ..Rules::simple().quota },
        ..rules()
    })
}

#[test]
fn people_who_are_away_count_and_make_way_for_those_of_their_network() {
    let mut stage = counted(4);
    let other = Network::of([192, 0, 2, 1].into());
    stage.play("ana hello");
    stage.play("ana join lobby");
    let stranger = stage.connect("bo");
    stage.chat.connect(stranger, other);
    let hello = Command::Hello { wish: Nickname::parse("bo").ok(), session: None };
    let (now, mut out) = (stage.now, Vec::new());
    stage.chat.apply(stranger, hello, &mut Turn { now, random: &mut stage.random, out: &mut out });
    stage.write_down(out);
    stage.play("bo join lobby");
    stage.play("bo breaks");
    let mut refused = 0;
    for number in 0..100 {
        stage.transcript.clear();
        stage.play(&format!("ghost-{number} hello"));
        refused += usize::from(stage.transcript.contains("refused: too much at once"));
        stage.play(&format!("ghost-{number} join lobby"));
        stage.play(&format!("ghost-{number} breaks"));
        assert!(stage.chat.people.len() <= 4 + 1 && stage.chat.members(&room("lobby")).len() <= 5);
        assert_eq!(stage.chat.networks.people(), stage.chat.people.len());
    }
    // Twice as many as may be there come at once, and ana was one of them.
    assert_eq!(refused, 100 - 7);
    stage.transcript.clear();
    stage.play("bo hello again");
    stage.play("ana say lobby still-here");
    assert!(stage.transcript.contains("bo < welcome back bo\n"), "{}", stage.transcript);
    assert!(stage.transcript.ends_with("ana < 1 ana: still-here\n"), "{}", stage.transcript);
}

#[test]
fn where_the_chat_is_full_a_person_who_is_away_makes_way() {
    let quota = Quota { people_max: 3, ..Rules::simple().quota };
    let mut stage = Stage::new(Rules { quota, ..rules() });
    for name in ["ana", "bo", "carl"] {
        stage.play(&format!("{name} hello"));
    }
    stage.play("bo breaks");
    stage.transcript.clear();
    for name in ["dora", "emil"] {
        stage.play(&format!("{name} hello"));
    }
    assert_eq!(
        stage.transcript,
        "dora < welcome dora\nemil < refused: too much at once; try again in 1000 ms\n"
    );
    assert_eq!(stage.chat.people.len(), 3);
}

#[test]
fn a_session_that_is_known_goes_on_without_a_price() {
    let mut stage = counted(4);
    stage.play("ana hello");
    for _ in 0..100 {
        stage.play("ana breaks");
        stage.transcript.clear();
        stage.play("ana hello again");
        assert_eq!(stage.transcript, "ana < welcome back ana\n");
    }
}

#[test]
fn arrivals_of_a_network_are_bounded() {
    let mut stage = counted(2);
    stage.play("ana hello");
    let joined = |stage: &mut Stage| {
        stage.transcript.clear();
        stage.play("ana join lobby");
        stage.play("ana part lobby");
        stage.transcript.contains("< in lobby")
    };
    assert_eq!((0..100).filter(|_| joined(&mut stage)).count(), 32);
    stage.play("ana waits 1000");
    assert_eq!((0..100).filter(|_| joined(&mut stage)).count(), 16);
}

#[test]
fn the_rooms_of_a_network_are_bounded() {
    let mut stage = counted(64);
    let mut refused = 0;
    for number in 0..300 {
        if number % 16 == 0 {
            stage.play(&format!("guest-{} hello", number / 16));
        }
        stage.transcript.clear();
        stage.play(&format!("guest-{} join room-{number}", number / 16));
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
    stage.play("guest-18 join lobby");
    stage.play("guest-18 join cellar");
    assert!(stage.transcript.contains("in cellar"), "a room of others may be joined");
    assert!(stage.transcript.contains("refused: there are too many rooms"));
}

#[test]
fn rooms_are_listed_and_members_named_in_pages() {
    script(
        "ana enters a
         bo enters b
         carl enters d
         dora hello
         dora < welcome dora
         dora join c
         dora < in c, seq 0, [], with dora
         dora rooms
         dora < rooms: a 1 0, b 1 0, c 1 0 and more
         dora rooms b
         dora < rooms: c 1 0, d 1 0
         dora rooms bb
         dora < rooms: c 1 0, d 1 0
         dora members a
         dora < refused: you are not in a
         dora members c dora
         dora < 1 members: []
         dora members c ana
         dora < refused: nobody here is called ana",
    );
    let mut stage = Stage::new(rules());
    stage.play("ana hello");
    for number in 0..1100 {
        stage.play(&format!("guest-{number} enters lobby"));
    }
    stage.transcript.clear();
    stage.play("ana join lobby");
    assert!(stage.transcript.ends_with("guest-498 guest-499\n"), "{}", stage.transcript);
    stage.play("ana members lobby guest-499");
    let pages = &stage.transcript;
    assert!(pages.ends_with("guest-998 guest-999] and more\n"), "{pages}");
    stage.play("ana members lobby guest-999");
    assert!(stage.transcript.ends_with("guest-1099 ana]\n"));
    assert!(stage.transcript.contains("ana < 1101 members: [guest-1000 "));
}

#[test]
fn a_client_is_told_only_so_much_and_the_sender_is_told_so() {
    let mut stage = Stage::new(rules());
    for name in ["ana", "bo", "carl"] {
        stage.play(&format!("{name} hello"));
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
    stage.play("ana waits 2000");
    assert!(tell(&mut stage, "ana", 200) && !tell(&mut stage, "ana", 201));
}

#[test]
fn the_largest_rooms_shrink_first() {
    let history = HistoryLimits { lines_max: 500, bytes_max: 100_000, idle_rooms_max: 5 };
    let mut stage = Stage::new(Rules { history, ..Rules::simple() });
    stage.play("ana enters lobby");
    stage.play("bo enters large");
    stage.play("carl enters left");
    for number in 0..8 {
        stage.play(&format!("ana speaks {number}"));
        stage.play(&format!("carl speaks {number}"));
    }
    stage.play("carl closes");
    for _ in 0..1000 {
        stage.play(&format!("bo speaks {}", "x".repeat(1000)));
    }
    let held = |name: &str| stage.chat.rooms.get(&room(name)).map(|it| it.before(u64::MAX).len());
    assert_eq!((held("lobby"), held("left")), (Some(8), Some(8)));
    assert!(held("large").is_some_and(|held| held > 70), "{:?}", held("large"));
    assert!(stage.chat.rooms.sizes().2 <= 100_000);
}

#[test]
fn an_idle_room_of_the_network_that_opened_most_is_forgotten_first() {
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
    stage.play("bo speaks kept?");
    stage.play("bo closes");
    for number in 0..128 {
        stage.play(&format!("ana enters room-{number}"));
        stage.play("ana speaks flushed?");
        stage.play("ana closes");
    }
    assert_eq!(stage.chat.rooms.sizes().1, 100);
    assert_eq!(stage.chat.rooms.get(&room("kitchen")).map(Room::seq), Some(1));
}

#[test]
fn a_large_gap_is_made_up_for_in_parts() {
    let history = HistoryLimits { lines_max: 50, ..HistoryLimits::default() };
    // Some five messages fit into an answer.
    let quota = Quota { answer_bytes_max: 1000, ..Rules::simple().quota };
    let rules = Rules { history, quota, ..Rules::simple() };
    let before = "ana hello
         ana < welcome ana
         ana join lobby
         ana < in lobby, seq 0, [], with ana
         ana breaks
         bo enters lobby\n";
    let said: String = (1..=10)
        .map(|number| format!("bo speaks {number}\nbo < {number} bo: {number}\n"))
        .collect();
    let after = "ana hello again
         ana < welcome back ana
         ana join lobby e1 0
         ana < in lobby, seq 10, recovered [1 2 3 4 5] and more, with ana bo
         bo speaks one-more
         bo < 11 bo: one-more
         ana say lobby between
         bo < 12 ana: between
         ana join lobby e1 5
         ana < in lobby, seq 12, recovered [6 7 8 9 10] and more, with ana bo
         ana waits 20000
         ana join lobby e1 10
         ana < in lobby, seq 12, recovered [11 12], with ana bo
         bo speaks done
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
    for line in ["ana hello", "bo hello", "carl hello", "ana nick zoe", "carl breaks"] {
        before.play(line);
    }
    before.play("carl waits 10000");
    let changes = before.chat.take_name_changes();
    // As they are kept: the last word on each session.
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
    after.play("bo hello");
    after.play("eve hello");
    after.play("eve nick zoe");
    after.play("eve tell zoe there?");
    after.play("eve waits 9999");
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
    after.play("eve waits 1");
    after.play("eve nick bo");
    assert_eq!(after.transcript, "eve < eve is bo\n");
    assert!(after.chat.held.is_empty() && after.chat.people.len() == 3);
}
