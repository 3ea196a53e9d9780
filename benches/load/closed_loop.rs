//! Saturated: every sender answers each echo of its own with a new message.
//!
//! The load finds its own level. So this shows how much the server can carry. The latency is mostly
//! that of the queue that the senders make.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::measurement::Measurement;
use crate::report::Row;
use crate::syscalls::Count;
use crate::target::Target;
use testkit::ClientPool;
use testkit::Outcome;
use testkit::{Dialect, LOBBY};

/// Clients in the room.
const CLIENTS: usize = 100;
/// Clients that also send.
const SENDERS: usize = 20;
/// Time for queues and caches to reach their level before measuring.
const WARM_UP: Duration = Duration::from_secs(1);
/// Time in which system calls are counted.
const COUNTED: Duration = Duration::from_secs(1);
/// How long a turn waits for the next event.
const PATIENCE: Duration = Duration::from_millis(500);
/// A loop without a delivery for this long has halted.
const STALL: Duration = Duration::from_secs(5);
/// The error of a loop that has halted.
const HALT: &str = "the senders wait for echoes that do not come";

/// A running loop.
struct Loop {
    pool: ClientPool,
    senders: Vec<Sender>,
    /// Messages in flight of each sender.
    in_flight: usize,
    /// Set when nothing more is to be sent.
    is_ending: bool,
    ready: Vec<usize>,
    deliveries: u64,
    /// Bytes that the pool had read when the counting of deliveries began.
    bytes_before: u64,
    round_trips: Vec<Duration>,
}

/// A client that keeps the same number of messages in flight.
struct Sender {
    dialect: Dialect,
    marker: Vec<u8>,
    /// Frames for the maximum number of messages in flight. They are encoded once, and only their
    /// numbers change: the generator has to be faster than the server.
    frames: Vec<u8>,
    frame_bytes: usize,
    number: u32,
    /// When the messages in flight were sent. They come back in this order.
    sent: VecDeque<Instant>,
}

/// Measures with `in_flight` messages of each sender in flight.
pub(crate) fn run(cores: &Cores, target: &Target, in_flight: usize, seconds: u32) -> Outcome<Row> {
    let server = target.start(cores)?;
    let mut closed = Loop::new(
        ClientPool::connect(server.chat, CLIENTS, target.wire_dialect())?,
        target,
        in_flight,
    );
    closed.begin()?;
    closed.turn_for(WARM_UP)?;
    closed.forget();
    let measurement = Measurement::begin(&server, cores)?;
    closed.turn_for(Duration::from_secs(seconds.into()))?;
    let spent = measurement.end()?;

    let mut row = Row::new(&format!("saturated {in_flight}"), target, CLIENTS);
    row.rate(closed.deliveries, &spent);
    row.figure("bytes_per_delivery", closed.bytes() as f64 / closed.deliveries as f64);
    row.latency(&mut closed.round_trips);
    closed.end()?;
    if let Some(count) = Count::begin(server.pid()) {
        closed.forget();
        closed.begin()?;
        closed.turn_for(COUNTED)?;
        closed.end()?;
        row.syscalls(count.end()?, closed.deliveries);
    }
    row.lost(closed.pool.lost());
    Ok(row)
}

impl Loop {
    fn new(pool: ClientPool, target: &Target, in_flight: usize) -> Self {
        Self {
            bytes_before: pool.bytes(),
            pool,
            senders: (0..SENDERS).map(|n| Sender::new(target, n, in_flight)).collect(),
            in_flight,
            is_ending: false,
            ready: Vec::new(),
            deliveries: 0,
            round_trips: Vec::new(),
        }
    }

    /// Sends the first messages.
    fn begin(&mut self) -> Outcome {
        self.is_ending = false;
        (0..SENDERS).try_for_each(|index| self.send(index, self.in_flight))
    }

    /// Stops sending and waits until nothing is in flight.
    fn end(&mut self) -> Outcome {
        self.is_ending = true;
        while self.turn()? {}
        if self.senders.iter().any(|sender| !sender.sent.is_empty()) {
            return Err(HALT.into());
        }
        Ok(())
    }

    /// Runs the loop for this long.
    fn turn_for(&mut self, time: Duration) -> Outcome {
        let end = Instant::now() + time;
        let mut last_seen = Instant::now();
        while Instant::now() < end {
            let seen_before = self.deliveries;
            self.turn()?;
            if self.deliveries > seen_before {
                last_seen = Instant::now();
            } else if last_seen.elapsed() > STALL {
                return Err(HALT.into());
            }
        }
        Ok(())
    }

    /// Reads the clients that are ready. Returns false if none was for a while.
    fn turn(&mut self) -> Outcome<bool> {
        let mut ready = std::mem::take(&mut self.ready);
        self.pool.wait(PATIENCE, &mut ready)?;
        for &index in &ready {
            self.receive(index)?;
        }
        self.ready = ready;
        Ok(!self.ready.is_empty())
    }

    /// Reads one client. If messages of its own have come back, sends as many new ones in one
    /// write.
    fn receive(&mut self, index: usize) -> Outcome {
        let Some(sender) = self.senders.get(index) else {
            self.deliveries += self.pool.read(index, |_| {})? as u64;
            return Ok(());
        };
        let mut echoes = 0;
        let texts = self.pool.read(index, |payload| {
            echoes += usize::from(payload.ends_with(&sender.marker));
        })?;
        self.deliveries += texts as u64;
        self.note_round_trips(index, echoes)?;
        self.send(index, echoes)
    }

    fn note_round_trips(&mut self, index: usize, echoes: usize) -> Outcome {
        let now = Instant::now();
        for _ in 0..echoes {
            let sent = self.senders[index].sent.pop_front();
            let sent = sent.ok_or("a message came back twice")?;
            self.round_trips.push(now - sent);
        }
        Ok(())
    }

    fn send(&mut self, index: usize, count: usize) -> Outcome {
        if count == 0 || self.is_ending {
            return Ok(());
        }
        let sender = &mut self.senders[index];
        sender.sent.extend(std::iter::repeat_n(Instant::now(), count));
        self.pool.send(index, sender.next(count))
    }

    /// Returns the bytes of all deliveries.
    fn bytes(&self) -> u64 {
        self.pool.bytes() - self.bytes_before
    }

    /// Drops the counts of the warm-up.
    fn forget(&mut self) {
        self.deliveries = 0;
        self.bytes_before = self.pool.bytes();
        self.round_trips.clear();
    }
}

impl Sender {
    fn new(target: &Target, index: usize, in_flight: usize) -> Self {
        let dialect = target.wire_dialect();
        let frame = dialect.message(LOBBY, target.text_bytes(), 0, index);
        Self {
            dialect,
            marker: dialect.marker(index),
            frames: frame.repeat(in_flight),
            frame_bytes: frame.len(),
            number: 0,
            sent: VecDeque::with_capacity(in_flight),
        }
    }

    /// Returns the next messages, each with its number.
    fn next(&mut self, count: usize) -> &[u8] {
        let frames = &mut self.frames[..count * self.frame_bytes];
        for frame in frames.chunks_exact_mut(self.frame_bytes) {
            self.number += 1;
            self.dialect.renumber(frame, self.number);
        }
        frames
    }
}
