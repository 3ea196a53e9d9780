//! Quiet, busy, fan-out, many rooms: messages at a fixed rate, whatever the server does.
//!
//! The clock of a message starts when it was *due*, not when it was sent, so
//! a server (or a generator) that falls behind cannot hide it. The generator
//! spins while a message is due or on its way, so that its own waking up is
//! in nobody's figures; between messages it sleeps.

use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::measurement::Measurement;
use crate::report::Row;
use crate::syscalls::Count;
use crate::target::Target;
use testkit::ClientPool;
use testkit::Outcome;
use testkit::{Dialect, LOBBY};

/// Time for a fresh server to come to rest before it is weighed.
const SETTLE: Duration = Duration::from_millis(200);
/// Seconds in which system calls are counted.
const COUNTED: u32 = 1;
/// With more threads than that, finding them all takes perf too long.
const COUNTED_MAX: usize = 1_000;
/// Seconds for caches and the branch predictor before measuring.
const WARM_UP: u32 = 1;
/// How long the last deliveries may take once everything has been sent.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// The last stretch before a message is due, which is spun: epoll rounds up
/// to a millisecond, and waking up takes a while too.
const SPIN: Duration = Duration::from_millis(2);

/// How many talk to how many, and how fast.
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) clients: usize,
    /// Rooms that the clients are in, as many in each.
    pub(crate) rooms: usize,
    /// They take turns.
    pub(crate) senders: usize,
    /// Messages a second, all senders together.
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
    /// The number of the first message; no other series has used it.
    first: u32,
    count: u32,
    sent: u32,
    messages: Vec<Message>,
    latencies: Vec<Duration>,
}

/// What became of one message.
#[derive(Clone, Copy, Default)]
struct Message {
    received: usize,
    /// From when it was due until its last receiver (so far) had it.
    last: Duration,
}

/// Measures one plan, in one way.
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

    /// Sends everything when it is due, lets the gap after the last message
    /// pass too, and waits for every delivery, but not for ever.
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

    /// How long there is nothing to do: not at all while a message is on its
    /// way, or about to be.
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

    /// Deliveries of what has been sent that are still to come.
    fn on_their_way(&self) -> usize {
        self.sent as usize * self.members - self.latencies.len()
    }

    /// Deliveries still to come, of all the series.
    fn missing(&self) -> usize {
        self.messages.len() * self.members - self.latencies.len()
    }
}
