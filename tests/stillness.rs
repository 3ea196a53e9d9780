//! That waiting costs nothing. Alone in its file, and so alone in its process: the time that it
//! counts is spent by nobody else.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![cfg(target_os = "linux")]

mod support;

use std::io::Read as _;
use std::time::Duration;

use chinwag::{Limits, Nickname, RoomName};
use socket2::SockRef;
use support::{House, config};

/// What this process has spent, its threads of the past among them.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program stands in parentheses, and may hold anything.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|it| it.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

#[test]
fn nobody_looks_whether_there_is_news() {
    let half = Duration::from_secs(1);
    let limits = Limits::default().ping_after(half).pong_within(half);
    let mut house = House::with(&config().limits(limits));
    let _at_the_door = support::tcp(house.address());
    let mut silent = house.join();
    SockRef::from(silent.socket.get_ref()).set_recv_buffer_size(32 * 1024).unwrap();
    let before = cpu_time();
    let mut ping = [0; 2];
    silent.socket.get_mut().read_exact(&mut ping).unwrap();
    assert_eq!(&ping, b"\x89\x00");
    // It gets more than the kernel takes for it, and has the rest of its time to answer the ping.
    let (cook, text) = (Nickname::parse("cook").unwrap(), "x".repeat(8000));
    for _ in 0..60 {
        house.handle.say(&RoomName::lobby(), &cook, &text).unwrap();
    }
    assert_eq!(house.gone(silent.id).0, 1006);
    let spent = cpu_time() - before;
    assert!(spent < half / 5, "{spent:?}");
}
