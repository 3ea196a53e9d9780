//! Request heads gone wrong: what the fuzzing of this module and of the running program share.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const HEADS: [&str; 7] = [
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "HEAD /style.css?v=1 HTTP/1.0\r\nHost: [::1]:8080\r\nIf-None-Match: \"1\", *\r\n\r\n",
    "GET /main.js HTTP/1.1\r\nHost: chat.lan\r\nOrigin: http://chat.lan\r\nAccept: */*\r\n\r\n",
    "GET /invite.svg?room=k%C3%BCche HTTP/1.1\r\nHost: chat.lan:8080\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
    "GET /?room=kitchen&nick=zo%C3%AB HTTP/1.1\r\nHost: 127.0.0.1:12345\r\n\
     Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
];

/// What has a meaning where it does not belong.
const INSERTS: [&str; 16] = [
    "\0",
    "\n",
    "\r",
    "\r\n",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    ",",
    "@",
    "é",
    "%00",
    "Host: evil.example\r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Sec-WebSocket-Version: 8\r\n",
];

#[derive(Clone, Debug)]
enum Damage {
    Cut(Index),
    Remove(Index, Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
    Swap(Index, Index),
    /// So many bytes more in one place.
    Stuff(Index, usize),
}

/// Any bytes, or a whole head with a little damage, or with much.
pub(crate) fn head_gone_wrong() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (select(&HEADS[..]), vec(damage(), 0..4)).prop_map(|(whole, damages)| {
        let mut head = whole.as_bytes().to_vec();
        for damage in &damages {
            damage.apply(&mut head);
        }
        head
    });
    prop_oneof![1 => vec(any::<u8>(), 0..600), 7 => damaged]
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    let known = select(&INSERTS[..]).prop_map(|insert| insert.as_bytes().to_vec());
    prop_oneof![
        at().prop_map(Damage::Cut),
        (at(), at()).prop_map(|(from, to)| Damage::Remove(from, to)),
        (at(), known).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), at()).prop_map(|(which, to)| Damage::Repeat(which, to)),
        (at(), at()).prop_map(|(one, other)| Damage::Swap(one, other)),
        (at(), 16_000..16_800_usize).prop_map(|(at, bytes)| Damage::Stuff(at, bytes)),
    ]
}

impl Damage {
    fn apply(&self, head: &mut Vec<u8>) {
        let place = |index: &Index| index.index(head.len() + 1);
        let mut lines: Vec<_> = head.split_inclusive(|byte| *byte == b'\n').collect();
        let line = |index: &Index| index.index(lines.len().max(1));
        match self {
            Self::Cut(at) => head.truncate(place(at)),
            Self::Remove(from, to) => {
                let (from, to) = (place(from), place(to));
                head.drain(from.min(to)..from.max(to));
            }
            Self::Insert(at, bytes) => {
                let at = place(at);
                head.splice(at..at, bytes.iter().copied());
            }
            Self::Stuff(at, bytes) => {
                let at = place(at);
                head.splice(at..at, std::iter::repeat_n(b'x', *bytes));
            }
            _ if lines.is_empty() => {}
            Self::Repeat(which, to) => {
                let (which, to) = (line(which), line(to));
                lines.insert(to, lines[which]);
                *head = lines.concat();
            }
            Self::Swap(one, other) => {
                let (one, other) = (line(one), line(other));
                lines.swap(one, other);
                *head = lines.concat();
            }
        }
    }
}
