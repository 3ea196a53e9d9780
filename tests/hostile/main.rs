//! Attacks, faults and shortages, against the release program as a process, on this machine alone.
//!
//! `make hostile` runs them, one after the other, because each measures what the others would
//! disturb. Each prints what it measured. What is attacked here, and how it is defended, is told in
//! SECURITY.md.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(unreachable_pub, reason = "a test is nobody's library")]

mod address_space;
mod churn;
mod clock;
mod disk;
mod exhaustion;
mod faults;
mod floods;
mod ghosts;
mod half_open;
mod heads;
mod holes;
mod killed;
mod log;
mod million;
mod offences;
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
