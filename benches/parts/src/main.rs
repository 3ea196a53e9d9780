//! Measures single parts of the server, without a server around them.
//!
//! The parts are the real ones. `parts count CASE` runs one case in one thread, so that callgrind
//! counts the same instructions every time (`tests/instructions.rs`). `parts cases` lists the
//! cases. Otherwise the program measures times, with divan.

#![allow(unreachable_pub, reason = "some of it is public in the library")]

#[path = "../../../src"]
#[allow(dead_code, unused_imports, reason = "the rest of the program is not here")]
mod program {
    pub(crate) mod broadcaster;
    pub(crate) mod chat;
    pub(crate) mod config;
    pub(crate) mod connection;
    pub(crate) mod net;
    pub(crate) mod protocol;
    pub(crate) mod store;
}

// The modules name each other from the root of the crate.
use program::{broadcaster, chat, config, connection, net, protocol, store};

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
