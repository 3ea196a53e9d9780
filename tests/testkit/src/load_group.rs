//! Clients that talk at a fixed rate and measure how long deliveries take.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::frames::text_frame;
use crate::{ClientPool, DEADLINE, Dialect};

#[derive(Clone, Copy)]
pub struct Load {
    /// Texts a second. The members of a group take turns.
    pub per_second: u32,
    pub seconds: u32,
    pub text_bytes: usize,
}

/// Plain clients in the lobby, driven by the thread of the caller.
pub struct LoadGroup {
    pool: ClientPool,
}

/// The deliveries of one [`Load`].
pub struct Measured {
    /// Of each delivery, counted from the time at which its text was due.
    latencies: Vec<Duration>,
    /// Lines that the group did not send, and when each was first received.
    other_lines: Vec<(String, Instant)>,
}

impl Measured {
    pub fn percentile(&mut self, percent: usize) -> Duration {
        self.latencies.sort_unstable();
        self.latencies[(self.latencies.len() - 1) * percent / 100]
    }

    /// Returns when the group first received a line with this end.
    pub fn received_at(&self, end: &str) -> Option<Instant> {
        self.other_lines.iter().find(|(line, _)| line.ends_with(end)).map(|(_, at)| *at)
    }
}

impl LoadGroup {
    pub fn join(address: SocketAddr, size: usize) -> Self {
        let mut pool = ClientPool::connect(address, size, Dialect::Plain).expect("they connect");
        wait_until_joined(&mut pool);
        Self { pool }
    }

    /// Sends the texts of a load. Checks that every member receives every text exactly once, and the
    /// texts of each sender in their order.
    pub fn run(&mut self, load: Load) -> Measured {
        let [measured] = run_together([self], load, |_| ());
        measured
    }

    /// Runs one load after the other while another thread works.
    pub fn run_while<T: Send>(&mut self, load: Load, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let work = scope.spawn(work);
            while !work.is_finished() {
                self.run(load);
            }
            work.join().unwrap()
        })
    }
}

/// Waits until all clients are in their room. The answer to a handshake comes a moment before that;
/// a client that receives a text is in the room.
pub(crate) fn wait_until_joined(pool: &mut ClientPool) {
    let deadline = Instant::now() + DEADLINE;
    let mut silent: BTreeSet<usize> = (0..pool.size()).collect();
    for member in silent.clone() {
        pool.send(member, &text_frame("hello")).unwrap();
    }
    let mut ready = Vec::new();
    while !silent.is_empty() {
        assert!(Instant::now() < deadline, "{silent:?} receive no text");
        pool.wait(DEADLINE, &mut ready).unwrap();
        for member in &ready {
            if pool.read(*member, |_| ()).unwrap() > 0 {
                silent.remove(member);
            }
        }
    }
}

/// Runs the same load in several groups at once, so that a pause of the machine affects all of
/// them. Calls `watch` after each round.
pub fn run_together<const N: usize>(
    groups: [&mut LoadGroup; N],
    load: Load,
    mut watch: impl FnMut(Instant),
) -> [Measured; N] {
    let start = Instant::now();
    let mut runs = groups.map(|group| Run::new(group, load, start));
    let deadline = start + Duration::from_secs(load.seconds.into()) + DEADLINE;
    while !runs.iter().all(Run::is_complete) {
        assert!(Instant::now() < deadline, "{} deliveries are missing", runs[0].missing());
        runs.iter_mut().for_each(Run::advance);
        watch(Instant::now());
    }
    runs.map(|run| run.measured)
}

struct Run<'a> {
    pool: &'a mut ClientPool,
    load: Load,
    start: Instant,
    sent: u32,
    /// Number of texts that each member has received from each sender.
    counts: Vec<Vec<u32>>,
    measured: Measured,
}

impl<'a> Run<'a> {
    fn new(group: &'a mut LoadGroup, load: Load, start: Instant) -> Self {
        let size = group.pool.size();
        let measured = Measured { latencies: Vec::new(), other_lines: Vec::new() };
        let counts = vec![vec![0; size]; size];
        Self { pool: &mut group.pool, load, start, sent: 0, counts, measured }
    }

    fn texts(&self) -> u32 {
        self.load.per_second * self.load.seconds
    }

    fn due(&self, number: u32) -> Instant {
        self.start + Duration::from_secs(1) / self.load.per_second * number
    }

    fn missing(&self) -> usize {
        self.texts() as usize * self.pool.size() - self.measured.latencies.len()
    }

    fn is_complete(&self) -> bool {
        self.missing() == 0
    }

    /// Sends the texts that are due and reads the clients that are ready.
    fn advance(&mut self) {
        while self.sent < self.texts() && self.due(self.sent) <= Instant::now() {
            let sender = self.sent as usize % self.pool.size();
            let id = format!(" {:08}-{sender:04}", self.sent);
            let text = format!("{id:.>width$}", width = self.load.text_bytes);
            self.pool.send(sender, &text_frame(&text)).unwrap();
            self.sent += 1;
        }
        let mut ready = Vec::new();
        self.pool.wait(Duration::from_millis(1), &mut ready).unwrap();
        for member in ready {
            self.read(member);
        }
    }

    fn read(&mut self, member: usize) {
        let mut lines = Vec::new();
        self.pool.read(member, |line| lines.push(line.to_vec())).unwrap();
        assert_eq!(self.pool.lost(), 0, "no member loses its connection");
        for line in lines {
            match Dialect::Plain.number(&line) {
                Some(number) => self.record(member, number),
                None => {
                    let line = String::from_utf8(line).unwrap();
                    let lines = &mut self.measured.other_lines;
                    if !lines.iter().any(|(known, _)| *known == line) {
                        lines.push((line, Instant::now()));
                    }
                }
            }
        }
    }

    fn record(&mut self, member: usize, number: u32) {
        let size = self.counts.len();
        let sender = number as usize % size;
        let count = &mut self.counts[member][sender];
        let expected = *count as usize * size + sender;
        assert_eq!(number as usize, expected, "member {member} misses or repeats a text");
        *count += 1;
        self.measured.latencies.push(self.due(number).elapsed());
    }
}
