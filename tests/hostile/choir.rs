//! People who check every byte of what they hear, and who may lose some of their number.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::crowd::greet;
use crate::dialect::Dialect;
use crate::support::{DEADLINE, text_frame};
use crate::swarm::Swarm;

/// Members of one room that nobody else is in, all driven by the thread that calls.
pub struct Choir {
    swarm: Swarm,
    /// The names that the server gave them.
    names: Vec<String>,
    /// What each has said so far.
    said: Vec<Vec<String>>,
    /// What each has heard so far.
    heard: Vec<Heard>,
}

#[derive(Default)]
struct Heard {
    /// In their order.
    lines: Vec<Line>,
    /// Of each member, how many texts.
    texts: Vec<usize>,
    goodbyes: BTreeSet<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Text { sender: usize },
    Goodbye { sender: usize },
}

/// What is to be said, by one after the other.
#[derive(Clone)]
pub struct Song {
    pub texts: usize,
    pub per_second: u32,
    pub text_bytes: RangeInclusive<usize>,
}

impl Choir {
    pub fn join(address: SocketAddr, size: usize) -> Self {
        let mut swarm = Swarm::connect(address, size, Dialect::Plain).expect("a choir is let in");
        let names = names(&mut swarm);
        let heard = || Heard { texts: vec![0; size], ..Heard::default() };
        let heard = std::iter::repeat_with(heard).take(size).collect();
        Self { swarm, names, said: vec![Vec::new(); size], heard }
    }

    /// Says it all, and waits until everybody has heard it who is still there. On a slow machine it
    /// is said more slowly: whoever falls far behind would be cut.
    pub fn sing(&mut self, song: &Song) {
        let start = Instant::now();
        let due = |number: usize| {
            start + Duration::from_secs_f64(number as f64 / f64::from(song.per_second))
        };
        let deadline = due(song.texts) + DEADLINE;
        let mut number = 0;
        while number < song.texts || !self.is_complete() {
            let is_due = |number| number < song.texts && due(number) <= Instant::now();
            while is_due(number) && self.behind() < self.names.len() {
                self.say(number % self.names.len(), text(number, &song.text_bytes));
                number += 1;
            }
            assert!(Instant::now() < deadline, "not heard: {}", self.missing());
            self.listen();
        }
    }

    /// How many have gone. Each was taken leave of once, those who remain have heard the same from
    /// beginning to end, and those who have gone heard that as long as they were there.
    pub fn lost(&self) -> usize {
        let gone = self.gone();
        assert_eq!(self.swarm.lost(), gone.len(), "one goodbye for each who is lost");
        let mut remaining = (0..self.names.len()).filter(|member| !gone.contains(member));
        let first = &self.heard[remaining.next().expect("somebody remains")].lines;
        for member in remaining {
            assert!(self.heard[member].lines == *first, "{member} has heard something else");
        }
        for member in &gone {
            assert!(first.starts_with(&self.heard[*member].lines), "{member} heard otherwise");
        }
        gone.len()
    }

    fn say(&mut self, sender: usize, text: String) {
        if !self.gone().contains(&sender) {
            self.swarm.send(sender, &text_frame(&text)).unwrap();
            self.said[sender].push(text);
        }
    }

    fn listen(&mut self) {
        let mut ready = Vec::new();
        self.swarm.wait(Duration::from_millis(1), &mut ready).unwrap();
        for member in ready {
            let (names, said) = (&self.names, &self.said);
            let heard = &mut self.heard[member];
            self.swarm.read(member, |line| heard.take(line, names, said)).unwrap();
        }
    }

    /// Who has heard how many texts from each, of those who have not heard all.
    fn missing(&self) -> String {
        let said: Vec<_> = self.said.iter().map(Vec::len).collect();
        let heard = self.heard.iter().map(|heard| &heard.texts).enumerate();
        let lacking: Vec<_> = heard.filter(|(_, texts)| **texts != said).collect();
        format!("of {said:?} {lacking:?}, and {} are lost", self.swarm.lost())
    }

    /// Those whom anybody has heard a goodbye of.
    fn gone(&self) -> BTreeSet<usize> {
        self.heard.iter().flat_map(|heard| &heard.goodbyes).copied().collect()
    }

    /// Of those who are there, how many texts of each other the last has yet to hear.
    fn behind(&self) -> usize {
        let gone = self.gone();
        let there = || (0..self.names.len()).filter(|member| !gone.contains(member));
        let due = |heard: &Heard, sender: usize| self.said[sender].len() - heard.texts[sender];
        let behind = |member: usize| there().map(|it| due(&self.heard[member], it)).sum();
        there().map(behind).max().unwrap_or(0)
    }

    /// Whether everybody who is there has heard everything, and a goodbye of everybody else.
    fn is_complete(&self) -> bool {
        let gone = self.gone();
        let mut there = (0..self.names.len()).filter(|member| !gone.contains(member));
        self.behind() == 0 && there.all(|member| self.heard[member].goodbyes == gone)
    }
}

impl Heard {
    /// Takes a line, which must be the next of its sender, byte for byte.
    fn take(&mut self, line: &[u8], names: &[String], said: &[Vec<String>]) {
        let line = std::str::from_utf8(line).expect("the server sends UTF-8");
        let by = |name: &str| names.iter().position(|known| known == name);
        let leaver = line.strip_prefix(" .... ").and_then(|rest| rest.strip_suffix(" has left."));
        if let Some(sender) = leaver.and_then(by) {
            assert!(self.goodbyes.insert(sender), "{sender} is gone twice");
            return self.lines.push(Line::Goodbye { sender });
        }
        let (name, text) = line.split_once(": ").expect("a text has a sender");
        let sender = by(name).expect("the sender is a member");
        assert!(!self.goodbyes.contains(&sender), "{sender} was gone");
        let expected = said[sender].get(self.texts[sender]);
        assert!(expected.is_some_and(|it| it == text), "not the next of {sender}: {line}");
        self.texts[sender] += 1;
        self.lines.push(Line::Text { sender });
    }
}

/// Each says its number, which tells all names.
fn names(swarm: &mut Swarm) -> Vec<String> {
    greet(swarm);
    let deadline = Instant::now() + DEADLINE;
    let mut names = vec![String::new(); swarm.len()];
    for member in 0..swarm.len() {
        swarm.send(member, &text_frame(&member.to_string())).unwrap();
    }
    let mut missing = swarm.len() * swarm.len();
    let mut ready = Vec::new();
    while missing > 0 {
        assert!(Instant::now() < deadline, "{missing} introductions are not heard");
        swarm.wait(DEADLINE, &mut ready).unwrap();
        for member in &ready {
            let take = |line: &[u8]| {
                let line = std::str::from_utf8(line).unwrap();
                let (name, text) = line.split_once(": ").unwrap();
                // The last of the greetings may come before.
                if let Ok(number) = text.parse::<usize>() {
                    name.clone_into(&mut names[number]);
                    missing -= 1;
                }
            };
            swarm.read(*member, take).unwrap();
        }
    }
    names
}

/// A text that is like no other: what is missing, doubled or in another's place is noticed.
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
