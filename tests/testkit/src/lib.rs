//! Servers, clients and scripts for the tests and benchmarks of chinwag.
//!
//! The sockets block, and each read has a deadline. No test sleeps: a client is in a room when the
//! server's event says so. A test shows that a client did *not* receive a message by the next
//! message arriving first.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(missing_docs, reason = "most names say it")]

// One server, and clients of it.
mod client;
mod http;
mod process;
mod script;
mod server;
mod temp_dir;
mod wait;

// Servers that are attacked, or whose history is checked.
pub mod history;
pub mod probes;
pub mod reconnecting;
mod verifying_client;

// Many clients on one thread.
mod client_pool;
mod dialect;
pub mod frames;
mod handshake;
mod load_group;
mod verifying_group;

pub use client::{
    Client, SUBPROTOCOL, connect, connect_from, connect_json, error_code, reset, seqs, tcp,
};
pub use client_pool::ClientPool;
pub use dialect::{Dialect, JSON_BYTES, LOBBY, PLAIN_BYTES, TEXT_BYTES};
pub use http::{HttpResponse, exchange, exchange_bytes, exchange_text};
pub use load_group::{Load, LoadGroup, Measured, run_together};
pub use process::{
    FREE_PORTS, ServerProcess, binary, chinwag, chinwag_under, prepared, processor_time, stderr_of,
    url_address, wait_for_exit,
};
pub use script::{Line, Script, lines};
pub use server::{TestServer, config};
pub use temp_dir::TempDir;
pub use verifying_client::{Broken, ROOMS, VerifyingClient};
pub use verifying_group::{Texts, VerifyingGroup};
pub use wait::{DEADLINE, becomes_true, pause, wait_until};

/// A result whose error is a sentence for the person at the terminal.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
