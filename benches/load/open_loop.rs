//! Quiet, busy, fan-out, many rooms: messages at a fixed rate, however slow the server is.
//!
//! The clock of a message starts when it is *due*, not when it is sent, so that a server (or a
//! generator) that falls behind cannot hide it. The generator spins while a message is due or in
//! flight, so that the figures exclude its own wake-ups. Between messages it sleeps.

use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::measurement::Measurement;
use crate::report::Row;
use crate::syscalls::Count;
use crate::target::Target;
use testkit::ClientPool;
use testkit::Outcome;
use testkit::{Dialect, LOBBY};

/// How long a new server settles before its memory is measured.
const SETTLE: Duration = Duration::from_millis(200);
/// Seconds in which system calls are counted.
const COUNTED: u32 = 1;
/// Maximum number of clients with which system calls are counted. With more threads perf takes too
/// long to find them.
const COUNTED_MAX: usize = 1_000;
/// Seconds for caches and the branch predictor before measuring.
const WARM_UP: u32 = 1;
/// How long the last deliveries may take after the last message.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long before a message is due the generator begins to spin: epoll rounds up to a millisecond,
/// and a wake-up takes a while.
const SPIN: Duration = Duration::from_millis(2);

/// The numbers of clients, rooms and senders, and the rate.
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) clients: usize,
    /// Rooms of the same size.
    pub(crate) rooms: usize,
    /// Clients that send in turn.
    pub(crate) senders: usize,
    /// Messages a second of all senders together.
    pub(crate) per_second: u32,
}

/// A series of numbered messages, evenly spaced.
struct Series<'a> {
    pool: &'a mut ClientPool,
    dialect: Dialect,
    text_bytes: usize,
    rooms: &'a [String],
    /// Clients in each room.
    members: usize,
    senders: usize,
    start: Instant,
    gap: Duration,
    /// The number of the first message. No other series has used it.
    first: u32,
    count: u32,
    sent: u32,
    messages: Vec<Message>,
    latencies: Vec<Duration>,
}

/// The deliveries of one message.
#[derive(Clone, Copy, Default)]
struct Message {
    received: usize,
    /// From when it was due until its last receiver so far had it.
    last: Duration,
}

/// Measures one plan with one target.
pub(crate) fn run(cores: &Cores, plan: &Plan, target: &Target, seconds: u32) -> Outcome<Row> {
    let server = target.start(cores)?;
    std::thread::sleep(SETTLE);
    let empty = server.resident_kib()?;
    let rooms: Vec<String> = match plan.rooms {
        1 => vec![LOBBY.to_owned()],
        many => (1..=many).map(|number| format!("room-{number}")).collect(),
    };
    let mut pool =
        ClientPool::connect_to(server.chat, plan.clients, target.wire_dialect(), &rooms)?;
    let warm_up = Series::new(&mut pool, target, plan, &rooms, 0, WARM_UP).play()?;
    let first = warm_up.count;
    let full = server.resident_kib()?;

    let measurement = Measurement::begin(&server, cores)?;
    let mut series = Series::new(&mut pool, target, plan, &rooms, first, seconds).play()?;
    let spent = measurement.end()?;

    let mut row = Row::new(plan.name, target, plan.clients);
    row.figure("rooms", plan.rooms as f64);
    row.rate(series.latencies.len() as u64, &spent);
    row.resident(full, empty);
    row.latency(&mut series.latencies);
    let mut last: Vec<Duration> = series.messages.iter().map(|m| m.last).collect();
    row.last_receiver(&mut last);
    row.missing(series.missing());
    let first = first + series.count;
    if plan.clients <= COUNTED_MAX {
        if let Some(count) = Count::begin(server.pid()) {
            let series = Series::new(&mut pool, target, plan, &rooms, first, COUNTED).play()?;
            row.syscalls(count.end()?, series.latencies.len() as u64);
        }
    }
    row.lost(pool.lost());
    Ok(row)
}

impl<'a> Series<'a> {
    fn new(
        pool: &'a mut ClientPool,
        target: &Target,
        plan: &Plan,
        rooms: &'a [String],
        first: u32,
        seconds: u32,
    ) -> Self {
        let gap = Duration::from_secs(1) / plan.per_second;
        let count = seconds * plan.per_second;
        let members = pool.size() / rooms.len();
        Self {
            latencies: Vec::with_capacity(count as usize * members),
            messages: vec![Message::default(); count as usize],
            start: Instant::now(),
            dialect: target.wire_dialect(),
            text_bytes: target.text_bytes(),
            senders: plan.senders,
            sent: 0,
            pool,
            rooms,
            members,
            first,
            count,
            gap,
        }
    }

    /// Sends each message when it is due, and waits for the gap after the last and, for a limited
    /// time, for every delivery.
    fn play(mut self) -> Outcome<Self> {
        let end = self.due(self.count);
        let mut ready = Vec::new();
        while Instant::now() < end || (self.missing() > 0 && Instant::now() < end + DRAIN_MAX) {
            self.send_what_is_due()?;
            self.pool.wait(self.patience(), &mut ready)?;
            for &index in &ready {
                self.receive(index)?;
            }
        }
        Ok(self)
    }

    fn send_what_is_due(&mut self) -> Outcome {
        while self.sent < self.count && self.due(self.sent) <= Instant::now() {
            let sender = self.sent as usize % self.senders;
            let room = &self.rooms[sender % self.rooms.len()];
            let number = self.first + self.sent;
            let frame = self.dialect.message(room, self.text_bytes, number, sender);
            self.pool.send(sender, &frame)?;
            self.sent += 1;
        }
        Ok(())
    }

    /// Returns how long there is nothing to do. It is zero while a message is in flight or almost
    /// due.
    fn patience(&self) -> Duration {
        if self.on_their_way() > 0 {
            return Duration::ZERO;
        }
        let idle = self.due(self.sent).saturating_duration_since(Instant::now());
        idle.saturating_sub(SPIN)
    }

    fn receive(&mut self, index: usize) -> Outcome {
        let (start, gap, first, dialect) = (self.start, self.gap, self.first, self.dialect);
        let (messages, latencies) = (&mut self.messages, &mut self.latencies);
        self.pool.read(index, |payload| {
            let place = dialect.number(payload).and_then(|n| n.checked_sub(first));
            let Some((place, message)) =
                place.and_then(|p| Some((p, messages.get_mut(p as usize)?)))
            else {
                return;
            };
            let late = (start + gap * place).elapsed();
            latencies.push(late);
            message.received += 1;
            message.last = late;
        })?;
        Ok(())
    }

    fn due(&self, place: u32) -> Instant {
        self.start + self.gap * place
    }

    /// Returns how many deliveries of sent messages are missing.
    fn on_their_way(&self) -> usize {
        self.sent as usize * self.members - self.latencies.len()
    }

    /// Returns how many deliveries of the whole series are missing.
    fn missing(&self) -> usize {
        self.messages.len() * self.members - self.latencies.len()
    }
}
