//! Panics in the thread of a connection and in the broadcaster. A logger causes them: it is the
//! only code of an embedder that runs in these threads.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::net::TcpStream;

use chinwag::RunError;
use log::{LevelFilter, Log, Metadata, Record};
use testkit::{DEADLINE, TestServer, connect};

/// Panics when the thread of a connection logs a close frame with this reason.
const FATAL_REASON: &str = "the last straw";
/// Panics when the broadcaster logs the arrival of this client.
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
    // The other test may have set it.
    let _ = log::set_logger(&FragileLogger);
    log::set_max_level(LevelFilter::Debug);
}

#[test]
fn a_panic_ends_only_its_connection_with_a_goodbye() {
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
fn a_panic_of_the_embedder_disturbs_no_client() {
    let mut server = TestServer::start();
    let mut ana = server.join();
    let events = server.handle.events(10);
    let embedder = std::thread::spawn(move || {
        events.recv_timeout(DEADLINE).unwrap();
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
    // Not after a deadline: no thread waits for one that is gone.
    assert!(matches!(server.wait(), Err(RunError::Crashed)));
    assert!(TcpStream::connect(server.address()).is_err());
}
