//! Attacks, faults and shortages, against the release program as a process, on this machine alone.
//!
//! `make hostile` runs them, one after the other, because each measures what the others would
//! disturb. Each prints what it measured. What is attacked here, and how it is defended, is told in
//! SECURITY.md.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(unreachable_pub, reason = "a test is nobody's library")]

mod address_space;
mod choir;
mod churn;
mod client;
mod clock;
mod crowd;
mod disk;
mod exhaustion;
mod faults;
mod floods;
mod ghosts;
mod half_open;
mod heads;
mod holes;
mod kept;
mod killed;
mod log;
mod million;
mod offences;
mod people;
mod reading_back;
mod reconnecting;
mod relief;
mod resume;
mod slow_readers;
mod slowloris;
mod starting;
mod storm;
mod strace;
mod vanished;
mod visitors;
mod witness;

// The clients are those of the load generator.
#[path = "../../benches/load/dialect.rs"]
#[allow(dead_code, reason = "the load generator uses the rest")]
mod dialect;
#[path = "../../benches/load/frames.rs"]
#[allow(dead_code, reason = "the load generator uses the rest")]
mod frames;
#[path = "../../benches/load/handshake.rs"]
mod handshake;
#[path = "../../benches/load/swarm.rs"]
#[allow(dead_code, reason = "the load generator uses the rest")]
mod swarm;

#[path = "../support/mod.rs"]
mod support;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
