//! Checks that a server serves new clients after a shortage.

use std::time::{Duration, Instant};

use testkit::{
    Load, ServerProcess, becomes_true,
    probes::{can_join, can_load_page},
};

/// How long the server may take to serve again.
pub const RECOVERY_MAX: Duration = Duration::from_secs(2);
/// Load of the clients that are connected during a shortage.
pub const LOAD: Load = Load { per_second: 20, seconds: 1, text_bytes: 100 };

/// Checks that both ports let a client join and serve the page. Returns how long the last took.
pub fn serves_again(program: &ServerProcess) -> Duration {
    let since = Instant::now();
    std::thread::scope(|scope| {
        let visits = [program.page(), program.websocket()].map(|port| {
            [
                scope.spawn(move || wait_for("a client", since, || can_join(port, RECOVERY_MAX))),
                scope.spawn(move || {
                    wait_for("the page", since, || can_load_page(port, RECOVERY_MAX))
                }),
            ]
        });
        let took = visits.into_iter().flatten().map(|visit| visit.join().unwrap());
        took.max().unwrap()
    })
}

fn wait_for(what: &str, since: Instant, attempt: impl Fn() -> Option<()>) -> Duration {
    let patience = RECOVERY_MAX.saturating_sub(since.elapsed());
    assert!(
        becomes_true(patience, || attempt().is_some()),
        "{what} waits for over {RECOVERY_MAX:?}"
    );
    since.elapsed()
}
