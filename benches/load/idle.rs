//! Idle: the cost of clients that send nothing.

use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::measurement::Measurement;
use crate::report::Row;
use crate::target::Target;
use testkit::ClientPool;
use testkit::Dialect;
use testkit::Outcome;

/// How long all clients are silent.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a client is silent before the server pings it. A shorter silence shows wake-ups without
/// a reason.
const FIRST_PING: Duration = Duration::from_secs(25);
/// How long new threads settle before they are counted and memory is measured.
const SETTLE: Duration = Duration::from_millis(500);

/// Measures the memory, the time to connect all clients, and the wake-ups in silence.
pub(crate) fn run(cores: &Cores, target: &Target, clients: usize) -> Outcome<Row> {
    let server = target.start(cores)?;
    std::thread::sleep(SETTLE);
    let empty = server.resident_kib()?;

    let start = Instant::now();
    let mut pool = ClientPool::connect(server.chat, clients, Dialect::Plain)?;
    let connecting = start.elapsed();
    keep_silent(&mut pool, SETTLE)?;
    let full = server.resident_kib()?;

    let measurement = Measurement::begin(&server, cores)?;
    let pings = pool.pings();
    keep_silent(&mut pool, SILENCE)?;
    let spent = measurement.end()?;
    let pings = pool.pings() - pings;
    let undisturbed = start.elapsed() < FIRST_PING;

    let mut row = Row::new("idle", target, clients);
    row.resident(full, empty);
    row.figure("connecting_ms", connecting.as_secs_f64() * 1e3);
    row.spent(&spent);
    row.figure("silence_wake_ups", spent.server.waits as f64);
    row.figure("silence_pings", pings as f64);
    row.note(format!("all connected in {} ms", connecting.as_millis()));
    row.note(format!("{} threads", spent.server.threads));
    row.note(format!(
        "{} wake-ups and {pings} pings in {} s of silence",
        spent.server.waits,
        SILENCE.as_secs()
    ));
    if !undisturbed {
        row.note("it took so long that pings were due".to_owned());
    }
    row.lost(pool.lost());
    Ok(row)
}

/// Sends nothing for this long, but answers pings.
fn keep_silent(pool: &mut ClientPool, time: Duration) -> Outcome {
    let end = Instant::now() + time;
    let mut ready = Vec::new();
    while Instant::now() < end {
        pool.wait(end.saturating_duration_since(Instant::now()), &mut ready)?;
        for &index in &ready {
            pool.read(index, |_| {})?;
        }
    }
    Ok(())
}
