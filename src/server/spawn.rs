//! Starts the threads of a running server.

use std::io;
use std::thread::{self, Scope};

use super::capacity::STACK_BYTES;

/// Starts a named thread with the stack of most threads.
pub(super) fn spawn<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    name: String,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<thread::ScopedJoinHandle<'scope, T>> {
    spawn_with(STACK_BYTES, scope, name, work)
}

/// Starts a named thread with a stack of this size.
pub(super) fn spawn_with<'scope, 'env, T: Send + 'scope>(
    stack_bytes: usize,
    scope: &'scope Scope<'scope, 'env>,
    name: String,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<thread::ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().name(name).stack_size(stack_bytes).spawn_scoped(scope, work)
}
