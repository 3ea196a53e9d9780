//! Encoding a message.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;

use crate::chat::{Id, Kind, Message, Nickname, Notice, RoomName, Text};
use crate::client::TEXT;
use crate::limits::Limits;
use crate::protocol::{append_text_frame, json, plain};

fn message() -> Notice {
    Notice::Message(Arc::new(Message {
        room: RoomName::lobby(),
        seq: 123_456,
        time: 1_700_000_000_000,
        nickname: Nickname::parse("ana").expect("it is a name"),
        text: Text::parse(TEXT, TEXT.len()).expect("the words are short"),
        id: Id::parse("5d2c0f9e-7b61-4c0a-9a3e-000000123456"),
        kind: Kind::Say,
    }))
}

#[divan::bench]
fn plain_message(bencher: Bencher<'_, '_>) {
    let message = message();
    render(bencher, |frames| plain::render(&message, frames));
}

#[divan::bench]
fn json_message(bencher: Bencher<'_, '_>) {
    let (message, host) = (message(), json::ServerInfo::new(&Limits::default(), "", false));
    render(bencher, |frames| {
        append_text_frame(frames, |text| json::write(&message, &host, text));
    });
}

/// Into memory that is allocated, as in the middle of a turn.
fn render(bencher: Bencher<'_, '_>, append: impl Fn(&mut Vec<u8>)) {
    let mut frames = Vec::new();
    append(&mut frames);
    bencher.counter(BytesCount::new(frames.len())).bench_local(|| {
        frames.clear();
        append(&mut frames);
    });
}
