//! A panic in the thread of one connection. It is forced by a logger that panics, which an embedder
//! may well have, and which is the only code of others that runs in that thread.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod support;

use std::net::TcpStream;

use chinwag::RunError;
use log::{LevelFilter, Log, Metadata, Record};
use support::{House, connect};

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
    let mut house = House::open();
    let (mut ana, mut bo) = (house.join(), house.join());
    let fatal =
        tungstenite::protocol::CloseFrame { code: 1000.into(), reason: FATAL_REASON.into() };
    ana.socket.close(Some(fatal)).unwrap();
    assert_eq!(ana.close_frame().0, 1011);
    assert_eq!(bo.hear(), format!(" .... {} has left.", ana.nick));
    assert_eq!(house.gone(ana.id), (1011, "internal error".to_owned()));
    bo.say_and_hear("still here");
    let mut carl = house.join();
    carl.say_and_hear("and others come in");
}

#[test]
fn a_panic_of_the_embedder_disturbs_nobody() {
    let mut house = House::open();
    let mut ana = house.join();
    let events = house.handle.events(10);
    let embedder = std::thread::spawn(move || {
        events.recv_timeout(support::DEADLINE).unwrap();
        panic!("forced by the test");
    });
    ana.say_and_hear("one");
    assert!(embedder.join().is_err());
    for _ in 0..100 {
        ana.say_and_hear("many");
    }
}

#[test]
fn a_panic_of_the_broadcaster_is_an_orderly_end() {
    use_fragile_logger();
    let mut house = House::open();
    let (mut ana, mut bo) = (house.join(), house.join());
    ana.say_and_hear("all is well");
    let rasputin = connect(house.address(), &format!("/?nick={FATAL_NICKNAME}"));
    assert_eq!(ana.close_frame().0, 1011);
    assert_eq!(bo.close_frame().0, 1011);
    drop((ana, bo, rasputin));
    // And not when a deadline has passed: no thread waits for one that is gone.
    assert!(matches!(house.wait(), Err(RunError::Crashed)));
    assert!(TcpStream::connect(house.address()).is_err());
}
