//! Attacks, faults and shortages against the release program, on this machine only.
//!
//! `make hostile` runs the tests one after the other, because each prints measurements that others
//! would disturb. SECURITY.md lists the attacks and the defences.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(unreachable_pub, reason = "the modules share functions")]

mod address_space;
mod broken_connections;
mod connection_storm;
mod cut_network;
mod damaged_history;
mod exhausted_resources;
mod failing_calls;
mod failing_reads;
mod floods;
mod full_disk;
mod history_gaps;
mod killed_server;
mod large_history;
mod log_lines;
mod page_requests;
mod protocol_violations;
mod reconnect_bursts;
mod recovery;
mod request_heads;
mod short_connections;
mod slow_readers;
mod slowloris;
mod startup;
mod strace;
mod vanished_clients;
mod wrong_clock;
