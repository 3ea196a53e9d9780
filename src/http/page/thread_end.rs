//! The end of tiny_http's threads.
//!
//! Idle threads of its pool end 5 s after the instance was dropped. tiny_http has no other way, and no
//! call that waits for them.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the threads may take to end: 5 s, and some more on a busy machine.
const END_WITHIN: Duration = Duration::from_secs(8);
/// How long the wait for the threads pauses. No call wakes it.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until all threads have ended that the page thread with this name started. The page thread
/// itself must have ended. A thread of Linux inherits the name of the thread that starts it. Other
/// systems do not show the names, so that this returns at once there.
pub(crate) fn wait_for_end(name: &str) {
    let deadline = Instant::now() + END_WITHIN;
    while has_thread(name) && Instant::now() < deadline {
        sleep(PAUSE);
    }
}

fn has_thread(name: &str) -> bool {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    names.into_iter().any(|it| it.trim_end() == name)
}
