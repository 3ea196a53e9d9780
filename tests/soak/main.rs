//! Long random runs against the release program, on this machine only.
//!
//! `make soak` runs them one after the other. Each prints its seed. `SOAK_SEED=seed make soak`
//! repeats the random choices, and `SOAK_SECONDS` sets how long each takes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(unreachable_pub, reason = "the modules share functions")]

mod broken_connections;
mod request_heads;

#[path = "../../src/http/head_mutations.rs"]
mod mutations;

use std::time::Duration;

/// Returns the seed of all random choices, and prints it.
fn seed() -> u64 {
    let seed = setting("SOAK_SEED").unwrap_or_else(rand::random);
    println!("SOAK_SEED={seed}");
    seed
}

/// Returns how long a run takes.
fn duration() -> Duration {
    Duration::from_secs(setting("SOAK_SECONDS").unwrap_or(60))
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().expect("a number"))
}
