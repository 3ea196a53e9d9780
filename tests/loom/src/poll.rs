//! A model of `poll` and of the waker.

use std::io;

use crate::world::WORLD;

#[derive(Debug)]
pub(crate) struct Waker;

/// The reasons why a wait ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ready {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) woken: bool,
}

impl Waker {
    #[expect(clippy::unnecessary_wraps, reason = "the real one can fail")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn wake(&self) {
        WORLD.change(|world| world.rung = true);
    }

    pub(crate) fn clear(&self) {
        WORLD.change(|world| world.rung = false);
    }
}

/// Waits for the client, for the waker, and for space in the socket where that is wanted.
pub(crate) fn wait(readable: bool, writable: bool) -> Ready {
    WORLD.wait_until(|world| {
        let ready = Ready {
            readable: readable && world.hung_up,
            writable: writable && world.room > 0,
            woken: world.rung,
        };
        (ready.readable || ready.writable || ready.woken).then_some(ready)
    })
}
