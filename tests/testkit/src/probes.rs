//! Short visits that show whether a server under attack still serves, and what it holds.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tungstenite::Message;

use crate::{DEADLINE, ServerProcess, wait_until};

/// A request for the page.
pub const PAGE_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

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
    can_join(address, DEADLINE).expect("the text comes back");
    since.elapsed()
}

/// Loads the page. Returns how long that took.
pub fn load_page(address: SocketAddr) -> Duration {
    let since = Instant::now();
    can_load_page(address, DEADLINE).expect("the page comes");
    since.elapsed()
}

/// Does what [`chat`] does. Returns `None` if it fails.
pub fn can_join(address: SocketAddr, timeout: Duration) -> Option<()> {
    let url = format!("ws://{address}/?room=visitors");
    let (mut socket, _) = tungstenite::client(url, tcp_within(address, timeout)?).ok()?;
    socket.send(Message::text("hello?")).ok()?;
    // Other clients may leave the room meanwhile.
    while !socket.read().ok()?.to_text().ok()?.ends_with(": hello?") {}
    Some(())
}

/// Does what [`load_page`] does. Returns `None` if it fails.
pub fn can_load_page(address: SocketAddr, timeout: Duration) -> Option<()> {
    let mut stream = tcp_within(address, timeout)?;
    stream.write_all(PAGE_REQUEST).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    (response.starts_with("HTTP/1.1 200 ") && response.ends_with("</html>\n")).then_some(())
}

fn tcp_within(address: SocketAddr, timeout: Duration) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, timeout).ok()?;
    stream.set_read_timeout(Some(timeout)).ok()?;
    Some(stream)
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
