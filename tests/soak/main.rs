//! Long runs of chance against the release program, on this machine alone.
//!
//! `make soak` runs them. Each prints its seed; `SOAK_SEED=seed make soak` makes the same choices
//! again, and `SOAK_SECONDS` changes how long it takes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(unreachable_pub, reason = "a test is nobody's library")]

mod heads;

#[path = "../../src/request/mutations.rs"]
mod mutations;
#[path = "../support/mod.rs"]
mod support;
#[path = "../hostile/visitors.rs"]
mod visitors;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().expect("a number"))
}
