//! People who talk, so that it can be seen whether anything disturbs them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::dialect::Dialect;
use crate::support::{DEADLINE, text_frame};
use crate::swarm::Swarm;

/// How much is said.
#[derive(Clone, Copy)]
pub struct Talk {
    /// Texts a second. The members of a crowd take turns.
    pub per_second: u32,
    pub seconds: u32,
    pub text_bytes: usize,
}

/// Members of one room, all driven by the thread that calls.
pub struct Crowd {
    swarm: Swarm,
}

/// What a crowd heard.
pub struct Heard {
    /// Of every delivery, from when its text was due.
    latencies: Vec<Duration>,
    /// Lines that are no texts of the crowd's own, and when each was first heard.
    pub others: Vec<(String, Instant)>,
}

impl Heard {
    pub fn percentile(&mut self, percent: usize) -> Duration {
        self.latencies.sort_unstable();
        self.latencies[(self.latencies.len() - 1) * percent / 100]
    }

    /// When a line that ends so was first heard.
    pub fn heard_at(&self, end: &str) -> Option<Instant> {
        self.others.iter().find(|(line, _)| line.ends_with(end)).map(|(_, at)| *at)
    }
}

impl Crowd {
    pub fn join(address: SocketAddr, size: usize) -> Self {
        let mut swarm = Swarm::connect(address, size, Dialect::Plain).expect("a crowd is let in");
        greet(&mut swarm);
        Self { swarm }
    }

    /// Talks, and checks that every member hears every text exactly once, and the texts of each
    /// member in their order.
    pub fn talk(&mut self, talk: Talk) -> Heard {
        let [heard] = talk_side_by_side([self], talk, |_| ());
        heard
    }
}

/// Returns when everybody is in the room: the answer to a handshake comes a moment before that, and
/// who hears something, be it itself, is in.
pub fn greet(swarm: &mut Swarm) {
    let deadline = Instant::now() + DEADLINE;
    let mut silent: BTreeSet<usize> = (0..swarm.len()).collect();
    for member in silent.clone() {
        swarm.send(member, &text_frame("hello")).unwrap();
    }
    let mut ready = Vec::new();
    while !silent.is_empty() {
        assert!(Instant::now() < deadline, "{silent:?} do not hear themselves");
        swarm.wait(DEADLINE, &mut ready).unwrap();
        for member in &ready {
            if swarm.read(*member, |_| ()).unwrap() > 0 {
                silent.remove(member);
            }
        }
    }
}

/// Several crowds talk at the same time, so that whatever the machine does befalls all of them.
/// Every now and then `watch` is called.
pub fn talk_side_by_side<const N: usize>(
    crowds: [&mut Crowd; N],
    talk: Talk,
    mut watch: impl FnMut(Instant),
) -> [Heard; N] {
    let start = Instant::now();
    let mut talks = crowds.map(|crowd| Conversation::new(crowd, talk, start));
    let deadline = start + Duration::from_secs(talk.seconds.into()) + DEADLINE;
    while !talks.iter().all(Conversation::is_over) {
        assert!(Instant::now() < deadline, "{} texts were not heard", talks[0].missing());
        for conversation in &mut talks {
            conversation.go_on();
        }
        watch(Instant::now());
    }
    talks.map(|conversation| conversation.heard)
}

struct Conversation<'a> {
    swarm: &'a mut Swarm,
    talk: Talk,
    start: Instant,
    said: u32,
    /// Of each member, how many texts it has heard from each sender.
    counts: Vec<Vec<u32>>,
    heard: Heard,
}

impl<'a> Conversation<'a> {
    fn new(crowd: &'a mut Crowd, talk: Talk, start: Instant) -> Self {
        let size = crowd.swarm.len();
        let heard = Heard { latencies: Vec::new(), others: Vec::new() };
        let counts = vec![vec![0; size]; size];
        Self { swarm: &mut crowd.swarm, talk, start, said: 0, counts, heard }
    }

    fn texts(&self) -> u32 {
        self.talk.per_second * self.talk.seconds
    }

    fn due(&self, number: u32) -> Instant {
        self.start + Duration::from_secs(1) / self.talk.per_second * number
    }

    fn missing(&self) -> usize {
        self.texts() as usize * self.swarm.len() - self.heard.latencies.len()
    }

    fn is_over(&self) -> bool {
        self.missing() == 0
    }

    fn go_on(&mut self) {
        while self.said < self.texts() && self.due(self.said) <= Instant::now() {
            let sender = self.said as usize % self.swarm.len();
            let ending = format!(" {:08}-{sender:04}", self.said);
            let text = format!("{ending:.>width$}", width = self.talk.text_bytes);
            self.swarm.send(sender, &text_frame(&text)).unwrap();
            self.said += 1;
        }
        let mut ready = Vec::new();
        self.swarm.wait(Duration::from_millis(1), &mut ready).unwrap();
        for member in ready {
            self.listen(member);
        }
    }

    fn listen(&mut self, member: usize) {
        let mut lines = Vec::new();
        self.swarm.read(member, |line| lines.push(line.to_vec())).unwrap();
        assert_eq!(self.swarm.lost(), 0, "nobody of the crowd is cut");
        for line in lines {
            match Dialect::Plain.number(&line) {
                Some(number) => self.count(member, number),
                None => {
                    let line = String::from_utf8(line).unwrap();
                    if !self.heard.others.iter().any(|(known, _)| *known == line) {
                        self.heard.others.push((line, Instant::now()));
                    }
                }
            }
        }
    }

    fn count(&mut self, member: usize, number: u32) {
        let size = self.counts.len();
        let sender = number as usize % size;
        let count = &mut self.counts[member][sender];
        let expected = *count as usize * size + sender;
        assert_eq!(number as usize, expected, "member {member} misses or repeats a text");
        *count += 1;
        self.heard.latencies.push(self.due(number).elapsed());
    }
}
