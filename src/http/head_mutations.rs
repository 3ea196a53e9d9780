//! Broken request heads, for the fuzz tests of the parser and of the running program.

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

/// Bytes that have a meaning, to be inserted in the wrong place.
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
enum Mutation {
    Cut(Index),
    Remove(Index, Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
    Swap(Index, Index),
    /// Inserts this number of bytes.
    Enlarge(Index, usize),
}

/// Generates random bytes, or a complete head with up to three mutations.
pub(crate) fn head_gone_wrong() -> impl Strategy<Value = Vec<u8>> {
    let mutated = (select(&HEADS[..]), vec(mutation(), 0..4)).prop_map(|(whole, mutations)| {
        let mut head = whole.as_bytes().to_vec();
        for mutation in &mutations {
            mutation.apply(&mut head);
        }
        head
    });
    prop_oneof![1 => vec(any::<u8>(), 0..600), 7 => mutated]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    let insert = select(&INSERTS[..]).prop_map(|insert| insert.as_bytes().to_vec());
    prop_oneof![
        at().prop_map(Mutation::Cut),
        (at(), at()).prop_map(|(from, to)| Mutation::Remove(from, to)),
        (at(), insert).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (at(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (at(), at()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
        (at(), at()).prop_map(|(one, other)| Mutation::Swap(one, other)),
        (at(), 16_000..16_800_usize).prop_map(|(at, bytes)| Mutation::Enlarge(at, bytes)),
    ]
}

impl Mutation {
    fn apply(&self, head: &mut Vec<u8>) {
        let position = |index: &Index| index.index(head.len() + 1);
        let mut lines: Vec<_> = head.split_inclusive(|byte| *byte == b'\n').collect();
        let line = |index: &Index| index.index(lines.len().max(1));
        match self {
            Self::Cut(at) => head.truncate(position(at)),
            Self::Remove(from, to) => {
                let (from, to) = (position(from), position(to));
                head.drain(from.min(to)..from.max(to));
            }
            Self::Insert(at, bytes) => {
                let at = position(at);
                head.splice(at..at, bytes.iter().copied());
            }
            Self::Enlarge(at, bytes) => {
                let at = position(at);
                head.splice(at..at, std::iter::repeat_n(b'x', *bytes));
            }
            _ if lines.is_empty() => {}
            Self::Repeat(from, to) => {
                let (from, to) = (line(from), line(to));
                lines.insert(to, lines[from]);
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
