//! Connections that break all the time, in the middle of frames too, while a hundred people talk.

use std::time::Duration;

use testkit::reconnecting::{FaultRun, run};

use crate::{duration, seed};

#[test]
fn connections_that_break_lose_nothing() {
    let seed = seed();
    let duration = duration();
    // All of them together: 10,000 in a minute.
    let texts = 10_000 * duration.as_secs() / 60;
    let people = 100;
    let texts_each = usize::try_from(texts).unwrap() / people;
    run(
        FaultRun { clients: people, texts_each, duration, connection_life: Duration::from_secs(2) },
        seed,
    );
}
