//! Measures single parts of the server, without a server around them.
//!
//! The parts are the real ones. `parts count CASE` runs one case in one thread, so that callgrind
//! counts the same instructions every time (`tests/instructions.rs`). `parts cases` lists the
//! cases. Otherwise the program measures times, with divan.

#![allow(unreachable_pub, reason = "some of it is public in the library")]

#[path = "../../../src"]
#[allow(dead_code, unused_imports, reason = "the rest of the program is not here")]
mod program {
    pub(crate) mod chat;
    pub(crate) mod protocol;

    pub(crate) mod allowance;
    pub(crate) mod ending;
    pub(crate) mod outbox;
    pub(crate) mod pace;
    pub(crate) mod transport;
    pub(crate) mod wake;

    pub(crate) mod broadcaster;
    pub(crate) mod connection;
    pub(crate) mod event;
    pub(crate) mod fanout;
    pub(crate) mod keep;

    pub(crate) mod config;
}

// The names by which the modules refer to each other.
use program::{
    allowance, broadcaster, chat, config, connection, ending, event, fanout, keep, outbox, pace,
    protocol, transport, wake,
};

mod door;
mod request;

mod cases;
mod client;
mod reading;
mod times;
mod turn;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cases"] => cases::CASES.iter().for_each(|case| println!("{}", case.name)),
        ["count", name] => {
            let case = cases::CASES.iter().find(|case| case.name == name);
            (case.expect("`parts cases` says which there are").run)();
        }
        _ => divan::Divan::from_args().run_benches(),
    }
}
