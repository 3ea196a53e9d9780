//! Clients that check every byte that they receive. Some may lose their connection.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::frames::text_frame;
use crate::load_group::wait_until_joined;
use crate::{ClientPool, DEADLINE, Dialect};

/// The only members of a room, driven by the thread of the caller.
pub struct VerifyingGroup {
    pool: ClientPool,
    /// The names that the server gave the members.
    names: Vec<String>,
    /// The texts that each member has sent.
    sent: Vec<Vec<String>>,
    received: Vec<Received>,
}

/// The lines that a member has received.
#[derive(Default)]
struct Received {
    /// In their order.
    lines: Vec<Line>,
    /// Number of texts from each member.
    texts: Vec<usize>,
    left: BTreeSet<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Text { sender: usize },
    Left { member: usize },
}

/// Random texts, which the members of a group send in turn.
#[derive(Clone)]
pub struct Texts {
    pub count: usize,
    pub per_second: u32,
    pub text_bytes: RangeInclusive<usize>,
}

impl VerifyingGroup {
    pub fn join(address: SocketAddr, size: usize) -> Self {
        let mut pool = ClientPool::connect(address, size, Dialect::Plain).expect("they connect");
        let names = names(&mut pool);
        let received = || Received { texts: vec![0; size], ..Received::default() };
        let received = std::iter::repeat_with(received).take(size).collect();
        Self { pool, names, sent: vec![Vec::new(); size], received }
    }

    /// Sends texts and waits until all members that are left have received them. Sends more slowly
    /// on a slow machine, where the server would cut a member that falls far behind.
    pub fn send(&mut self, texts: &Texts) {
        let start = Instant::now();
        let due = |number: usize| {
            start + Duration::from_secs_f64(number as f64 / f64::from(texts.per_second))
        };
        let deadline = due(texts.count) + DEADLINE;
        let mut number = 0;
        while number < texts.count || !self.is_complete() {
            let is_due = |number| number < texts.count && due(number) <= Instant::now();
            while is_due(number) && self.behind() < self.names.len() {
                self.send_one(number % self.names.len(), text(number, &texts.text_bytes));
                number += 1;
            }
            assert!(Instant::now() < deadline, "not received: {}", self.missing());
            self.read();
        }
    }

    /// Returns how many members are lost. Checks that the others were told of each loss once and
    /// received the same lines, and that the lost members received the beginning of these lines.
    pub fn lost(&self) -> usize {
        let left = self.left();
        assert_eq!(self.pool.lost(), left.len(), "one line for each lost member");
        let mut remaining = (0..self.names.len()).filter(|member| !left.contains(member));
        let first = &self.received[remaining.next().expect("a member is left")].lines;
        for member in remaining {
            assert!(self.received[member].lines == *first, "{member} received other lines");
        }
        for member in &left {
            assert!(first.starts_with(&self.received[*member].lines), "{member} is not a prefix");
        }
        left.len()
    }

    fn send_one(&mut self, sender: usize, text: String) {
        if !self.left().contains(&sender) {
            self.pool.send(sender, &text_frame(&text)).unwrap();
            self.sent[sender].push(text);
        }
    }

    fn read(&mut self) {
        let mut ready = Vec::new();
        self.pool.wait(Duration::from_millis(1), &mut ready).unwrap();
        for member in ready {
            let (names, sent) = (&self.names, &self.sent);
            let received = &mut self.received[member];
            self.pool.read(member, |line| received.record(line, names, sent)).unwrap();
        }
    }

    /// Describes the members that have not received all texts.
    fn missing(&self) -> String {
        let sent: Vec<_> = self.sent.iter().map(Vec::len).collect();
        let received = self.received.iter().map(|it| &it.texts).enumerate();
        let lacking: Vec<_> = received.filter(|(_, texts)| **texts != sent).collect();
        format!("of {sent:?} {lacking:?}, and {} are lost", self.pool.lost())
    }

    /// Returns the members that any member was told have left.
    fn left(&self) -> BTreeSet<usize> {
        self.received.iter().flat_map(|it| &it.left).copied().collect()
    }

    /// Returns how many texts the slowest member has yet to receive.
    fn behind(&self) -> usize {
        let left = self.left();
        let remaining = || (0..self.names.len()).filter(|member| !left.contains(member));
        let due = |it: &Received, sender: usize| self.sent[sender].len() - it.texts[sender];
        let behind = |member: usize| remaining().map(|it| due(&self.received[member], it)).sum();
        remaining().map(behind).max().unwrap_or(0)
    }

    /// Returns whether each remaining member has received all texts and was told of each loss.
    fn is_complete(&self) -> bool {
        let left = self.left();
        let mut remaining = (0..self.names.len()).filter(|member| !left.contains(member));
        self.behind() == 0 && remaining.all(|member| self.received[member].left == left)
    }
}

impl Received {
    /// Records a line, which must be the next of its sender, byte for byte.
    fn record(&mut self, line: &[u8], names: &[String], sent: &[Vec<String>]) {
        let line = std::str::from_utf8(line).expect("the server sends UTF-8");
        let by = |name: &str| names.iter().position(|known| known == name);
        let leaver = line.strip_prefix(" .... ").and_then(|rest| rest.strip_suffix(" has left."));
        if let Some(member) = leaver.and_then(by) {
            assert!(self.left.insert(member), "{member} leaves twice");
            return self.lines.push(Line::Left { member });
        }
        let (name, text) = line.split_once(": ").expect("a text has a sender");
        let sender = by(name).expect("the sender is a member");
        assert!(!self.left.contains(&sender), "{sender} has left");
        let expected = sent[sender].get(self.texts[sender]);
        assert!(expected.is_some_and(|it| it == text), "not the next of {sender}: {line}");
        self.texts[sender] += 1;
        self.lines.push(Line::Text { sender });
    }
}

/// Learns the names of the members: each sends its number.
fn names(pool: &mut ClientPool) -> Vec<String> {
    wait_until_joined(pool);
    let deadline = Instant::now() + DEADLINE;
    let mut names = vec![String::new(); pool.size()];
    for member in 0..pool.size() {
        pool.send(member, &text_frame(&member.to_string())).unwrap();
    }
    let mut missing = pool.size() * pool.size();
    let mut ready = Vec::new();
    while missing > 0 {
        assert!(Instant::now() < deadline, "{missing} numbers are missing");
        pool.wait(DEADLINE, &mut ready).unwrap();
        for member in &ready {
            let record = |line: &[u8]| {
                let line = std::str::from_utf8(line).unwrap();
                let (name, text) = line.split_once(": ").unwrap();
                // Texts of `wait_until_joined` may come before.
                if let Ok(number) = text.parse::<usize>() {
                    name.clone_into(&mut names[number]);
                    missing -= 1;
                }
            };
            pool.read(*member, record).unwrap();
        }
    }
    names
}

/// Returns a text like no other, so that one that is missing, repeated or out of order is noticed.
fn text(number: usize, text_bytes: &RangeInclusive<usize>) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("{number} ");
    let more = text_bytes.end() - text_bytes.start() + 1;
    let bytes = text_bytes.start() + rand::random_range(0..more);
    while text.len() < bytes {
        text.push(LETTERS[rand::random_range(0..LETTERS.len())].into());
    }
    text
}
