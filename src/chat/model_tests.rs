//! Properties of any sequence of commands. Users of both dialects connect, send messages, lose their
//! connections and come back, in a few rooms with short histories.
//!
//! A [`Model`] carries out each step. It has its own record of the memberships and of the notices that
//! each client got. After each step the chat, the model and the clients must agree.

mod checks;
mod model;
mod views;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use model::{Model, ModelPerson, look_alike};

const ROOMS: [&str; 3] = ["lobby", "kitchen", "attic"];
/// Two pairs of these look alike.
const NAMES: [&str; 5] = ["ana", "ANA", "Iris", "lris", "bo"];
const USERS: usize = 5;
/// The numbers of the messages that an earlier run of the server left in the attic. Its `seq` is 9.
const RESTORED: [u64; 4] = [2, 3, 4, 7];
const RESTORED_SEQ: u64 = 9;

#[derive(Clone, Debug)]
enum Step {
    Enter { room: usize, wish: usize },
    Speak,
    Hello { wish: Option<usize>, again: bool },
    Join { room: usize, after: After },
    Part { room: usize },
    Say { room: usize, id: u8 },
    Tell { to: usize, id: u8 },
    Nick { name: usize },
    Typing { room: usize },
    History { room: usize, before: Option<u64>, limit: usize },
    Close,
    Break,
    Wait { ms: u64 },
}

/// The newest message that a joining client claims to have.
#[derive(Clone, Debug)]
enum After {
    Nothing,
    /// The one that it has.
    Newest,
    Number(u64),
    /// One of another history.
    OtherEpoch,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let room = || 0..ROOMS.len();
    let after = prop_oneof![
        4 => Just(After::Newest),
        2 => (0_u64..30).prop_map(After::Number),
        1 => Just(After::Nothing),
        1 => Just(After::OtherEpoch),
    ];
    let wish = prop::option::of(0..NAMES.len());
    let before = prop::option::weighted(0.8, 0_u64..15);
    let step = prop_oneof![
        3 => (room(), 0..NAMES.len()).prop_map(|(room, wish)| Step::Enter { room, wish }),
        6 => Just(Step::Speak),
        6 => (wish, prop::bool::weighted(0.8))
            .prop_map(|(wish, again)| Step::Hello { wish, again }),
        9 => (room(), after).prop_map(|(room, after)| Step::Join { room, after }),
        2 => room().prop_map(|room| Step::Part { room }),
        9 => (room(), 0_u8..60).prop_map(|(room, id)| Step::Say { room, id }),
        2 => (0..NAMES.len(), 0_u8..60).prop_map(|(to, id)| Step::Tell { to, id }),
        2 => (0..NAMES.len()).prop_map(|name| Step::Nick { name }),
        4 => room().prop_map(|room| Step::Typing { room }),
        4 => (room(), before, 1_usize..12)
            .prop_map(|(room, before, limit)| Step::History { room, before, limit }),
        1 => Just(Step::Close),
        3 => Just(Step::Break),
        3 => prop::sample::select(vec![1, 2999, 5000, 10_000, 600_000])
            .prop_map(|ms| Step::Wait { ms }),
    ];
    vec((0..USERS, step), 1..150)
}

fn limits() -> impl Strategy<Value = Rules> {
    let lines = prop::sample::select(vec![8, 8, 8, 1, 0]);
    let bytes = prop::sample::select(vec![1 << 20, 1 << 20, 1000]);
    let grace = prop::sample::select(vec![10, 10, 10, 0]);
    // The longer answer holds all messages of a test, the shorter one about three.
    let answers = prop::sample::select(vec![1 << 20, 1000]);
    let limits = (lines, bytes, 0..3_usize, grace, any::<bool>(), answers);
    limits.prop_map(|(lines_max, bytes_max, idle_rooms_max, grace, has_archive, answer)| Rules {
        history: HistoryLimits { lines_max, bytes_max, idle_rooms_max },
        has_archive,
        grace: Duration::from_secs(grace),
        quota: Quota { answer_bytes_max: answer, ..Rules::simple().quota },
        ..Rules::simple()
    })
}

