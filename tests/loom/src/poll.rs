//! A model of `poll` and the waker.

use std::io;

use crate::world::WORLD;

#[derive(Debug)]
pub(crate) struct Waker;

/// Why a wait ended.
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
        WORLD.change(|world| world.is_woken = true);
    }

    pub(crate) fn clear(&self) {
        WORLD.change(|world| world.is_woken = false);
    }
}

/// Waits for the waker, and, if they are wanted, for the client's close frame and for free bytes in the
/// socket.
pub(crate) fn wait(readable: bool, writable: bool) -> Ready {
    WORLD.wait_until(|world| {
        let ready = Ready {
            readable: readable && world.is_closed_by_client,
            writable: writable && world.free_bytes > 0,
            woken: world.is_woken,
        };
        (ready.readable || ready.writable || ready.woken).then_some(ready)
    })
}
