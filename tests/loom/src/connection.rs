//! A model of the connection: its loops make the same calls of the outbox in the same order, and do
//! nothing else. A change in `src/connection/mod.rs` must be made here, too.

use std::convert::Infallible;

use crate::ending::Ending;
use crate::outbox::{Drained, Outbox};
use crate::wake::{Ready, wait};
use crate::world::WORLD;

/// Runs the connection to its end. Returns the reason.
pub(crate) fn run(outbox: &Outbox) -> Ending {
    let Err(ending) = talk(outbox);
    WORLD.change(|world| world.goodbye_said = true);
    part(outbox, &ending);
    ending
}

fn talk(outbox: &Outbox) -> Result<Infallible, Ending> {
    let mut ready = Ready { readable: false, ..Ready::default() };
    let mut blocked = None;
    loop {
        if ready.readable {
            return Err(Ending::Closed);
        }
        if ready.woken || ready.writable {
            blocked = outbox.attend()?;
        }
        ready = wait(true, blocked.is_some());
    }
}

fn part(outbox: &Outbox, ending: &Ending) {
    while !outbox.is_released() {
        wait(false, false);
        outbox.waker.silence();
    }
    outbox.finish(ending, ending.close_frame().into());
    while outbox.drain().expect("a model does not break") != Drained::All {
        outbox.waker.silence();
        wait(false, true);
    }
}
