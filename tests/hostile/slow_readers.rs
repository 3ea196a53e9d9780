//! Clients that do not read.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use socket2::{Domain, Socket, Type};
use testkit::{Client, DEADLINE, Load, LoadGroup, ServerProcess, run_together};

const MEMBERS: usize = 99;
const LOAD: Load = Load { per_second: 50, seconds: 18, text_bytes: 1024 };
/// How long a client may take no byte before it is cut.
const STALL_MAX: Duration = Duration::from_secs(10);
const MIB: usize = 1024 * 1024;

/// Connects a client with the smallest receive buffer.
fn join_with_small_buffer(address: SocketAddr, nick: &str) -> Client {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let url = format!("ws://{address}/?nick={nick}");
    Client::new(tungstenite::client(url, stream).unwrap().0)
}

#[test]
fn a_slow_reader_is_cut_without_delaying_others() {
    let servers = [(); 2].map(|()| ServerProcess::with(NO_ADDRESS_LIMIT));
    let [attacked, other] = &servers;
    let mut group = LoadGroup::join(attacked.websocket(), MEMBERS);
    let mut other_crowd = LoadGroup::join(other.websocket(), MEMBERS);
    // The first texts fill the caches and the buffers.
    let warm_up = Load { seconds: 2, ..LOAD };
    run_together([&mut group, &mut other_crowd], warm_up, |_| ());

    // History and buffers grow in both servers. The difference is the cost of the clients that do
    // not read.
    let sizes = || [attacked.resident_bytes(), other.resident_bytes()];
    let before = sizes();
    let mut grown = 0;
    let mut stopped = join_with_small_buffer(attacked.websocket(), "stopped");
    let mut trickling = join_with_small_buffer(attacked.websocket(), "trickling");
    // Each takes a text first, so that the server sees progress.
    let since = Instant::now();
    let mut read = 0;
    let mut watch = |now: Instant| {
        let [with, without] = sizes();
        grown = grown.max((with + before[1]).saturating_sub(before[0] + without));
        if now.duration_since(since).as_secs() > read {
            read += 1;
            // Reads one byte below the WebSocket.
            let _ = trickling.socket.get_mut().read(&mut [0]);
        }
    };
    let [mut disturbed, mut undisturbed] =
        run_together([&mut group, &mut other_crowd], LOAD, &mut watch);

    for nick in ["stopped", "trickling"] {
        let left = disturbed.received_at(&format!(".... {nick} has left."));
        let after = left.unwrap_or_else(|| panic!("{nick} was not cut")) - since;
        println!("{nick}: cut after {after:.1?}");
        assert!(after >= STALL_MAX, "{nick} was cut after {after:?}");
    }
    assert_eq!(stopped.close_frame().0, 4008);
    let (with, without) = (disturbed.percentile(99), undisturbed.percentile(99));
    println!("99 of 100 texts are heard within {with:.1?}, and within {without:.1?} without them");
    println!("resident memory grows by {} KiB more than without them", grown / 1024);
    assert!(with < 2 * without, "others were delayed");
    assert!(grown <= MIB, "memory grows by {grown} bytes");

    let [attacked, _] = servers;
    attacked.signal(Signal::TERM);
    let (_, log) = attacked.end();
    assert_eq!(log.matches(" of 127.0.0.1 ends: 4008 too slow").count(), 2, "{log}");
}

/// All clients have one address.
const NO_ADDRESS_LIMIT: [&str; 2] = ["--max-clients-per-address", "0"];
