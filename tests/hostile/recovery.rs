//! Whether everybody is let in again, once the need is over.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use testkit::{Load, LoadGroup, ServerProcess, becomes_true};
use tungstenite::Message;

/// After so long everything must be as before.
const RELIEF_WITHIN: Duration = Duration::from_secs(2);
/// What those do who were there before.
pub const TALK: Load = Load { per_second: 20, seconds: 1, text_bytes: 100 };

/// A group talks while something else is done, and misses nothing.
pub fn while_talking<T: Send>(group: &mut LoadGroup, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let work = scope.spawn(work);
        while !work.is_finished() {
            group.run(TALK);
        }
        work.join().unwrap()
    })
}

/// On both ports somebody comes in, and gets the page: when the last of them did.
pub fn is_open(program: &ServerProcess) -> Duration {
    let since = Instant::now();
    std::thread::scope(|scope| {
        let visits = [program.page(), program.websocket()].map(|port| {
            [
                scope.spawn(move || visit("a newcomer", since, || joins(port))),
                scope.spawn(move || visit("a reader of the page", since, || reads(port))),
            ]
        });
        let took = visits.into_iter().flatten().map(|visit| visit.join().unwrap());
        took.max().unwrap()
    })
}

fn visit(who: &str, since: Instant, attempt: impl Fn() -> Option<()>) -> Duration {
    let patience = RELIEF_WITHIN.saturating_sub(since.elapsed());
    assert!(
        becomes_true(patience, || attempt().is_some()),
        "{who} had to wait over {RELIEF_WITHIN:?}"
    );
    since.elapsed()
}

fn knock(port: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&port, RELIEF_WITHIN).ok()?;
    stream.set_read_timeout(Some(RELIEF_WITHIN)).ok()?;
    Some(stream)
}

/// Says something in a room of its own, and hears it.
pub fn joins(port: SocketAddr) -> Option<()> {
    let url = format!("ws://{port}/?room=porch");
    let (mut socket, _) = tungstenite::client(url, knock(port)?).ok()?;
    socket.send(Message::text("anybody here?")).ok()?;
    while !socket.read().ok()?.to_text().ok()?.ends_with(": anybody here?") {}
    Some(())
}

/// The whole page comes.
pub fn reads(port: SocketAddr) -> Option<()> {
    let mut stream = knock(port)?;
    stream.write_all(PAGE_REQUEST).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("</html>\n")).then_some(())
}

pub const PAGE_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// For strace: the door takes its time to send a request on to tiny_http. One that comes while
/// tiny_http's threads wait for others makes it ask for another thread, and panic if there is none.
pub const SLOW_PAGE: &str = "connect:delay_exit=50000";
