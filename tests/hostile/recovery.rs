//! Checks that a server serves new clients after a shortage.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use testkit::{Load, ServerProcess, becomes_true};
use tungstenite::Message;

/// How long the server may take to serve again.
const RECOVERY_MAX: Duration = Duration::from_secs(2);
/// Load of the clients that are connected during a shortage.
pub const LOAD: Load = Load { per_second: 20, seconds: 1, text_bytes: 100 };

/// Checks that both ports let a client join and serve the page. Returns how long the last took.
pub fn serves_again(program: &ServerProcess) -> Duration {
    let since = Instant::now();
    std::thread::scope(|scope| {
        let visits = [program.page(), program.websocket()].map(|port| {
            [
                scope.spawn(move || wait_for("a client", since, || can_join(port))),
                scope.spawn(move || wait_for("the page", since, || can_load_page(port))),
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

fn connect(port: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&port, RECOVERY_MAX).ok()?;
    stream.set_read_timeout(Some(RECOVERY_MAX)).ok()?;
    Some(stream)
}

/// Joins a room, sends a text and receives it.
pub fn can_join(port: SocketAddr) -> Option<()> {
    let url = format!("ws://{port}/?room=newcomers");
    let (mut socket, _) = tungstenite::client(url, connect(port)?).ok()?;
    socket.send(Message::text("hello?")).ok()?;
    while !socket.read().ok()?.to_text().ok()?.ends_with(": hello?") {}
    Some(())
}

/// Loads the whole page.
pub fn can_load_page(port: SocketAddr) -> Option<()> {
    let mut stream = connect(port)?;
    stream.write_all(PAGE_REQUEST).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("</html>\n")).then_some(())
}

pub const PAGE_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// An injection that delays each request to tiny_http. A request that arrives while all threads of
/// tiny_http wait makes it start another thread, and panic if that fails.
pub const SLOW_PAGE: &str = "connect:delay_exit=50000";
