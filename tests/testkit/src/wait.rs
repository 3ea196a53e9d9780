//! Waits with a deadline.

use std::time::{Duration, Instant};

/// How long a test waits for anything, however busy the machine is.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How long [`becomes_true`] waits between two checks.
const CHECK_EVERY: Duration = Duration::from_millis(5);

/// Waits for a condition that nothing announces.
///
/// # Panics
/// If it does not become true within [`DEADLINE`].
pub fn wait_until(what: &str, is_true: impl FnMut() -> bool) {
    assert!(becomes_true(DEADLINE, is_true), "{what}: not within {DEADLINE:?}");
}

/// Returns whether a condition becomes true in time.
pub fn becomes_true(timeout: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + timeout;
    while !is_true() {
        if Instant::now() >= deadline {
            return false;
        }
        pause(CHECK_EVERY);
    }
    true
}

/// Lets time pass that is part of what a test measures.
pub fn pause(time: Duration) {
    let _ = crossbeam_channel::never::<()>().recv_timeout(time);
}
