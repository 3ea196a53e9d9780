//! A model of the connection: its loops make the same calls of the outbox in the same order, and do
//! nothing else. A change in `src/connection/mod.rs` must be made here, too.

use std::convert::Infallible;

use crate::close_reason::CloseReason;
use crate::outbox::{Drained, Outbox};
use crate::poll::{Ready, wait};
use crate::world::WORLD;

/// Runs the connection to its end. Returns the reason.
pub(crate) fn run(outbox: &Outbox) -> CloseReason {
    let Err(ending) = talk(outbox);
    WORLD.change(|world| world.goodbye_said = true);
    part(outbox, &ending);
    ending
}

fn talk(outbox: &Outbox) -> Result<Infallible, CloseReason> {
    let mut ready = Ready { readable: false, ..Ready::default() };
    let mut blocked = None;
    loop {
        if ready.readable {
            return Err(CloseReason::Closed);
        }
        if ready.woken || ready.writable {
            blocked = outbox.attend()?;
        }
        ready = wait(true, blocked.is_some());
    }
}

fn part(outbox: &Outbox, ending: &CloseReason) {
    while !outbox.is_released() {
        wait(false, false);
        outbox.waker.clear();
    }
    outbox.finish(ending, ending.close_frame().into());
    while outbox.drain().expect("a model does not break") != Drained::All {
        outbox.waker.clear();
        wait(false, true);
    }
}
