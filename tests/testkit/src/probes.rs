//! Short visits that show whether a server under attack still serves, and what it holds.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tungstenite::Message;

use crate::{ServerProcess, connect, exchange, wait_until};

/// Starts a server on the loopback interface. Every client has the same address there, so there is
/// no limit per address.
pub fn start_server() -> ServerProcess {
    let arguments = ["--bind", "127.0.0.1", "--max-clients-per-address", "0"];
    ServerProcess::with(arguments)
}

/// Returns the port of the page and that of the WebSocket.
pub fn ports(program: &ServerProcess) -> [SocketAddr; 2] {
    [program.page(), program.websocket()]
}

/// Joins a room, says a text and receives it. Returns how long that took.
pub fn chat(address: SocketAddr) -> Duration {
    let since = Instant::now();
    let mut socket = connect(address, "/?room=visitors").expect("the server upgrades");
    socket.send(Message::text("hello?")).unwrap();
    loop {
        match socket.read().expect("the text comes back") {
            Message::Text(text) if text.ends_with(": hello?") => return since.elapsed(),
            // Other clients may leave the room meanwhile.
            _ => {}
        }
    }
}

/// Loads the page. Returns how long that took.
pub fn load_page(address: SocketAddr) -> Duration {
    let since = Instant::now();
    let response = exchange(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(response.status, 200);
    since.elapsed()
}

/// Returns the numbers of threads and of descriptors.
pub fn resources(program: &ServerProcess) -> (usize, usize) {
    (program.threads(), program.descriptors())
}

/// Waits until the server has no more threads and descriptors than before. Idle threads of
/// tiny_http's pool end after 5 s.
pub fn wait_until_released(program: &ServerProcess, before: (usize, usize)) {
    wait_until(&format!("back at {before:?} threads and descriptors"), || {
        let (threads, descriptors) = resources(program);
        threads <= before.0 && descriptors <= before.1
    });
}

/// Checks that both ports serve, that the server stops cleanly, and that no thread has panicked.
pub fn assert_healthy(program: ServerProcess) {
    for port in ports(&program) {
        chat(port);
        load_page(port);
    }
    end(program, Signal::TERM);
}

/// Ends a server by a signal and returns its log. Checks that it stops cleanly unless it is killed.
pub fn end(program: ServerProcess, signal: Signal) -> String {
    program.signal(signal);
    let (status, log) = program.end();
    assert!(signal == Signal::KILL || status.success(), "{status}: {log}");
    assert!(!log.contains("panicked"), "{log}");
    log
}
