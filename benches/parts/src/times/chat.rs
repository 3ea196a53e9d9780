//! Commands in a room with other members.

use std::time::Instant;

use divan::Bencher;
use divan::counter::ItemsCount;
use rand::rngs::StdRng;

use crate::chat::{
    ANSWER_BYTES_MAX, Chat, ClientId, Command, Delivery, Now, PAGES_PER_ANSWER, Quota, RoomName,
    Rules, Text, Turn,
};
use crate::client::{TEXT, encode_message};
use crate::limits::Limits;
use crate::protocol::Dialect;
use crate::protocol::json::parse;

/// The client that sends the measured commands.
const ANA: ClientId = ClientId(1);
const MEMBERS: u64 = 100;

struct TestRoom {
    chat: Chat,
    random: StdRng,
    deliveries: Vec<Delivery>,
}

impl TestRoom {
    fn of_json() -> Self {
        let mut room = Self::empty();
        for number in 1..=MEMBERS {
            let name = format!("ana-{number}");
            for request in [request("hello", "nick", &name), request("join", "room", "lobby")] {
                room.apply(ClientId(number), request);
            }
        }
        room
    }

    fn of_plain() -> Self {
        let mut room = Self::empty();
        for number in 1..=MEMBERS {
            let turn =
                &mut Turn { now: now(), random: &mut room.random, out: &mut room.deliveries };
            let entered = room.chat.enter(ClientId(number), RoomName::lobby(), None, turn);
            entered.expect("there is a place");
        }
        room
    }

    fn empty() -> Self {
        let Limits { history, grace, text_bytes_max, .. } = Limits::default();
        let rules = Rules {
            epoch: String::new(),
            history,
            has_archive: false,
            grace,
            quota: Quota {
                people_max: 5000,
                people_per_network_max: None,
                answer_bytes_max: ANSWER_BYTES_MAX,
            },
            text_bytes_max,
            page_bytes_max: ANSWER_BYTES_MAX / PAGES_PER_ANSWER,
        };
        Self { chat: Chat::new(rules), random: rand::make_rng(), deliveries: Vec::new() }
    }

    fn say(&mut self, text: Text) {
        self.deliveries.clear();
        let turn = &mut Turn { now: now(), random: &mut self.random, out: &mut self.deliveries };
        self.chat.say(ANA, text, turn);
    }

    fn apply(&mut self, client: ClientId, command: Command) {
        self.deliveries.clear();
        let turn = &mut Turn { now: now(), random: &mut self.random, out: &mut self.deliveries };
        self.chat.apply(client, command, turn);
    }
}

fn request(kind: &str, member: &str, value: &str) -> Command {
    read(&format!(r#"{{"type":"{kind}","{member}":"{value}"}}"#))
}

fn read(request: &str) -> Command {
    parse(request, TEXT.len()).command.expect("it is a request")
}

fn now() -> Now {
    Now { instant: Instant::now(), unix_ms: 0 }
}

#[divan::bench(sample_size = 32)]
fn say_plain(bencher: Bencher<'_, '_>) {
    let mut room = TestRoom::of_plain();
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(|| Text::parse(TEXT, TEXT.len()).expect("the words are short"))
        .bench_local_values(|text| room.say(text));
}

#[divan::bench(sample_size = 32)]
fn say_json(bencher: Bencher<'_, '_>) {
    let mut room = TestRoom::of_json();
    let mut said = 0;
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(|| {
            said += 1;
            read(&encode_message(TEXT, said, Dialect::Json))
        })
        .bench_local_values(|say| room.apply(ANA, say));
}

#[divan::bench(sample_size = 32)]
fn part_and_join(bencher: Bencher<'_, '_>) {
    let mut room = TestRoom::of_json();
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(|| ["part", "join"].map(|kind| request(kind, "room", "lobby")))
        .bench_local_values(|[part, join]| {
            room.apply(ANA, part);
            room.apply(ANA, join);
        });
}

#[divan::bench(sample_size = 32)]
fn nick(bencher: Bencher<'_, '_>) {
    let mut room = TestRoom::of_json();
    let mut is_bo = false;
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(|| {
            is_bo = !is_bo;
            request("nick", "nick", if is_bo { "bo" } else { "ana" })
        })
        .bench_local_values(|nick| room.apply(ANA, nick));
}
