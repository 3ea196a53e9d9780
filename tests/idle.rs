//! Waiting takes no processor time. This is the only test of its process, because it measures the
//! time of the process.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![cfg(target_os = "linux")]

use std::io::Read as _;
use std::time::Duration;

use chinwag::{Limits, Nickname, RoomName};
use socket2::SockRef;
use testkit::{TestServer, config, processor_time};

#[test]
fn waiting_takes_no_processor_time() {
    let half = Duration::from_secs(1);
    let limits = Limits::default().ping_after(half).pong_within(half);
    let mut server = TestServer::start_with(&config().limits(limits));
    let _without_a_request = testkit::tcp(server.address());
    let mut silent = server.join();
    SockRef::from(silent.socket.get_ref()).set_recv_buffer_size(32 * 1024).unwrap();
    let before = processor_time("self");
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
    let spent = processor_time("self") - before;
    assert!(spent < half / 5, "{spent:?}");
}