fn room(index: usize) -> RoomName {
    RoomName::parse(ROOMS[index]).unwrap()
}

fn name(index: usize) -> Nickname {
    Nickname::parse(NAMES[index]).unwrap()
}

fn message(number: u8) -> (Id, Text) {
    let id = Id::parse(&format!("id-{number}")).unwrap();
    (id, Text::parse(&format!("text {number}"), 100).unwrap())
}

fn reply(client: ClientId, notice: Notice) -> Delivery {
    Delivery::Reply { client, notice }
}

fn not_in(room: RoomName) -> Notice {
    Notice::Error(CommandError::NotInRoom(room))
}

impl Model {
    fn play(&mut self, user: usize, step: &Step) {
        let is_plain = self.users[user].is_plain;
        match (step, self.users[user].client) {
            (Step::Wait { ms }, _) => self.wait(*ms),
            (Step::Enter { room: at, wish }, None) => self.enter(user, &room(*at), name(*wish)),
            (Step::Speak, Some(client)) if is_plain => self.speak(client),
            (Step::Hello { wish, again }, client) if client.is_none() || !is_plain => {
                self.hello(user, wish.map(name), *again);
            }
            (Step::Close, Some(client)) => self.leave(client, LeaveReason::Closed),
            (Step::Break, Some(client)) => self.leave(client, LeaveReason::TimedOut),
            (_, Some(client)) if !is_plain => self.command(user, client, step),
            _ => return,
        }
        self.check();
    }

    fn request(&mut self, client: ClientId, command: Command) -> Vec<Delivery> {
        let out = self.apply(client, command);
        self.carry_out(&out);
        out
    }

    fn enter(&mut self, user: usize, room: &RoomName, wish: Nickname) {
        let (client, mut out) = (self.connect(user, true), vec![]);
        let (wished, now) = (Some(wish.clone()), self.now);
        let got = self
            .chat
            .enter(
                client,
                room.clone(),
                wished,
                &mut Turn { now, random: &mut self.random, out: &mut out },
            )
            .unwrap();
        self.add_person(client, Some(wish), got, None);
        self.add_member(client, room);
        self.carry_out(&out);
    }

    fn speak(&mut self, client: ClientId) {
        let text = Text::parse("hello", 100).unwrap();
        let mut out = vec![];
        let turn = &mut Turn { now: self.now, random: &mut self.random, out: &mut out };
        self.chat.say(client, text, turn);
        assert_eq!(out.len(), 1);
        self.carry_out(&out);
    }

    fn hello(&mut self, user: usize, wish: Option<Nickname>, again: bool) {
        let session = self.users[user].session.filter(|_| again);
        let before = self.users[user].client;
        let command = Command::Hello { wish: wish.clone(), session };
        if let (Some(client), None) = (before, session) {
            let notice = Notice::Error(CommandError::HelloAgain);
            assert_eq!(self.request(client, command), [reply(client, notice)]);
            return;
        }
        let client = self.connect(user, false);
        let found = self.people.iter().position(|it| session.is_some() && it.session == session);
        if let Some(index) = found {
            self.mark_away(index, LeaveReason::Closed);
            self.people[index].client = Some(client);
            let had_closed = std::mem::take(&mut self.people[index].has_closed);
            let wish = wish.clone().filter(|wish| had_closed && self.is_free(wish, found));
            if let Some(wish) = wish {
                self.people[index].nickname = wish;
            }
        }
        let out = self.request(client, command);
        let welcome = out.iter().find_map(|delivery| match delivery {
            Delivery::Reply {
                client: to,
                notice: Notice::Welcome { session, nickname, resumed },
            } if *to == client => Some((*session, nickname.clone(), *resumed)),
            _ => None,
        });
        let (token, nickname, resumed) = welcome.expect("a welcome");
        let ended = session.and_then(|session| self.ended.remove(&session));
        assert_eq!(resumed, found.is_some() || ended.is_some());
        assert_eq!(resumed, session == Some(token), "the session is resumed, or a new one");
        match found {
            Some(index) => assert_eq!(self.people[index].nickname, nickname),
            None => {
                let wish = wish.filter(|wish| self.is_free(wish, None));
                let wish = wish.or(ended.map(|(_, nickname)| nickname));
                self.add_person(client, wish, nickname, Some(token));
            }
        }
        self.users[user].session = Some(token);
        if let Some(old) = before {
            assert!(out.contains(&Delivery::Replaced { client: old }));
            self.views.retain(|(client, _), _| *client != old);
            // The old connection ends without a departure.
            self.leave_chat(old, LeaveReason::Error);
        }
    }

