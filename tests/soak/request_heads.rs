//! Random damaged requests, as many as there is time for.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use testkit::{
    HttpResponse, connect_from,
    probes::{assert_healthy, load_page, ports, resources, start_server, wait_until_released},
    reset,
};

use crate::mutations::head_gone_wrong;
use crate::{duration, seed};

const THREADS: u8 = 64;
/// Number of silent connections that each thread leaves open.
const LEFT_OPEN: usize = 8;

/// The end of a connection after its request.
#[derive(Clone, Copy, Debug)]
enum End {
    ReadTheAnswer,
    Reset,
    LeaveOpen,
}

/// Number of responses by status. 0 is no response, to a head without an end.
type Tally = BTreeMap<u16, usize>;

/// Sends its head in two pieces.
fn call(mut stream: &TcpStream, head: &[u8], cut: usize) -> std::io::Result<()> {
    stream.write_all(&head[..cut])?;
    stream.write_all(&head[cut..])
}

/// Returns the status of a complete response.
fn read_answer(mut stream: TcpStream, head: &[u8]) -> u16 {
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("{error} after {head:?}"));
    if answer.is_empty() {
        0
    } else {
        HttpResponse::parse(&answer, head.starts_with(b"HEAD ")).status
    }
}

fn send_requests(
    thread: u8,
    servers: [SocketAddr; 2],
    mut runner: TestRunner,
    until: Instant,
) -> Tally {
    let then = select(&[End::ReadTheAnswer, End::Reset, End::LeaveOpen][..]);
    let calls = (head_gone_wrong(), any::<Index>(), select(servers.to_vec()), then);
    let ours = Ipv4Addr::new(127, 0, 1, thread);
    let mut tally = Tally::new();
    let mut open = Vec::new();
    while Instant::now() < until {
        let (head, cut, server, then) = calls.new_tree(&mut runner).unwrap().current();
        let stream = connect_from(ours, server);
        // The server may have closed before all is sent.
        let _ = call(&stream, &head, cut.index(head.len() + 1));
        match then {
            End::ReadTheAnswer => *tally.entry(read_answer(stream, &head)).or_default() += 1,
            End::Reset => reset(stream),
            End::LeaveOpen => {
                if open.len() == LEFT_OPEN {
                    reset(open.remove(0));
                }
                open.push(stream);
            }
        }
    }
    tally
}

#[test]
fn damaged_requests_do_no_harm() {
    let seed = seed();
    let duration = duration();
    let runner_of = |thread: u8| {
        let mut bytes = [thread; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        TestRunner::new_with_rng(Config::default(), rng)
    };
    let program = start_server();
    load_page(program.page());
    let before = resources(&program);
    let servers = ports(&program);
    let until = Instant::now() + duration;
    let mut total = Tally::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let runner = runner_of(thread);
                scope.spawn(move || send_requests(thread, servers, runner, until))
            })
            .collect();
        for thread in threads {
            for (status, count) in thread.join().expect("every answer is complete") {
                *total.entry(status).or_default() += count;
            }
        }
    });
    println!("answers, by status: {total:?}");
    for status in [0, 101, 200, 400, 403, 405, 413, 421, 426, 431] {
        assert!(total.contains_key(&status), "{status} was never reached");
    }
    wait_until_released(&program, before);
    assert_healthy(program);
}
