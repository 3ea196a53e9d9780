//! The wake protocol of the outbox, under every interleaving of the threads that meet in it.
//!
//! The outbox is the real one. The socket and the bell below it are models, and so is the loop of
//! the connection above it, which makes the calls of `src/connection/mod.rs` in their order. loom runs
//! each test once for every order in which the locks can be taken; a wake-up that is lost leaves
//! both threads waiting, which loom reports as a deadlock.

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

/// So many bytes fit into the socket at first.
const ROOM: usize = 3;
/// So many may wait in the outbox behind a run that has gone out in part.
const BACKLOG_BYTES_MAX: usize = 4;

const INTERRUPTIONS_MAX: usize = 4;
const SHORT: usize = 5;

/// What the other threads do, in this order: the broadcaster, and the client, who makes room by
/// reading.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The broadcaster pushes a run of frames.
    Push(&'static str),
    /// The broadcaster asks the connection to end.
    Close,
    /// The client reads so much.
    Read(usize),
    /// The client waits until it has been sent so much.
    Hear(usize),
    /// The client closes.
    Hangup,
    /// The broadcaster has heard that the client is gone.
    HearGoodbye,
    /// The broadcaster lets go.
    Release,
}

/// Plays the steps against a connection: why that ended, and what the client was sent.
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

/// Checks every interleaving of the steps with the connection in which no thread is interrupted
/// more often than [`INTERRUPTIONS_MAX`] times, where it could have gone on. (All of them would be
/// millions for the longer ones; no wake-up is known that takes more to be lost.)
#[track_caller]
fn check(steps: &'static [Step], ending: CloseReason, sent: &'static str) {
    let mut model = loom::model::Builder::new();
    // The short ones are checked in all orders there are.
    model.preemption_bound = (steps.len() > SHORT).then_some(INTERRUPTIONS_MAX);
    model.check(move || assert_eq!(play(steps), (ending.clone(), sent.to_owned())));
}

use Step::{Close, Hangup, Hear, HearGoodbye, Push, Read, Release};

#[test]
fn what_is_pushed_arrives_once_and_in_order() {
    let sent = "12345ab!";
    let closed = CloseReason::Closed;
    // Whoever waits for the rest hangs up only then, so that nothing else can have woken anybody.
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
fn what_is_pushed_after_the_goodbye_arrives_before_the_close_frame() {
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
fn a_connection_that_is_asked_to_end_does_and_nothing_comes_after() {
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
fn a_client_that_is_too_slow_is_cut_behind_the_run_that_it_has_a_part_of() {
    // The second run fits into the backlog and the third does not, whoever is faster: nothing is
    // read.
    check(
        &[Push("12345"), Push("abcd"), Push("e"), Push("f"), HearGoodbye, Release],
        CloseReason::TooSlow,
        "12345~",
    );
}
