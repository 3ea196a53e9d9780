//! The accept loops, and the thread that each connection gets.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::{CONNECTION_STACK_BYTES, spawn_with};
use crate::door::{Caller, Door, turn_away};
use crate::transport::Transport;
use crate::wake::{Interest, Waker, wait, wait_for_ring};

/// Accepts until the server stops; no failure ends it before.
pub(super) fn accept_loop<'scope>(
    guests: &'scope Scope<'scope, '_>,
    listener: &TcpListener,
    door: &'scope Door,
) {
    let mut pause = Pause::default();
    loop {
        let accepted = match wait(listener, Interest::READABLE, door.stopping(), None) {
            Ok(ready) if ready.woken => return,
            Ok(_) => listener.accept(),
            Err(error) => Err(error),
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = Pause::default();
                if let Ok(transport) = Transport::new(stream) {
                    welcome(guests, transport, peer.ip().to_canonical(), door);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                if !is_passing(&error) {
                    log::warn!("cannot accept a connection: {error}");
                }
                if pause.wait(door.stopping()) {
                    return;
                }
            }
        }
    }
}

/// The caller hung up before it was let in, or somebody else's signal came.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), Interrupted | ConnectionAborted | ConnectionReset)
}

/// Gives a connection its thread.
fn welcome<'scope>(
    guests: &'scope Scope<'scope, '_>,
    transport: Transport,
    address: IpAddr,
    door: &'scope Door,
) {
    let transport = Arc::new(transport);
    let Some(place) = door.connection(address) else { return turn_away(&transport) };
    let Some(caller) = door.caller(transport.clone(), address) else {
        return turn_away(&transport);
    };
    let name = format!("conn-{}", caller.client.0);
    let see_through = move || {
        contain(door, caller);
        drop(place);
    };
    if let Err(error) = spawn_with(CONNECTION_STACK_BYTES, guests, name, see_through) {
        log::warn!("no thread for a connection: {error}");
        turn_away(&transport);
    }
}

/// A panic ends its own connection and nothing else. The panic hook has said where it was.
fn contain(door: &Door, caller: Caller<'_>) {
    let _ = catch_unwind(AssertUnwindSafe(|| door.receive(caller)));
}

/// How long an accept loop rests after a failure: 10 ms, then twice as long each time, to 1 s.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

impl Pause {
    /// True when the server stops.
    fn wait(&mut self, stopping: &Waker) -> bool {
        let until = Instant::now() + self.0;
        self.0 = (self.0 * 2).min(Duration::from_secs(1));
        wait_for_ring(stopping, until)
    }
}
