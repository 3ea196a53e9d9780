//! The accept loops, and the thread of each connection.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::spawn::spawn_with;
use crate::connection;
use crate::http::{Context, Frontend, PendingConnection, turn_away};
use crate::net::adopt::Adopted;
use crate::net::poll::{Interest, Waker, wait, wait_for_wake};
use crate::net::socket::Transport;

/// Accepts connections until the server stops. No failure ends the loop.
pub(super) fn accept_loop<'scope>(
    threads: &'scope Scope<'scope, '_>,
    listener: &TcpListener,
    context: &'scope Context,
    frontend: &'scope Frontend<'scope>,
) {
    let mut pause = Pause::default();
    loop {
        let accepted = match wait(listener, Interest::READABLE, &context.stopping, None) {
            Ok(ready) if ready.woken => return,
            Ok(_) => listener.accept(),
            Err(error) => Err(error),
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = Pause::default();
                if let Ok(transport) = Transport::new(stream) {
                    let address = peer.ip().to_canonical();
                    let accepted = Accepted { transport, address, read: Vec::new() };
                    start_connection(threads, accepted, context, frontend);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                if !is_temporary(&error) {
                    log::warn!("cannot accept a connection: {error}");
                }
                if pause.wait(&context.stopping) {
                    return;
                }
            }
        }
    }
}

/// Returns whether the peer disconnected before it was accepted, or a signal interrupted the call.
fn is_temporary(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), Interrupted | ConnectionAborted | ConnectionReset)
}

/// Starts the thread of a connection that the embedder has accepted, unless the peer has left. If
/// that panics, the connection is closed; the panic hook has logged it.
pub(super) fn start_adopted<'scope>(
    threads: &'scope Scope<'scope, '_>,
    adopted: Adopted,
    context: &'scope Context,
    frontend: &'scope Frontend<'scope>,
) {
    let Adopted { stream, read } = adopted;
    let Ok(peer) = stream.peer_addr() else { return };
    let Ok(transport) = Transport::new(stream) else { return };
    let accepted = Accepted { transport, address: peer.ip().to_canonical(), read };
    let start = || start_connection(threads, accepted, context, frontend);
    let _ = catch_unwind(AssertUnwindSafe(start));
}

/// A connection without a thread.
struct Accepted {
    transport: Transport,
    address: IpAddr,
    /// Bytes that were read before.
    read: Vec<u8>,
}

/// Starts the thread of a connection.
fn start_connection<'scope>(
    threads: &'scope Scope<'scope, '_>,
    accepted: Accepted,
    context: &'scope Context,
    frontend: &'scope Frontend<'scope>,
) {
    let Accepted { transport, address, read } = accepted;
    let transport = Arc::new(transport);
    let Some(connection) = frontend.admit(transport.clone(), address, read) else {
        return turn_away(&transport);
    };
    let name = format!("conn-{}", connection.client.0);
    let run = move || run_contained(context, frontend, connection);
    if let Err(error) = spawn_with(context.stack_bytes, threads, name, run) {
        log::warn!("no thread for a connection: {error}");
        turn_away(&transport);
    }
}

/// Runs a connection from its request to its end. A panic ends this connection and nothing else; the
/// panic hook has logged it.
fn run_contained(context: &Context, frontend: &Frontend<'_>, connection: PendingConnection<'_>) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        if let Some((connection, _slots)) = frontend.handle_request(connection) {
            connection::run(connection, &context.inbox, &context.limits);
        }
    }));
}

/// How long an accept loop rests after a failure: 10 ms, then twice as long each time, to 1 s.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

impl Pause {
    /// Waits. Returns true if the server stops.
    fn wait(&mut self, stopping: &Waker) -> bool {
        let until = Instant::now() + self.0;
        self.0 = (self.0 * 2).min(Duration::from_secs(1));
        wait_for_wake(stopping, until)
    }
}
