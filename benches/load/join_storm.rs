//! Join storm: all clients connect at once, as after a power cut.

use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::measurement::Measurement;
use crate::report::Row;
use crate::target::Target;
use testkit::ClientPool;
use testkit::Outcome;
use testkit::{Dialect, LOBBY};

/// Clients that join one room.
const CLIENTS: usize = 5_000;
/// The beginning of the answer to a join.
const JOINED: &[u8] = br#"{"type":"joined""#;

/// Measures the time until all are in the room, and until no delivery is in flight. In JSON each
/// client is told of each that comes later. In plain all receive one message at the end.
pub(crate) fn run(cores: &Cores, target: &Target) -> Outcome<Row> {
    let server = target.start(cores)?;
    let measurement = Measurement::begin(&server, cores)?;
    let start = Instant::now();
    let lobby = LOBBY.to_owned();
    let mut pool =
        ClientPool::connect_silent(server.chat, CLIENTS, target.wire_dialect(), &[lobby])?;
    let connected = start.elapsed();
    for index in 0..CLIENTS {
        pool.send(index, &target.wire_dialect().greeting(LOBBY))?;
    }
    let joined = match target.wire_dialect() {
        Dialect::Plain => {
            pool.send(0, &target.wire_dialect().message(LOBBY, target.text_bytes(), 0, 0))?;
            pool.receive(CLIENTS, |_| {})?;
            start.elapsed()
        }
        Dialect::Json => {
            let (mut answers, mut last) = (0, Duration::ZERO);
            pool.receive(target.wire_dialect().greeting_answers(CLIENTS), |text| {
                if text.starts_with(JOINED) {
                    answers += 1;
                    last = start.elapsed();
                }
            })?;
            if answers != CLIENTS {
                return Err(format!("only {answers} are in the room").into());
            }
            last
        }
    };
    let settled = start.elapsed();
    let spent = measurement.end()?;

    let mut row = Row::new("storm", target, CLIENTS);
    for (figure, time) in
        [("connected_ms", connected), ("joined_ms", joined), ("settled_ms", settled)]
    {
        row.figure(figure, time.as_secs_f64() * 1e3);
    }
    row.figure("bytes", pool.bytes() as f64);
    row.spent(&spent);
    row.note(format!(
        "connected after {} ms, in the room after {} ms, quiet after {} ms ({} MiB)",
        connected.as_millis(),
        joined.as_millis(),
        settled.as_millis(),
        pool.bytes() >> 20
    ));
    row.lost(pool.lost());
    Ok(row)
}
