//! Waiting takes no processor time. This is the only test of its process, because it measures the
//! time of the process.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![cfg(target_os = "linux")]

use std::io::Read as _;
use std::time::Duration;

use chinwag::{Config, Limits, Nickname, RoomName};
use socket2::SockRef;
use testkit::{TestServer, config};

/// Returns the processor time of this process, including threads that have ended.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program, in parentheses, may hold any character.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|it| it.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

#[test]
fn waiting_takes_no_processor_time() {
    let half = Duration::from_secs(1);
    let limits = Limits { ping_after: half, pong_within: half, ..Limits::default() };
    let mut server = TestServer::start_with(&Config { limits, ..config() });
    let _at_the_door = testkit::tcp(server.address());
    let mut silent = server.join();
    SockRef::from(silent.socket.get_ref()).set_recv_buffer_size(32 * 1024).unwrap();
    let before = cpu_time();
    let mut ping = [0; 2];
    silent.socket.get_mut().read_exact(&mut ping).unwrap();
    assert_eq!(&ping, b"\x89\x00");
    // It is sent more than the kernel takes for it, and then has the rest of its time to answer the
    // ping.
    let (cook, text) = (Nickname::parse("cook").unwrap(), "x".repeat(8000));
    for _ in 0..60 {
        server.handle.say(&RoomName::lobby(), &cook, &text).unwrap();
    }
    assert_eq!(server.wait_for_close(silent.id()).0, 1006);
    let spent = cpu_time() - before;
    assert!(spent < half / 5, "{spent:?}");
}
