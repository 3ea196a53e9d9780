//! The wake protocol of the outbox, under every interleaving of the threads that use it.
//!
//! The outbox is the real one. The socket and the waker below it are models, and so is the loop of
//! the connection above it, which makes the calls of `src/connection/mod.rs` in their order. loom
//! runs each test once for every order in which the locks can be taken. A lost wake-up leaves both
//! threads waiting, which loom reports as a deadlock.

#![cfg(test)]

#[path = "../../../src/broadcaster/outbox.rs"]
#[allow(dead_code, reason = "the connection is a model, and calls a part of it")]
mod outbox;

mod close_reason;
mod connection;
mod poll;
mod socket;
mod world;

// The outbox names them so.
mod net {
    pub(crate) use crate::{poll, socket};
}

use std::sync::Arc;

use close_reason::CloseReason;
use outbox::Outbox;
use socket::Transport;
use world::WORLD;

/// Free space in the socket at first (bytes).
const ROOM: usize = 3;
/// Maximum size of the outbox behind a run that has been sent in part (bytes).
const BACKLOG_BYTES_MAX: usize = 4;

const INTERRUPTIONS_MAX: usize = 4;
const SHORT: usize = 5;

/// The actions of the other threads, in their order: the broadcaster, and the client, which makes
/// space by reading.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The broadcaster pushes a run of frames.
    Push(&'static str),
    /// The broadcaster asks the connection to end.
    Close,
    /// The client reads this many bytes.
    Read(usize),
    /// The client waits until it has been sent this many bytes.
    Hear(usize),
    /// The client closes.
    Hangup,
    /// The broadcaster waits until it is told that the client is gone.
    HearGoodbye,
    /// The broadcaster releases the outbox.
    Release,
}

/// Plays the steps against a connection. Returns the reason of its end, and the bytes sent to the
/// client.
fn play(steps: &[Step]) -> (CloseReason, String) {
    let outbox = Outbox::new(Arc::new(Transport::new(ROOM)), BACKLOG_BYTES_MAX);
    let outbox = Arc::new(outbox.expect("a model has no limit of descriptors"));
    let (others, steps) = (outbox.clone(), steps.to_vec());
    let others = loom::thread::spawn(move || {
        for step in steps {
            match step {
                Step::Push(run) => others.push(&run.as_bytes().into()),
                Step::Close => others.close(CloseReason::Stopping),
                Step::Read(bytes) => WORLD.change(|world| world.room += bytes),
                Step::Hear(bytes) => {
                    WORLD.wait_until(|world| (world.sent.len() >= bytes).then_some(()));
                }
                Step::Hangup => WORLD.change(|world| world.hung_up = true),
                Step::HearGoodbye => WORLD.wait_until(|world| world.goodbye_said.then_some(())),
                Step::Release => others.release(),
            }
        }
    });
    let ending = connection::run(&outbox);
    others.join().expect("no step panics");
    (ending, WORLD.change(|world| String::from_utf8_lossy(&world.sent).into_owned()))
}

/// Checks every interleaving of the steps with the connection in which no thread is preempted more
/// than [`INTERRUPTIONS_MAX`] times. (Without a bound the longer ones have millions. No lost
/// wake-up is known that needs more.)
#[track_caller]
fn check(steps: &'static [Step], ending: CloseReason, sent: &'static str) {
    let mut model = loom::model::Builder::new();
    // Short ones are checked in all orders.
    model.preemption_bound = (steps.len() > SHORT).then_some(INTERRUPTIONS_MAX);
    model.check(move || assert_eq!(play(steps), (ending.clone(), sent.to_owned())));
}

use Step::{Close, Hangup, Hear, HearGoodbye, Push, Read, Release};

#[test]
fn pushed_bytes_arrive_once_and_in_order() {
    let sent = "12345ab!";
    let closed = CloseReason::Closed;
    // A client that waits for the rest closes only after it, so that nothing else can have woken
    // the connection.
    check(
        &[
            Push("12345"),
            Read(9),
            Hear(5),
            Push("ab"),
            Hear(7),
            Hangup,
            HearGoodbye,
            Release,
            Read(1),
        ],
        closed.clone(),
        sent,
    );
    check(
        &[Push("12345"), Read(1), Read(9), Hear(5), Push("ab"), Hangup, HearGoodbye, Release],
        closed.clone(),
        sent,
    );
    check(
        &[Push("12345"), Push("ab"), Read(9), Hear(7), Hangup, HearGoodbye, Release],
        closed.clone(),
        sent,
    );
    check(
        &[Push("12345"), Read(3), Push("ab"), Read(9), Hear(7), Hangup, HearGoodbye, Release],
        closed.clone(),
        sent,
    );
    check(&[Push("12345"), Push("ab"), Hangup, Read(9), HearGoodbye, Release], closed, sent);
}

#[test]
fn bytes_pushed_after_the_goodbye_arrive_before_the_close_frame() {
    let sent = "12345ab!";
    check(
        &[Hangup, Push("12345"), HearGoodbye, Push("ab"), Release, Read(9)],
        CloseReason::Closed,
        sent,
    );
    check(
        &[Push("12345"), Hangup, HearGoodbye, Push("ab"), Read(9), Release],
        CloseReason::Closed,
        sent,
    );
}

#[test]
fn a_connection_that_is_closed_ends_and_sends_nothing_after() {
    let sent = "12345a.";
    check(
        &[Push("12345"), Push("a"), Close, Push("b"), HearGoodbye, Release, Read(9)],
        CloseReason::Stopping,
        sent,
    );
    check(
        &[Push("12345"), Push("a"), Read(2), Close, Read(9), HearGoodbye, Release],
        CloseReason::Stopping,
        sent,
    );
    check(&[Close, HearGoodbye, Release], CloseReason::Stopping, ".");
}

#[test]
fn a_slow_client_is_cut_after_the_run_that_it_has_a_part_of() {
    // The second run fits into the backlog and the third does not, in any order of the threads:
    // nothing is read.
    check(
        &[Push("12345"), Push("abcd"), Push("e"), Push("f"), HearGoodbye, Release],
        CloseReason::TooSlow,
        "12345~",
    );
}
