//! Connections that break all the time, also in the middle of frames, while a hundred clients talk.

use std::time::Duration;

use testkit::reconnecting::{FaultRun, run};

use crate::{duration, seed};

#[test]
fn connections_that_break_lose_nothing() {
    let seed = seed();
    let duration = duration();
    // All clients together: 10,000 in a minute.
    let texts = 10_000 * duration.as_secs() / 60;
    let clients = 100;
    let texts_each = usize::try_from(texts).unwrap() / clients;
    run(FaultRun { clients, texts_each, duration, connection_life: Duration::from_secs(2) }, seed);
}