    fn command(&mut self, user: usize, client: ClientId, step: &Step) {
        match step {
            Step::Join { room: at, after } => self.join(user, client, room(*at), after),
            Step::Part { room: at } => self.part(client, room(*at)),
            Step::Say { room: at, id } => self.say(client, room(*at), *id),
            Step::Tell { to, id } => self.tell(client, name(*to), *id),
            Step::Nick { name: to } => self.rename(client, name(*to)),
            Step::Typing { room: at } => self.typing(client, room(*at)),
            Step::History { room: at, before, limit } => {
                self.history(client, room(*at), *before, *limit);
            }
            _ => {}
        }
    }

    fn join(&mut self, user: usize, client: ClientId, room: RoomName, after: &After) {
        let since = |epoch: &str, after| Some(Since { epoch: epoch.to_owned(), after });
        let newest = self.users[user].newest.get(&room).copied();
        self.since = match after {
            After::Nothing => None,
            After::Newest => newest.and_then(|newest| since("e1", newest)),
            After::Number(number) => since("e1", *number),
            After::OtherEpoch => since("e0", 1),
        };
        self.add_member(client, &room);
        self.request(client, Command::Join { room, since: self.since.clone() });
    }

    fn part(&mut self, client: ClientId, room: RoomName) {
        let person = self.person(client);
        let was_in = self.people[person].memberships.contains_key(&room);
        self.expect_left(person, Some(LeaveReason::Closed), |it, _| *it == room);
        self.views.remove(&(client, room.clone()));
        let out = self.request(client, Command::Part { room: room.clone() });
        let answer = if was_in { Notice::Parted { room } } else { not_in(room) };
        assert_eq!(out.last(), Some(&reply(client, answer)));
    }

    fn say(&mut self, client: ClientId, room: RoomName, number: u8) {
        let (id, text) = message(number);
        let (here, before) = (self.is_here(client, &room), self.original(client, &id));
        let say = Command::Say(NewMessage { room: room.clone(), text, id, kind: Kind::Say });
        let out = self.request(client, say);
        match before {
            Some(original) => assert_eq!(out, [reply(client, original)], "a message is sent once"),
            None if !here => assert_eq!(out, [reply(client, not_in(room))]),
            // `carry_out` checks the message.
            None => assert!(matches!(out[..], [Delivery::Room { .. }])),
        }
    }

    fn tell(&mut self, client: ClientId, to: Nickname, number: u8) {
        let (id, text) = message(number);
        let is_there =
            |person: &&ModelPerson| !person.has_closed && look_alike(&person.nickname, &to);
        let other = self.people.iter().find(is_there);
        let has_session = other.is_some_and(|other| other.session.is_some());
        let other = other.and_then(|it| it.client).filter(|it| has_session && *it != client);
        let before = self.original(client, &id);
        let out =
            self.request(client, Command::Tell(NewPrivateMessage { to, text, id: id.clone() }));
        if let Some(original) = before {
            assert_eq!(out, [reply(client, original)], "a private message is sent once");
            return;
        }
        let recipients = out.iter().flat_map(|delivery| match delivery {
            Delivery::Clients { clients, .. } => clients.clone(),
            _ => vec![],
        });
        assert_eq!(recipients.collect::<Vec<_>>(), Vec::from_iter(other));
        match out.last() {
            Some(Delivery::Reply { client: to, notice: Notice::Error(_) }) => {
                assert!(*to == client && !has_session);
            }
            Some(Delivery::Reply { client: to, notice }) => {
                assert!(*to == client && has_session);
                self.record_receipt(client, id, notice);
            }
            other => panic!("{other:?}"),
        }
    }

