//! Quiet, busy, fan-out: messages at a fixed rate, whatever the server does.
//!
//! The clock of a message starts when it was *due*, not when it was sent, so
//! a server (or a generator) that falls behind cannot hide it. The generator
//! spins while a message is due or on its way, so that its own waking up is
//! in nobody's figures; between messages it sleeps.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::cores::Cores;
use crate::dialect::{Dialect, TEXT_BYTES};
use crate::report::Row;
use crate::swarm::Swarm;
use crate::way::Way;
use crate::window::Window;

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
    /// They take turns.
    pub(crate) senders: usize,
    /// Messages a second, all senders together.
    pub(crate) per_second: u32,
}

/// A series of numbered messages, evenly spaced.
struct Series<'a> {
    swarm: &'a mut Swarm,
    dialect: Dialect,
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

/// Measures one plan, in one dialect.
pub(crate) fn run(cores: &Cores, plan: &Plan, way: Way, seconds: u32) -> Outcome<Row> {
    let (server, dialect) = (way.start(cores)?, way.dialect);
    let mut swarm = Swarm::connect(server.chat, plan.clients, dialect)?;
    let warm_up = Series::new(&mut swarm, dialect, plan, 0, WARM_UP).play()?;
    let first = warm_up.count;

    let window = Window::open(&server, cores)?;
    let mut series = Series::new(&mut swarm, dialect, plan, first, seconds).play()?;
    let spent = window.close()?;

    let mut row = Row::new(&way.of_scenario(plan.name), plan.clients);
    row.rate(series.latencies.len() as u64, &spent);
    row.latency(&mut series.latencies);
    let mut last: Vec<Duration> = series.messages.iter().map(|m| m.last).collect();
    row.last_receiver(&mut last);
    row.missing(series.missing());
    row.lost(swarm.lost());
    Ok(row)
}

impl<'a> Series<'a> {
    fn new(swarm: &'a mut Swarm, dialect: Dialect, plan: &Plan, first: u32, seconds: u32) -> Self {
        let gap = Duration::from_secs(1) / plan.per_second;
        let count = seconds * plan.per_second;
        Self {
            latencies: Vec::with_capacity(count as usize * plan.clients),
            messages: vec![Message::default(); count as usize],
            start: Instant::now(),
            senders: plan.senders,
            sent: 0,
            swarm,
            dialect,
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
            self.swarm.wait(self.patience(), &mut ready)?;
            for &index in &ready {
                self.receive(index)?;
            }
        }
        Ok(self)
    }

    fn send_what_is_due(&mut self) -> Outcome {
        while self.sent < self.count && self.due(self.sent) <= Instant::now() {
            let sender = self.sent as usize % self.senders;
            let frame = self.dialect.message(TEXT_BYTES, self.first + self.sent, sender);
            self.swarm.send(sender, &frame)?;
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
        self.swarm.read(index, |payload| {
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
        self.sent as usize * self.swarm.len() - self.latencies.len()
    }

    /// Deliveries still to come, of all the series.
    fn missing(&self) -> usize {
        self.messages.len() * self.swarm.len() - self.latencies.len()
    }
}
