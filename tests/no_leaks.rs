//! That a server leaves nothing behind. Alone in its file, and so alone in its process: what it
//! counts belongs to nobody else.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![cfg(target_os = "linux")]

mod support;

use std::time::{Duration, Instant};

use support::{DEADLINE, House, ask};

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

fn our_temporary_files() -> usize {
    let files = std::fs::read_dir(std::env::temp_dir()).unwrap().filter_map(Result::ok);
    let ours = format!("chinwag-{}-", std::process::id());
    files.filter(|file| file.file_name().to_string_lossy().starts_with(&ours)).count()
}

#[test]
fn stopping_leaves_no_thread_no_descriptor_and_no_file() {
    let before = (count("task"), count("fd"));
    let files_before = our_temporary_files();
    for _ in 0..20 {
        let mut house = House::open();
        let mut clients: Vec<_> = (0..10).map(|_| house.join()).collect();
        clients[0].say_and_hear("hello");
        ask(house.page_address(), "GET / HTTP/1.1\nHost: localhost\n\n");
        for client in clients.drain(2..) {
            client.close();
        }
        // Two are still there. They are told, and answer.
        let stopped = std::thread::scope(|scope| {
            let stopped = scope.spawn(|| house.stop());
            for client in &mut clients {
                client.close_frame();
            }
            drop(clients);
            stopped.join()
        });
        stopped.unwrap();
    }
    // tiny_http's own threads notice within five seconds that they are not needed any more.
    let deadline = Instant::now() + DEADLINE;
    let nothing = crossbeam_channel::never::<()>();
    while (count("task"), count("fd")) != before && Instant::now() < deadline {
        let _ = nothing.recv_timeout(Duration::from_millis(50));
    }
    assert_eq!((count("task"), count("fd")), before);
    assert_eq!(our_temporary_files(), files_before);
}
