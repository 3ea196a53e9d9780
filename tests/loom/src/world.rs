//! The state of all models: the socket, the waker, and the client at the other end.

use loom::sync::{Condvar, Mutex};

loom::lazy_static! {
    /// Each interleaving begins with a new one.
    pub(crate) static ref WORLD: Shared = Shared::default();
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) is_woken: bool,
    /// How many bytes the socket takes before it is full.
    pub(crate) free_bytes: usize,
    /// All bytes that the socket took.
    pub(crate) sent: Vec<u8>,
    /// The client has sent its close frame.
    pub(crate) is_closed_by_client: bool,
    /// The connection has told the broadcaster that the client is gone.
    pub(crate) is_disconnect_sent: bool,
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

    /// Waits until `look` returns a value, and returns it.
    pub(crate) fn wait_until<T>(&self, look: impl Fn(&World) -> Option<T>) -> T {
        let mut world = self.world.lock().expect("no thread panics with the lock");
        loop {
            if let Some(value) = look(&world) {
                return value;
            }
            world = self.changed.wait(world).expect("no thread panics with the lock");
        }
    }
}
