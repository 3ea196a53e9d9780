//! Those who come while something goes on, and should notice nothing of it.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};
use tungstenite::Message;

use crate::support::answer::Answer;
use crate::support::program::{FREE_PORTS, Program, chinwag};
use crate::support::{DEADLINE, connect, tcp};

/// A server on this machine's own interface, where everybody has the same address.
pub fn open_house() -> Program {
    let here = ["--bind", "127.0.0.1", "--max-clients-per-address", "0"];
    Program::start(chinwag().args(FREE_PORTS).args(here))
}

/// The port of the page, and that of the WebSocket.
pub fn ports(program: &Program) -> [SocketAddr; 2] {
    [program.page(), program.websocket()]
}

/// Connects from one of this machine's many addresses. One alone would run out of ports.
pub fn connect_from(ours: Ipv4Addr, server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((ours, 0)).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Goes at once, whatever is unsent or unread.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Joins a room of their own, says something and hears it: how long that took.
pub fn chat(address: SocketAddr) -> Duration {
    let since = Instant::now();
    let mut socket = connect(address, "/?room=visitors").expect("a visitor is let in");
    socket.send(Message::text("anybody here?")).unwrap();
    loop {
        match socket.read().expect("a visitor is heard") {
            Message::Text(text) if text.ends_with(": anybody here?") => return since.elapsed(),
            // Others may leave the room meanwhile.
            _ => {}
        }
    }
}

/// Loads the page: how long that took.
pub fn load(address: SocketAddr) -> Duration {
    let since = Instant::now();
    let answer = exchange(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(answer.status, 200);
    since.elapsed()
}

/// Sends a head, or what somebody takes for one, and reads all that comes back.
pub fn exchange(address: SocketAddr, head: &[u8]) -> Answer {
    let mut stream = tcp(address);
    stream.write_all(head).unwrap();
    Answer::read(&mut stream, head.starts_with(b"HEAD "))
}

/// Threads and descriptors that are in use.
pub fn held(program: &Program) -> (usize, usize) {
    (program.threads(), program.descriptors())
}

/// Waits until no more threads and descriptors are in use than before. Threads of tiny_http's pool
/// stay for 5 s when there is nothing for them to do.
pub fn is_again(program: &Program, before: (usize, usize)) {
    let deadline = Instant::now() + DEADLINE;
    let nothing = crossbeam_channel::never::<()>();
    while held(program).0 > before.0 || held(program).1 > before.1 {
        assert!(Instant::now() < deadline, "{:?}, and {before:?} before", held(program));
        let _ = nothing.recv_timeout(Duration::from_millis(20));
    }
}

/// That all goes on, on both ports, and that no thread has panicked since.
pub fn all_is_well(program: Program) {
    for port in ports(&program) {
        chat(port);
        load(port);
    }
    program.signal(rustix::process::Signal::TERM);
    let (status, log) = program.end();
    assert!(status.success(), "{status}: {log}");
    assert!(!log.contains("panicked"), "{log}");
}