    fn rename(&mut self, client: ClientId, to: Nickname) {
        let person = self.person(client);
        let command = Command::Nick { nickname: to.clone() };
        if !self.is_free(&to, Some(person)) {
            let answer = Notice::Error(CommandError::NickTaken(to));
            assert_eq!(self.request(client, command), [reply(client, answer)]);
            return;
        }
        let from = std::mem::replace(&mut self.people[person].nickname, to.clone());
        let mut memberships: Vec<_> = self.people[person].memberships.iter().collect();
        memberships.sort_by_key(|(_, membership)| membership.arrival);
        let rooms = memberships.into_iter().map(|(room, _)| room.clone()).collect();
        let out = self.request(client, command);
        assert_eq!(out.last(), Some(&reply(client, Notice::Renamed { from, to, rooms })));
    }

    fn typing(&mut self, client: ClientId, room: RoomName) {
        let (person, now, here) =
            (self.person(client), self.now.instant, self.is_here(client, &room));
        let membership = self.people[person].memberships.get_mut(&room).filter(|_| here);
        let is_due = membership.is_some_and(|membership| {
            let is_due = membership.typed.is_none_or(|last| now - last >= Duration::from_secs(3));
            membership.typed = if is_due { Some(now) } else { membership.typed };
            is_due
        });
        match &self.request(client, Command::Typing { room: room.clone() })[..] {
            [] => assert!(here && !is_due),
            [Delivery::Others { .. }] => assert!(is_due),
            out => assert_eq!((out, here), (&[reply(client, not_in(room))][..], false)),
        }
    }

    fn history(&mut self, client: ClientId, room: RoomName, before: Option<u64>, limit: usize) {
        let here = self.is_here(client, &room);
        match &self.request(client, Command::History { room: room.clone(), before, limit })[..] {
            [Delivery::Reply { notice: Notice::History { messages, more, .. }, .. }] => {
                let newest = self.newest(&room).min(before.unwrap_or(u64::MAX).max(1) - 1);
                self.check_slice(&room, messages, newest);
                assert!(here && messages.len() <= limit);
                assert!(!more || messages.len() == limit && messages[0].seq > 1);
                if self.rules.has_archive {
                    let stored =
                        self.messages_after(&room, 0).filter(|it| it.seq <= newest).count();
                    assert_eq!(messages.len(), stored.min(limit));
                    assert_eq!(*more, stored > limit);
                }
            }
            out => assert_eq!((out, here), (&[reply(client, not_in(room))][..], false)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_chat_agrees_with_the_model(rules in limits(), steps in steps()) {
        let mut model = Model::new(rules);
        for (user, step) in &steps {
            model.play(*user, step);
        }
        model.end();
    }
}

#[test]
fn the_last_256_ids_are_remembered() {
    let mut model = Model::new(Rules::simple());
    model.play(0, &Step::Hello { wish: None, again: false });
    model.play(0, &Step::Join { room: 0, after: After::Nothing });
    let id = |number: usize| Id::parse(&format!("id-{number}")).unwrap();
    let mut is_sent = |number| {
        let text = Text::parse("text", 100).unwrap();
        let say = Command::Say(NewMessage { room: room(0), text, id: id(number), kind: Kind::Say });
        let client = model.client_of(0);
        matches!(model.apply(client, say)[..], [Delivery::Room { .. }])
    };
    assert!((0..257).all(&mut is_sent));
    assert!((1..257).all(|number| !is_sent(number)));
    assert!(is_sent(0), "the oldest id is forgotten");
}
