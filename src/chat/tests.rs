//! The chat by scripts, and by streams of random commands.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;

/// Plays a script. `ana + kitchen` lets a client in that wishes to be `ana`, `ana > text` has it
/// speak, `ana -` has it leave. Each command is followed by what everybody is told, as `bo < line`.
fn play(script: &str) -> String {
    let mut chat = Chat::default();
    let mut random = StdRng::seed_from_u64(1);
    let mut clients: HashMap<String, ClientId> = HashMap::new();
    let mut transcript = String::new();
    for command in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (who, rest) = command.split_once(' ').expect("who, and what");
        let (what, argument) = rest.split_at(1);
        let delivery = match what {
            "+" => {
                let client = ClientId(clients.len() as u64);
                clients.insert(who.to_owned(), client);
                let room = RoomName::parse(argument.trim()).unwrap();
                let nickname = chat.enter(client, room, Nickname::parse(who).ok(), &mut random);
                if nickname.as_str() != who {
                    transcript.push_str(&format!("{who} is another\n"));
                }
                None
            }
            ">" => chat.say(clients[who], Text::parse(argument.trim(), 100).unwrap()),
            "-" => chat.leave(clients[who]),
            _ => panic!("no such command: {command}"),
        };
        let Some(Delivery { room, notice }) = delivery else { continue };
        for member in chat.members(&room) {
            let name = clients.iter().find(|(_, client)| **client == member).unwrap().0;
            transcript.push_str(&match &notice {
                Notice::Message { nickname, text } => {
                    format!("{name} < {nickname}: {}\n", text.as_str())
                }
                Notice::Left { nickname } => format!("{name} < {nickname} left\n"),
            });
        }
    }
    transcript
}

#[test]
fn everybody_hears_everybody_and_themselves() {
    let transcript = play(
        "ana + lobby
         ana > anybody?
         bo + lobby
         bo > me
         ana -
         bo > gone?",
    );
    assert_eq!(
        transcript,
        "ana < ana: anybody?\nana < bo: me\nbo < bo: me\nbo < ana left\nbo < bo: gone?\n"
    );
}

#[test]
fn rooms_do_not_hear_each_other() {
    let transcript = play(
        "ana + lobby
         bo + kitchen
         ana > hello
         bo > soup
         bo -",
    );
    assert_eq!(transcript, "ana < ana: hello\nbo < bo: soup\n");
}

#[test]
fn a_goodbye_is_said_once() {
    let transcript = play("ana + lobby\nbo + lobby\nbo -\nbo -\nbo > still here?\nana -");
    assert_eq!(transcript, "ana < bo left\n");
}

#[test]
fn a_name_that_is_taken_is_not_given_again_until_it_is_free() {
    assert_eq!(play("ana + lobby\nANA + kitchen"), "ANA is another\n");
    assert_eq!(play("ana + lobby\nana -\nANA + kitchen"), "");
}

#[test]
fn every_given_name_is_given_once() {
    let mut chat = Chat::default();
    let mut random = StdRng::seed_from_u64(7);
    // A thousand of the hundred thousand collide a few times; the last of a full house walks far.
    let names: BTreeSet<String> = (0..1000)
        .map(|id| chat.enter(ClientId(id), RoomName::lobby(), None, &mut random).to_string())
        .collect();
    assert_eq!(names.len(), 1000);
    for name in names {
        let number = name.strip_prefix("user-").unwrap().parse::<u32>().unwrap();
        assert!(number < GIVEN_NAMES);
    }
}

#[test]
fn the_last_free_name_is_found() {
    let mut chat = Chat::default();
    for number in 0..GIVEN_NAMES {
        if number != 4711 {
            chat.taken.extend(Nickname::given(number).forms());
        }
    }
    let mut random = StdRng::seed_from_u64(0);
    let nickname = chat.enter(ClientId(1), RoomName::lobby(), None, &mut random);
    assert_eq!(nickname.as_str(), "user-4711");
}

#[derive(Clone, Debug)]
enum Command {
    Enter { room: usize, wish: Option<usize> },
    Say { client: u64 },
    Leave { client: u64 },
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => (0..3_usize, proptest::option::of(0..WISHES.len()))
            .prop_map(|(room, wish)| Command::Enter { room, wish }),
        4 => (0..40_u64).prop_map(|client| Command::Say { client }),
        2 => (0..40_u64).prop_map(|client| Command::Leave { client }),
    ]
}

const ROOMS: [&str; 3] = ["lobby", "kitchen", "attic"];
const WISHES: [&str; 6] = ["ana", "ANA", "Iris", "lris", "bo", "zoë"];

proptest! {
    /// Against a model that only knows who is in which room.
    #[test]
    fn invariants_hold_whatever_happens(
        commands in proptest::collection::vec(command(), 1..200),
        seed in any::<u64>(),
    ) {
        let mut chat = Chat::default();
        let mut random = StdRng::seed_from_u64(seed);
        let mut present: BTreeMap<ClientId, (RoomName, Nickname)> = BTreeMap::new();
        let mut next = 0;
        for command in commands {
            let (client, delivery) = match command {
                Command::Enter { room, wish } => {
                    let client = ClientId(next);
                    next += 1;
                    let room = RoomName::parse(ROOMS[room]).unwrap();
                    let wish = wish.map(|wish| Nickname::parse(WISHES[wish]).unwrap());
                    let nickname = chat.enter(client, room.clone(), wish, &mut random);
                    present.insert(client, (room, nickname));
                    (client, None)
                }
                Command::Say { client } => {
                    let client = ClientId(client);
                    (client, chat.say(client, Text::parse("hi", 10).unwrap()))
                }
                Command::Leave { client } => {
                    let client = ClientId(client);
                    let delivery = chat.leave(client);
                    let known = present.remove(&client);
                    prop_assert_eq!(delivery.is_some(), known.is_some());
                    if let (Some(delivery), Some((room, nickname))) = (&delivery, known) {
                        prop_assert_eq!(&delivery.room, &room);
                        prop_assert_eq!(&delivery.notice, &Notice::Left { nickname });
                    }
                    (client, None)
                }
            };
            if let Some(Delivery { room, notice: Notice::Message { nickname, .. } }) = delivery {
                prop_assert_eq!(present.get(&client), Some(&(room, nickname)));
            }
            for room in ROOMS.map(|room| RoomName::parse(room).unwrap()) {
                let members: Vec<_> = chat.members(&room).collect();
                let model: Vec<_> =
                    present.iter().filter(|it| it.1.0 == room).map(|it| *it.0).collect();
                prop_assert_eq!(members, model, "those present, each once, in order of arrival");
            }
            let forms: BTreeSet<_> = present.values().flat_map(|it| it.1.forms()).collect();
            let distinct: usize = present.values().map(|it| BTreeSet::from(it.1.forms()).len()).sum();
            prop_assert_eq!(forms.len(), distinct, "no two names are the same to a reader");
            prop_assert_eq!(chat.taken.len(), distinct, "names of the gone are free");
            prop_assert_eq!(chat.members.len(), present.len());
            let rooms: BTreeSet<_> = present.values().map(|it| it.0.clone()).collect();
            prop_assert_eq!(chat.rooms.len(), rooms.len(), "empty rooms are gone");
        }
    }
}
