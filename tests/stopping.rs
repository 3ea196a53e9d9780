//! Threads and descriptors after the end of a server. This is a test program of its own, because it
//! counts all threads of the process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::fs;
use std::time::{Duration, Instant};

use chinwag::{Page, Server};
use testkit::{becomes_true, config, connect, exchange_text, wait_until};

/// Number of starts and stops.
const TIMES: usize = 20;
/// Servers by number that are asked for a page.
const WITH_A_PAGE: [usize; 3] = [0, 4, 11];
/// Maximum time of a stop without threads of tiny_http, which take 5 s.
const STOP_MAX: Duration = Duration::from_secs(3);
/// How long a thread may take to leave the kernel. Those of tiny_http take longer to end.
const EXIT_WITHIN: Duration = Duration::from_secs(1);
const GET: &str = "GET / HTTP/1.1\nHost: localhost\n\n";

/// Returns the names of all threads of this process.
fn threads() -> Vec<String> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm")).ok();
    let mut names: Vec<_> = threads.filter_map(|thread| name(thread.unwrap())).collect();
    names.sort();
    names
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_server_leaves_no_thread_and_no_descriptor() {
    let (threads_before, descriptors_before) = (threads(), descriptors());
    for number in 0..TIMES {
        let running = Server::bind(&config()).unwrap().start().unwrap();
        let handle = running.handle();
        // It leaves at once, so that the stop does not wait for its close frame.
        drop(connect(handle.websocket_addresses()[0], "/").unwrap());
        let has_page = WITH_A_PAGE.contains(&number);
        if has_page {
            let page = exchange_text(handle.page_addresses()[0], GET);
            assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        }
        let start = Instant::now();
        match number % 3 {
            0 => running.stop().unwrap(),
            1 => drop(running),
            _ => {
                handle.stop();
                running.join().unwrap();
            }
        }
        let took = start.elapsed();
        assert!(has_page || took < STOP_MAX, "the stop took {took:?}");
        // The last thread may have ended its work, and not have left the kernel yet.
        let has_ended = becomes_true(EXIT_WITHIN, || threads() == threads_before);
        assert!(has_ended, "after stop {number}: {:?}", threads());
        assert_eq!(descriptors(), descriptors_before, "after stop {number}");
    }

    // Its threads inherit the name of the page thread.
    let of_page = || threads().iter().filter(|name| name.starts_with("page-")).count();
    let without = Server::bind(&config().page(Page::None)).unwrap().start().unwrap();
    let response = exchange_text(without.handle().page_addresses()[0], GET);
    assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
    assert_eq!(of_page(), 0, "a server without a page has no thread for it");
    without.stop().unwrap();

    // tiny_http lives while pages are requested.
    let running = Server::bind(&config()).unwrap().start().unwrap();
    let page = exchange_text(running.handle().page_addresses()[0], GET);
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(of_page() > 1);
    wait_until("the threads of tiny_http have ended", || of_page() == 1);
    let start = Instant::now();
    running.stop().unwrap();
    assert!(start.elapsed() < STOP_MAX);
    assert!(becomes_true(EXIT_WITHIN, || threads() == threads_before), "{:?}", threads());
}
