//! Clients that take their time with a request or with its response.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Socket, Type};
use testkit::{
    DEADLINE, HttpResponse, ServerProcess, exchange,
    probes::{
        assert_healthy, chat, load_page, ports, resources, start_server, wait_until_released,
    },
};

/// Number of silent clients, and number of slow ones, on each port.
const CLIENTS: usize = 300;
/// How often a slow client sends a byte.
const PACE: Duration = Duration::from_millis(200);
/// The limit for a head is 5 s.
const GONE_WITHIN: Duration = Duration::from_secs(6);
const SERVED_WITHIN: Duration = Duration::from_millis(200);
/// A busy machine may be slow once or twice. A vulnerable server is slow every time.
const ATTEMPTS: usize = 3;

struct SlowClient {
    stream: TcpStream,
    since: Instant,
    /// The rest of the request. Empty for a silent client.
    unsent: std::str::Bytes<'static>,
    received: Vec<u8>,
    /// How long the connection was open, once the server has closed it.
    open_for: Option<Duration>,
}

impl SlowClient {
    fn new(address: SocketAddr, head: &'static str) -> Self {
        let since = Instant::now();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { stream, since, unsent: head.bytes(), received: Vec::new(), open_for: None }
    }

    fn send_byte(&mut self) {
        if let Some(byte) = self.unsent.next() {
            // After the response the server may not read any more.
            let _ = self.stream.write(&[byte]);
        }
    }

    /// Reads all bytes that have come.
    fn read(&mut self) {
        let mut chunk = [0; 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return self.open_for = Some(self.since.elapsed()),
                Ok(length) => self.received.extend(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error} instead of the end"),
            }
        }
    }
}

/// Drives all clients until the server has closed each connection. Returns how long the last was
/// open.
fn attack(addresses: [SocketAddr; 2]) -> Duration {
    // Longer than any client can send in time.
    const HEAD: &str =
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: what I always wanted to say\r\n\r\n";
    // The clients do not close, so that the server has to.
    let mut clients: Vec<_> = (0..CLIENTS)
        .flat_map(|_| {
            addresses.map(|address| ["", HEAD].map(|head| SlowClient::new(address, head)))
        })
        .flatten()
        .collect();
    let deadline = Instant::now() + DEADLINE;
    let mut next_drip = Instant::now();
    loop {
        let mut waiting: Vec<_> = clients.iter_mut().filter(|it| it.open_for.is_none()).collect();
        if waiting.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{} clients are never closed", waiting.len());
        if next_drip <= Instant::now() {
            waiting.iter_mut().for_each(|client| client.send_byte());
            next_drip = Instant::now() + PACE;
        }
        wait_for_any(&waiting, next_drip);
        waiting.iter_mut().for_each(|client| client.read());
    }
    for client in &clients {
        match client.unsent.len() {
            0 => assert!(client.received.is_empty(), "a silent client gets no response"),
            _ => assert_eq!(HttpResponse::parse(&client.received, false).status, 408),
        }
    }
    clients.iter().filter_map(|client| client.open_for).max().unwrap()
}

fn wait_for_any(clients: &[&mut SlowClient], until: Instant) {
    let mut fds: Vec<_> =
        clients.iter().map(|client| PollFd::new(&client.stream, PollFlags::IN)).collect();
    let left = until.saturating_duration_since(Instant::now());
    poll(&mut fds, Some(&Timespec::try_from(left).unwrap())).unwrap();
}

/// Visits both ports of each server until the attack is over. Returns the sorted waits at each
/// server.
fn visit(servers: [&ServerProcess; 2], over: &AtomicBool) -> [Vec<Duration>; 2] {
    let mut visits = 0;
    let mut waits = [const { Vec::new() }; 2];
    // If the attack fails, `over` is never set.
    let deadline = Instant::now() + DEADLINE;
    while !over.load(Ordering::Relaxed) && Instant::now() < deadline {
        for (server, waits) in servers.iter().zip(&mut waits) {
            let [one, other] = [visits, visits + 1].map(|turn| ports(server)[turn % 2]);
            waits.push(chat(one).max(load_page(other)));
        }
        visits += 1;
    }
    waits.iter_mut().for_each(|waits| waits.sort_unstable());
    waits
}

#[test]
fn silent_clients_and_slow_requests_do_not_delay_others() {
    // A pause of the machine delays both servers.
    let [program, other] = [start_server(), start_server()];
    load_page(program.page());
    let before = resources(&program);
    let mut is_fair = false;
    let is_fast = (0..ATTEMPTS).any(|_| {
        let over = AtomicBool::new(false);
        let (open_for, [waits, at_other]) = std::thread::scope(|scope| {
            let visitor = scope.spawn(|| visit([&program, &other], &over));
            let open_for = attack(ports(&program));
            over.store(true, Ordering::Relaxed);
            (open_for, visitor.join().unwrap())
        });
        let visits = waits.len();
        let (typical, longest) = (waits[visits / 2], waits[visits - 1]);
        let longest_elsewhere = at_other[visits - 1];
        println!(
            "{} clients that take their time are kept for {open_for:.1?} at most; {visits} visitors \
             wait for {longest:.1?} at most, and for {longest_elsewhere:.1?} without them",
            4 * CLIENTS
        );
        wait_until_released(&program, before);
        let in_time = open_for <= GONE_WITHIN;
        is_fair |= in_time && typical < SERVED_WITHIN && longest < 2 * longest_elsewhere;
        in_time && longest < SERVED_WITHIN
    });
    // On a slow machine, the second server is the measure.
    assert!(is_fast || is_fair, "too long, {ATTEMPTS} times");
    assert_healthy(program);
}

/// Requests the largest part of the page and reads nothing of it.
fn stall(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(LARGEST_PART.as_bytes()).unwrap();
    stream
}

const LARGEST_PART: &str = "GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn clients_that_do_not_read_their_page() {
    /// Maximum number of responses that the server writes at once.
    const READERS: usize = 64;
    let program = start_server();
    let part = exchange(program.page(), LARGEST_PART.as_bytes()).body;
    let part = String::from_utf8(part).unwrap();
    let before = resources(&program);
    for address in ports(&program) {
        let stalled: Vec<_> = (0..READERS).map(|_| stall(address)).collect();
        for stream in &stalled {
            // The response has begun, so that the server waits only for the client.
            stream.peek(&mut [0]).unwrap();
        }
        let waited = load_page(address);
        println!(
            "with {READERS} clients that do not read it, the next has the page after {waited:.1?}"
        );
        assert!(waited < Duration::from_secs(5));
        wait_until_released(&program, before);
        for mut stream in stalled {
            let answer = HttpResponse::read(&mut stream, false);
            // The bytes that were sent are in the socket.
            assert_eq!(String::from_utf8_lossy(&answer.body), part);
        }
    }
    assert_healthy(program);
}
