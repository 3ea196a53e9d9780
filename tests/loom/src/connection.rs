//! A model of the connection. It calls the outbox as `src/connection/mod.rs` does, in the same order,
//! and does nothing else. A change of those calls must be made here, too.

use std::convert::Infallible;

use crate::close_reason::CloseReason;
use crate::outbox::{Drained, Outbox};
use crate::poll::{Ready, wait};
use crate::world::WORLD;

/// Runs the connection to its end, and returns the reason.
pub(crate) fn run(outbox: &Outbox) -> CloseReason {
    let Err(close_reason) = serve(outbox);
    WORLD.change(|world| world.is_disconnect_sent = true);
    close(outbox, &close_reason);
    close_reason
}

fn serve(outbox: &Outbox) -> Result<Infallible, CloseReason> {
    let mut ready = Ready { readable: false, ..Ready::default() };
    let mut blocked_since = None;
    loop {
        if ready.readable {
            return Err(CloseReason::Closed);
        }
        if ready.woken || ready.writable {
            blocked_since = outbox.handle_wake()?;
        }
        ready = wait(true, blocked_since.is_some());
    }
}

fn close(outbox: &Outbox, close_reason: &CloseReason) {
    while !outbox.is_released() {
        wait(false, false);
        outbox.waker.clear();
    }
    outbox.push_close_frame(close_reason, close_reason.close_frame().into());
    while outbox.drain().expect("a model does not break") != Drained::All {
        outbox.waker.clear();
        wait(false, true);
    }
}
