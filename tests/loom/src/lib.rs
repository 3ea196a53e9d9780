//! Tests the outbox under every interleaving of its two threads.
//!
//! The outbox is the real one. The socket and the waker below it are models. So is the connection
//! above it, which calls the outbox as `src/connection/mod.rs` does, in the same order. loom runs each
//! test once for every order in which the locks can be taken. A lost wake-up leaves both threads
//! waiting, which loom reports as a deadlock.

#![cfg(test)]

#[path = "../../../src/broadcaster/outbox.rs"]
#[allow(dead_code, reason = "the model of the connection calls only a part of it")]
mod outbox;

mod close_reason;
mod connection;
mod poll;
mod socket;
mod world;

// The paths by which the outbox imports the models.
mod chat {
    #[derive(Clone, Debug)]
    pub(crate) struct Nickname;
    #[derive(Clone, Debug)]
    pub(crate) struct RoomName;
}
mod net {
    pub(crate) use crate::{poll, socket};
}

use std::sync::Arc;

use close_reason::CloseReason;
use outbox::Outbox;
use socket::Transport;
use world::WORLD;

/// How many bytes the socket takes before the client reads.
const SOCKET_BYTES: usize = 3;
/// Capacity of the backlog (bytes).
const BACKLOG_BYTES_MAX: usize = 4;

/// Maximum number of times that a thread is preempted, in long scripts.
const PREEMPTIONS_MAX: usize = 4;
/// Maximum number of steps of a script that is tested in all orders.
const SHORT_STEPS_MAX: usize = 5;

/// A step of the other threads: the broadcaster, and the client, which frees bytes of the socket by
/// reading.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The broadcaster pushes a run of frames.
    Push(&'static str),
    /// The broadcaster requests the close of the connection.
    RequestClose,
    /// The client reads this number of bytes.
    Read(usize),
    /// The client waits until the socket has taken this number of bytes.
    AwaitSent(usize),
    /// The client sends its close frame.
    Close,
    /// The broadcaster waits until the connection reports the disconnect.
    AwaitDisconnect,
    /// The broadcaster releases the outbox.
    Release,
}

/// Runs the steps against a connection. Returns its close reason, and the bytes that were sent.
fn play(steps: &[Step]) -> (CloseReason, String) {
    let outbox = Outbox::new(Arc::new(Transport::new(SOCKET_BYTES)), BACKLOG_BYTES_MAX);
    let outbox = Arc::new(outbox.expect("a model has no limit of descriptors"));
    let (others, steps) = (outbox.clone(), steps.to_vec());
    let others = loom::thread::spawn(move || {
        for step in steps {
            match step {
                Step::Push(run) => others.push(&run.as_bytes().into()),
                Step::RequestClose => others.request_close(CloseReason::Stopping),
                Step::Read(bytes) => WORLD.change(|world| world.free_bytes += bytes),
                Step::AwaitSent(bytes) => {
                    WORLD.wait_until(|world| (world.sent.len() >= bytes).then_some(()));
                }
                Step::Close => WORLD.change(|world| world.is_closed_by_client = true),
                Step::AwaitDisconnect => {
                    WORLD.wait_until(|world| world.is_disconnect_sent.then_some(()));
                }
                Step::Release => others.release(),
            }
        }
    });
    let close_reason = connection::run(&outbox);
    others.join().expect("no step panics");
    (close_reason, WORLD.change(|world| String::from_utf8_lossy(&world.sent).into_owned()))
}

/// Checks the interleavings of the steps with the connection: all of a short script, and of a long one
/// those with at most [`PREEMPTIONS_MAX`] preemptions of a thread. A long script has millions of
/// interleavings. No lost wake-up is known that needs more preemptions.
#[track_caller]
fn check(steps: &'static [Step], close_reason: CloseReason, sent: &'static str) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = (steps.len() > SHORT_STEPS_MAX).then_some(PREEMPTIONS_MAX);
    model.check(move || assert_eq!(play(steps), (close_reason.clone(), sent.to_owned())));
}

use Step::{AwaitDisconnect, AwaitSent, Close, Push, Read, Release, RequestClose};

#[test]
fn frames_arrive_once_and_in_order() {
    let sent = "12345ab!";
    let closed = CloseReason::Closed;
    // The client closes only after it got all bytes. So its close frame cannot have woken the
    // connection before.
    check(
        &[
            Push("12345"),
            Read(9),
            AwaitSent(5),
            Push("ab"),
            AwaitSent(7),
            Close,
            AwaitDisconnect,
            Release,
            Read(1),
        ],
        closed.clone(),
        sent,
    );
    check(
        &[
            Push("12345"),
            Read(1),
            Read(9),
            AwaitSent(5),
            Push("ab"),
            Close,
            AwaitDisconnect,
            Release,
        ],
        closed.clone(),
        sent,
    );
    check(
        &[Push("12345"), Push("ab"), Read(9), AwaitSent(7), Close, AwaitDisconnect, Release],
        closed.clone(),
        sent,
    );
    check(
        &[
            Push("12345"),
            Read(3),
            Push("ab"),
            Read(9),
            AwaitSent(7),
            Close,
            AwaitDisconnect,
            Release,
        ],
        closed.clone(),
        sent,
    );
    check(&[Push("12345"), Push("ab"), Close, Read(9), AwaitDisconnect, Release], closed, sent);
}

#[test]
fn frames_after_the_disconnect_arrive_before_the_close_frame() {
    let sent = "12345ab!";
    check(
        &[Close, Push("12345"), AwaitDisconnect, Push("ab"), Release, Read(9)],
        CloseReason::Closed,
        sent,
    );
    check(
        &[Push("12345"), Close, AwaitDisconnect, Push("ab"), Read(9), Release],
        CloseReason::Closed,
        sent,
    );
}

#[test]
fn a_requested_close_ends_the_connection_and_drops_later_frames() {
    let sent = "12345a.";
    check(
        &[Push("12345"), Push("a"), RequestClose, Push("b"), AwaitDisconnect, Release, Read(9)],
        CloseReason::Stopping,
        sent,
    );
    check(
        &[Push("12345"), Push("a"), Read(2), RequestClose, Read(9), AwaitDisconnect, Release],
        CloseReason::Stopping,
        sent,
    );
    check(&[RequestClose, AwaitDisconnect, Release], CloseReason::Stopping, ".");
}

#[test]
fn a_slow_client_gets_the_rest_of_a_partial_run_and_the_close_frame() {
    // The second run fits into the backlog and the third does not, in every order: the client reads
    // nothing.
    check(
        &[Push("12345"), Push("abcd"), Push("e"), Push("f"), AwaitDisconnect, Release],
        CloseReason::TooSlow,
        "12345~",
    );
}
