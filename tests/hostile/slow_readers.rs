//! Clients that do not read what they are sent.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use socket2::{Domain, Socket, Type};
use testkit::{DEADLINE, FREE_PORTS, Load, LoadGroup, ServerProcess, chinwag, run_together};
use tungstenite::{Message, WebSocket};

const PEOPLE: usize = 99;
const TALK: Load = Load { per_second: 50, seconds: 18, text_bytes: 1024 };
/// After so long without progress a client is cut.
const STALL_MAX: Duration = Duration::from_secs(10);
const MIB: usize = 1024 * 1024;

/// A client whose kernel holds as little for it as can be.
fn join_with_small_buffer(address: SocketAddr, nick: &str) -> WebSocket<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    tungstenite::client(format!("ws://{address}/?nick={nick}"), stream).unwrap().0
}

/// Reads on to the end: the code of the close frame, and that nothing was torn before it.
fn close_code(mut socket: WebSocket<TcpStream>) -> u16 {
    loop {
        match socket.read() {
            Ok(Message::Close(Some(frame))) => return frame.code.into(),
            Ok(_) => {}
            Err(error) => panic!("{error} instead of a close frame"),
        }
    }
}

#[test]
fn a_slow_reader_is_cut_without_delaying_others() {
    let servers = [(); 2].map(|()| ServerProcess::start(chinwag().args(FREE_PORTS).args(NO_COUNT)));
    let [visited, spared] = &servers;
    let mut group = LoadGroup::join(visited.websocket(), PEOPLE);
    let mut other_crowd = LoadGroup::join(spared.websocket(), PEOPLE);
    // What is said first fills the caches and the buffers.
    let warm_up = Load { seconds: 2, ..TALK };
    run_together([&mut group, &mut other_crowd], warm_up, |_| ());

    // What history and busy buffers take is taken by both servers; what is left is the price of
    // those who do not read.
    let sizes = || [visited.resident_bytes(), spared.resident_bytes()];
    let before = sizes();
    let mut grown = 0;
    let stopped = join_with_small_buffer(visited.websocket(), "stopped");
    let mut trickling = join_with_small_buffer(visited.websocket(), "trickling");
    // They take a text each first, so that they have been seen to progress.
    let since = Instant::now();
    let mut read = 0;
    let mut watch = |now: Instant| {
        let [with, without] = sizes();
        grown = grown.max((with + before[1]).saturating_sub(before[0] + without));
        if now.duration_since(since).as_secs() > read {
            read += 1;
            // One byte below the WebSocket; it will be missed by nobody.
            let _ = trickling.get_mut().read(&mut [0]);
        }
    };
    let [mut disturbed, mut undisturbed] =
        run_together([&mut group, &mut other_crowd], TALK, &mut watch);

    for nick in ["stopped", "trickling"] {
        let left = disturbed.received_at(&format!(".... {nick} has left."));
        let after = left.unwrap_or_else(|| panic!("{nick} was not cut")) - since;
        println!("{nick}: cut after {after:.1?}");
        assert!(after >= STALL_MAX, "{nick} was cut after {after:?}");
    }
    assert_eq!(close_code(stopped), 4008);
    let (with, without) = (disturbed.percentile(99), undisturbed.percentile(99));
    println!("99 of 100 texts are heard within {with:.1?}, and within {without:.1?} without them");
    println!("resident memory grows by {} KiB more than without them", grown / 1024);
    assert!(with < 2 * without, "others were delayed");
    assert!(grown <= MIB, "memory grows by {grown} bytes");

    let [visited, _] = servers;
    visited.signal(Signal::TERM);
    let (_, log) = visited.end();
    assert_eq!(log.matches(" of 127.0.0.1 ends: 4008 too slow").count(), 2, "{log}");
}

/// Everybody here comes from one address.
const NO_COUNT: [&str; 2] = ["--max-clients-per-address", "0"];
