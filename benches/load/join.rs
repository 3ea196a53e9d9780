//! Join: the cost for the broadcaster when a client joins a full room.
//!
//! One guest joins and parts again and again, and nothing else happens. A join is over when the
//! broadcaster sleeps again, after the guest has its answer and all JSON members have their event.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cores::Cores;
use crate::report::Row;
use crate::server::{Server, Thread};
use crate::target::{Program, Target};
use testkit::ClientPool;
use testkit::Outcome;
use testkit::frames;
use testkit::{Dialect, LOBBY};

/// Members of the room, besides the guest.
const MEMBERS: usize = 1_000;
/// Messages before the joins: as many as the server holds of a room.
const MESSAGES: u32 = 500;
const TEXT_BYTES: usize = 100;
/// How often the guest joins.
const JOINS: usize = 100;
/// Joins that are not counted.
const WARM_UP: usize = 10;
/// The thread that is measured.
const BROADCASTER: &str = "broadcaster";

/// A full room, and the guest.
struct Room {
    broadcaster: Thread,
    members: ClientPool,
    /// Members that receive `arrived`.
    listeners: usize,
    guest: ClientPool,
    /// The request of the guest.
    join: Vec<u8>,
    _server: Server,
}

/// The cost of one join.
struct Taken {
    /// Time of the broadcaster on its core.
    cpu: Duration,
    /// From the request of the guest to its answer.
    wait: Duration,
    answer_bytes: u64,
}

/// Measures in a room whose members use this dialect. The guest gets the newest 100 messages. With
/// `replayed` it resumes from the beginning, and gets all of them.
pub(crate) fn run(cores: &Cores, dialect: Dialect, replayed: bool) -> Outcome<Row> {
    let mut room = Room::open(cores, dialect, replayed)?;
    let mut taken = Vec::with_capacity(JOINS);
    for round in 0..WARM_UP + JOINS {
        let one = room.join()?;
        if round >= WARM_UP {
            taken.push(one);
        }
    }

    let what = if replayed { "join all" } else { "join" };
    let mut row = Row::new(what, &Target::new(Program::Chinwag, dialect), MEMBERS + 1);
    let mut waits: Vec<Duration> = taken.iter().map(|one| one.wait).collect();
    row.latency(&mut waits);
    let mut cpu: Vec<Duration> = taken.iter().map(|one| one.cpu).collect();
    row.broadcaster(&mut cpu);
    let bytes = taken.first().map_or(0, |one| one.answer_bytes);
    row.figure("answer_bytes", bytes as f64);
    row.note(format!("an answer of {} KiB", bytes / 1024));
    row.note(format!("{} members hear of it", room.listeners));
    row.lost(room.members.lost() + room.guest.lost());
    Ok(row)
}

impl Room {
    fn open(cores: &Cores, dialect: Dialect, replayed: bool) -> Outcome<Self> {
        let server = Target::new(Program::Chinwag, dialect).start(cores)?;
        let mut members = ClientPool::connect(server.chat, MEMBERS, dialect)?;
        for number in 0..MESSAGES {
            // One at a time, so that no client falls behind.
            let message = dialect.message(LOBBY, TEXT_BYTES, number, 0);
            members.send(0, &message)?;
            members.receive(MEMBERS, |_| {})?;
        }
        let mut guest =
            ClientPool::connect_silent(server.chat, 1, Dialect::Json, &[LOBBY.to_owned()])?;
        let mut epoch = Value::Null;
        guest.send(0, &frames::zero_masked_text(r#"{"type":"hello"}"#))?;
        guest.receive(1, |welcome| {
            let welcome: Value = serde_json::from_slice(welcome).unwrap_or_default();
            epoch = welcome["epoch"].clone();
        })?;
        let mut join = json!({ "type": "join", "room": "lobby" });
        if replayed {
            join["epoch"] = epoch;
            join["after"] = json!(0);
        }
        let join = frames::zero_masked_text(&join.to_string());
        let listeners = if dialect == Dialect::Json { MEMBERS } else { 0 };
        let broadcaster = server.thread(BROADCASTER)?;
        Ok(Self { broadcaster, members, listeners, guest, join, _server: server })
    }

    /// The guest joins and parts.
    fn join(&mut self) -> Outcome<Taken> {
        let before = self.broadcaster.cpu_at_rest()?;
        let (bytes, start) = (self.guest.bytes(), Instant::now());
        self.guest.send(0, &self.join)?;
        self.guest.receive(1, |_| {})?;
        let wait = start.elapsed();
        let answer_bytes = self.guest.bytes() - bytes;
        self.members.receive(self.listeners, |_| {})?;
        let after = self.broadcaster.cpu_at_rest()?;

        self.guest.send(0, &frames::zero_masked_text(r#"{"type":"part","room":"lobby"}"#))?;
        self.guest.receive(1, |_| {})?;
        // In both dialects all members are told who has left.
        self.members.receive(MEMBERS, |_| {})?;
        Ok(Taken { cpu: after.saturating_sub(before), wait, answer_bytes })
    }
}
