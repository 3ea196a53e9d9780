//! Connections that end early in every possible way must leave nothing behind.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Instant;

use testkit::{
    Client, HttpResponse, Load, LoadGroup, ServerProcess, connect_from,
    frames::text_frame,
    probes::{assert_healthy, load_page, ports, resources, start_server, wait_until_released},
    reset, wait_until,
};

const CONNECTIONS: usize = 20_000;
/// The first connections fill the caches.
const WARM_UP: usize = 1_000;
const CLIENTS: usize = 4;
/// More than the number of stacks that the C library caches (40 MiB).
const CACHED_STACKS: usize = 450;
const MEMBERS: usize = 10;
const LOAD: Load = Load { per_second: 50, seconds: 1, text_bytes: 50 };
const GROWTH_MAX: usize = 5 * 1024 * 1024;

const REQUEST: &str = "GET /style.css HTTP/1.1\r\nHost: localhost\r\n";
const TLS_HELLO: &[u8] = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03";

/// Joins a room of its own, so that the group is not told of each client that leaves.
fn join(stream: TcpStream) -> Client {
    Client::new(tungstenite::client("ws://localhost/?room=corridor", stream).unwrap().0)
}

fn join_and_close(stream: TcpStream) {
    join(stream).close();
}

fn join_and_reset(stream: TcpStream) {
    join(stream).reset();
}

fn finish_in_the_head(mut stream: TcpStream) {
    stream.write_all(REQUEST.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "half a request has no answer");
}

fn reset_in_the_head(mut stream: TcpStream) {
    stream.write_all(REQUEST.as_bytes()).unwrap();
    reset(stream);
}

fn reset_in_a_frame(stream: TcpStream) {
    let mut stream = join(stream).socket.into_inner();
    let frame = text_frame("this will never be");
    stream.write_all(&frame[..frame.len() / 2]).unwrap();
    reset(stream);
}

fn reset_in_the_page(mut stream: TcpStream) {
    stream.write_all(format!("{REQUEST}\r\n").as_bytes()).unwrap();
    stream.read_exact(&mut [0; 100]).unwrap();
    reset(stream);
}

fn get_refused(mut stream: TcpStream, head: &[u8], status: u16) {
    stream.write_all(head).unwrap();
    assert_eq!(HttpResponse::read(&mut stream, false).status, status);
    reset(stream);
}

fn speak_http_2(stream: TcpStream) {
    get_refused(stream, b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 400);
}

fn speak_tls(stream: TcpStream) {
    get_refused(stream, TLS_HELLO, 400);
}

fn ask_for_another_version(stream: TcpStream) {
    let fields = "Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n";
    get_refused(stream, format!("{REQUEST}{fields}").as_bytes(), 426);
}

const KINDS: [fn(TcpStream); 9] = [
    join_and_close,
    join_and_reset,
    finish_in_the_head,
    reset_in_the_head,
    reset_in_a_frame,
    speak_http_2,
    reset_in_the_page,
    ask_for_another_version,
    speak_tls,
];

/// Opens connections of every kind in rotation, on both ports, while the group talks.
fn open_all_kinds(program: &ServerProcess, group: &mut LoadGroup, connections: usize) {
    let addresses = ports(program);
    std::thread::scope(|scope| {
        let clients = std::array::from_fn::<_, CLIENTS, _>(|client| {
            let ours = Ipv4Addr::new(127, 0, 1, u8::try_from(client).unwrap());
            scope.spawn(move || {
                for number in 0..connections / CLIENTS {
                    let address = addresses[number / KINDS.len() % 2];
                    KINDS[number % KINDS.len()](connect_from(ours, address));
                }
            })
        });
        while !clients.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            group.run(LOAD);
        }
    });
}

/// Opens as many connections at once as fill the cache of stacks, and resets them.
fn fill_the_caches(program: &ServerProcess) {
    let ours = Ipv4Addr::LOCALHOST;
    let callers: Vec<_> = (0..CACHED_STACKS).map(|_| connect_from(ours, program.page())).collect();
    wait_until("each has a thread", || program.threads() >= CACHED_STACKS);
    callers.into_iter().for_each(reset);
}

#[derive(Clone, Copy, Debug)]
struct Holdings {
    threads: usize,
    descriptors: usize,
    mappings: usize,
    resident_bytes: usize,
}

impl Holdings {
    fn of(program: &ServerProcess) -> Self {
        Self {
            threads: program.threads(),
            descriptors: program.descriptors(),
            mappings: program.mappings(),
            resident_bytes: program.resident_bytes(),
        }
    }
}

#[test]
fn short_connections_leave_nothing_behind() {
    let program = start_server();
    // tiny_http starts its threads before it answers.
    load_page(program.page());
    let mut group = LoadGroup::join(program.websocket(), MEMBERS);
    let empty = resources(&program);
    fill_the_caches(&program);
    open_all_kinds(&program, &mut group, WARM_UP);
    wait_until_released(&program, empty);
    let before = Holdings::of(&program);
    let since = Instant::now();
    open_all_kinds(&program, &mut group, CONNECTIONS);
    let took = since.elapsed();
    wait_until_released(&program, empty);
    let after = Holdings::of(&program);
    let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
    println!(
        "{CONNECTIONS} came and went in {took:.1?}: {} threads, {} descriptors, {} mappings \
         ({} before), and {} KiB more",
        after.threads,
        after.descriptors,
        after.mappings,
        before.mappings,
        grown / 1024
    );
    assert!(after.mappings <= before.mappings, "{before:?}, and then {after:?}");
    assert!(grown <= GROWTH_MAX, "{before:?}, and then {after:?}");
    assert_healthy(program);
}
