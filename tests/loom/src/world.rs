//! The state of the kernel: the socket, the waker, and the client at the other end.

use loom::sync::{Condvar, Mutex};

loom::lazy_static! {
    /// New in each interleaving.
    pub(crate) static ref WORLD: Shared = Shared::default();
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) rung: bool,
    /// Bytes that the socket takes before it is full.
    pub(crate) room: usize,
    /// All bytes that the socket took.
    pub(crate) sent: Vec<u8>,
    /// The client has sent its close frame.
    pub(crate) hung_up: bool,
    /// The connection has told the broadcaster.
    pub(crate) goodbye_said: bool,
}

#[derive(Default)]
pub(crate) struct Shared {
    world: Mutex<World>,
    changed: Condvar,
}

impl Shared {
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.world.lock().expect("no thread panics with the lock"));
        self.changed.notify_all();
        result
    }

    /// Waits until `look` returns a value.
    pub(crate) fn wait_until<T>(&self, look: impl Fn(&World) -> Option<T>) -> T {
        let mut world = self.world.lock().expect("no thread panics with the lock");
        loop {
            if let Some(seen) = look(&world) {
                return seen;
            }
            world = self.changed.wait(world).expect("no thread panics with the lock");
        }
    }
}
