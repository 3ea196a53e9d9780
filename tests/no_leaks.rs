//! A server leaves nothing behind. This is the only test of its process, because it counts what the
//! process holds.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![cfg(target_os = "linux")]

use testkit::{TestServer, exchange_text, wait_until};

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
        let mut server = TestServer::start();
        let mut clients: Vec<_> = (0..10).map(|_| server.join()).collect();
        clients[0].send_and_receive("hello");
        exchange_text(server.page_address(), "GET / HTTP/1.1\nHost: localhost\n\n");
        for client in clients.drain(2..) {
            client.close();
        }
        // Two clients are connected. They are told, and answer.
        let stopped = std::thread::scope(|scope| {
            let stopped = scope.spawn(|| server.stop());
            for client in &mut clients {
                client.close_frame();
            }
            drop(clients);
            stopped.join()
        });
        stopped.unwrap();
    }
    // Idle threads of tiny_http's pool end after five seconds.
    wait_until(&format!("{before:?} threads and descriptors"), || {
        (count("task"), count("fd")) == before
    });
    assert_eq!(our_temporary_files(), files_before);
}
