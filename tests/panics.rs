//! A panic in the thread of one connection. It is forced by a logger that panics, which an embedder
//! may well have, and which is the only code of others that runs in that thread.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::net::TcpStream;

use log::{LevelFilter, Log, Metadata, Record};
use testkit::{TestServer, connect};

/// Panics when a connection that closed with this reason is logged, by its thread.
const FATAL_REASON: &str = "the last straw";
/// Panics when the arrival of this client is logged, by the broadcaster.
const FATAL_NICKNAME: &str = "Rasputin";

struct FragileLogger;

impl Log for FragileLogger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = record.args().to_string();
        let fatal = [FATAL_REASON, FATAL_NICKNAME].iter().any(|text| line.contains(text));
        assert!(!fatal, "forced by the test");
    }

    fn flush(&self) {}
}

fn use_fragile_logger() {
    // The other test may have been first.
    let _ = log::set_logger(&FragileLogger);
    log::set_max_level(LevelFilter::Debug);
}

#[test]
fn a_panic_ends_its_own_connection_with_its_goodbye() {
    use_fragile_logger();
    let mut server = TestServer::start();
    let (mut ana, mut bo) = (server.join(), server.join());
    let fatal =
        tungstenite::protocol::CloseFrame { code: 1000.into(), reason: FATAL_REASON.into() };
    ana.socket.close(Some(fatal)).unwrap();
    assert_eq!(ana.close_frame().0, 1011);
    assert_eq!(bo.receive(), format!(" .... {} has left.", ana.nick));
    assert_eq!(server.wait_for_close(ana.id()), (1011, "internal error".to_owned()));
    bo.send_and_receive("still here");
    let mut carl = server.join();
    carl.send_and_receive("and others come in");
}

#[test]
fn a_panic_of_the_embedder_disturbs_nobody() {
    let mut server = TestServer::start();
    let mut ana = server.join();
    let events = server.handle.events(10);
    let embedder = std::thread::spawn(move || {
        events.recv().unwrap();
        panic!("forced by the test");
    });
    ana.send_and_receive("one");
    assert!(embedder.join().is_err());
    for _ in 0..100 {
        ana.send_and_receive("many");
    }
}

#[test]
fn a_panic_of_the_broadcaster_is_an_orderly_end() {
    use_fragile_logger();
    let mut server = TestServer::start();
    let (mut ana, mut bo) = (server.join(), server.join());
    ana.send_and_receive("all is well");
    let rasputin = connect(server.address(), &format!("/?nick={FATAL_NICKNAME}"));
    assert_eq!(ana.close_frame().0, 1011);
    assert_eq!(bo.close_frame().0, 1011);
    drop((ana, bo, rasputin));
    // And not when a deadline has passed: no thread waits for one that is gone.
    server.handle.wait();
    assert!(TcpStream::connect(server.address()).is_err());
}
