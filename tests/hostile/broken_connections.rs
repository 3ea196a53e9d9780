//! Connections that break all the time, for a few seconds. `make soak` runs it for longer.

use std::time::Duration;

use testkit::reconnecting::{FaultRun, run};

#[test]
fn connections_that_break_lose_nothing() {
    let seed = rand::random::<u32>().into();
    println!("seed {seed}");
    let plan = FaultRun {
        clients: 100,
        texts_each: 20,
        duration: Duration::from_secs(12),
        connection_life: Duration::from_secs(2),
    };
    run(plan, seed);
}
