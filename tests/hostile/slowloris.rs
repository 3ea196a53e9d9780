//! Callers who take their time: with a request, or with the answer to it.

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

/// So many say nothing, and so many drip, on each port.
const CALLERS: usize = 300;
/// A dripping caller says a byte each time.
const PACE: Duration = Duration::from_millis(200);
/// A head has 5 s.
const GONE_WITHIN: Duration = Duration::from_secs(6);
const SERVED_WITHIN: Duration = Duration::from_millis(200);
/// The machine has moments of its own. A server that is slow for callers is so every time.
const ATTEMPTS: usize = 3;

struct Caller {
    stream: TcpStream,
    since: Instant,
    /// What is still to be said; nothing by those who are idle.
    unsaid: std::str::Bytes<'static>,
    heard: Vec<u8>,
    /// How long it was kept, once the server has closed.
    kept: Option<Duration>,
}

impl Caller {
    fn new(address: SocketAddr, head: &'static str) -> Self {
        let since = Instant::now();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { stream, since, unsaid: head.bytes(), heard: Vec::new(), kept: None }
    }

    fn drip(&mut self) {
        if let Some(byte) = self.unsaid.next() {
            // Whoever is answered already may not be listened to.
            let _ = self.stream.write(&[byte]);
        }
    }

    /// Hears all that there is to hear.
    fn listen(&mut self) {
        let mut chunk = [0; 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return self.kept = Some(self.since.elapsed()),
                Ok(length) => self.heard.extend(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error} instead of the end"),
            }
        }
    }
}

/// Drives all of them at once until the server has closed each: how long the last was kept.
fn besiege(addresses: [SocketAddr; 2]) -> Duration {
    // Longer than anybody lets it become.
    const HEAD: &str =
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: what I always wanted to say\r\n\r\n";
    // They keep their end open to the last, so that the server has to let go by itself.
    let mut callers: Vec<_> = (0..CALLERS)
        .flat_map(|_| addresses.map(|address| ["", HEAD].map(|head| Caller::new(address, head))))
        .flatten()
        .collect();
    let deadline = Instant::now() + DEADLINE;
    let mut next_drip = Instant::now();
    loop {
        let mut waiting: Vec<_> = callers.iter_mut().filter(|it| it.kept.is_none()).collect();
        if waiting.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{} callers are never closed", waiting.len());
        if next_drip <= Instant::now() {
            waiting.iter_mut().for_each(|caller| caller.drip());
            next_drip = Instant::now() + PACE;
        }
        wait_for_any(&waiting, next_drip);
        waiting.iter_mut().for_each(|caller| caller.listen());
    }
    for caller in &callers {
        match caller.unsaid.len() {
            0 => assert!(caller.heard.is_empty(), "who says nothing is told nothing"),
            _ => assert_eq!(HttpResponse::parse(&caller.heard, false).status, 408),
        }
    }
    callers.iter().filter_map(|caller| caller.kept).max().unwrap()
}

fn wait_for_any(callers: &[&mut Caller], until: Instant) {
    let mut fds: Vec<_> =
        callers.iter().map(|caller| PollFd::new(&caller.stream, PollFlags::IN)).collect();
    let left = until.saturating_duration_since(Instant::now());
    poll(&mut fds, Some(&Timespec::try_from(left).unwrap())).unwrap();
}

/// Comes and goes on both ports of each house until the siege is over: the waits at each, the
/// longest last.
fn visit(houses: [&ServerProcess; 2], over: &AtomicBool) -> [Vec<Duration>; 2] {
    let mut visits = 0;
    let mut waits = [const { Vec::new() }; 2];
    // A siege that fails does not say that it is over.
    let deadline = Instant::now() + DEADLINE;
    while !over.load(Ordering::Relaxed) && Instant::now() < deadline {
        for (house, waits) in houses.iter().zip(&mut waits) {
            let [one, other] = [visits, visits + 1].map(|turn| ports(house)[turn % 2]);
            waits.push(chat(one).max(load_page(other)));
        }
        visits += 1;
    }
    waits.iter_mut().for_each(|waits| waits.sort_unstable());
    waits
}

#[test]
fn heads_that_drip_and_heads_that_never_come() {
    // Whatever the machine does befalls the other house, too.
    let [program, spared] = [start_server(), start_server()];
    load_page(program.page());
    let before = resources(&program);
    let mut is_fair = false;
    let is_fast = (0..ATTEMPTS).any(|_| {
        let over = AtomicBool::new(false);
        let (kept, [waits, elsewhere]) = std::thread::scope(|scope| {
            let visitor = scope.spawn(|| visit([&program, &spared], &over));
            let kept = besiege(ports(&program));
            over.store(true, Ordering::Relaxed);
            (kept, visitor.join().unwrap())
        });
        let visits = waits.len();
        let (typical, longest) = (waits[visits / 2], waits[visits - 1]);
        let longest_elsewhere = elsewhere[visits - 1];
        println!(
            "{} callers who take their time are kept for {kept:.1?} at most; {visits} visitors \
             wait for {longest:.1?} at most, and for {longest_elsewhere:.1?} without them",
            4 * CALLERS
        );
        wait_until_released(&program, before);
        let in_time = kept <= GONE_WITHIN;
        is_fair |= in_time && typical < SERVED_WITHIN && longest < 2 * longest_elsewhere;
        in_time && longest < SERVED_WITHIN
    });
    // On a machine that has no time for anybody, the other house is the measure.
    assert!(is_fast || is_fair, "too long, {ATTEMPTS} times");
    assert_healthy(program);
}

/// Asks for the largest part of the page, and reads nothing of it.
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
fn visitors_who_do_not_take_their_page() {
    /// As many as the server has time for at once.
    const READERS: usize = 64;
    let program = start_server();
    let part = exchange(program.page(), LARGEST_PART.as_bytes()).body;
    let part = String::from_utf8(part).unwrap();
    let before = resources(&program);
    for address in ports(&program) {
        let stalled: Vec<_> = (0..READERS).map(|_| stall(address)).collect();
        for stream in &stalled {
            // It has begun to come: nothing keeps the server any more but that it is not taken.
            stream.peek(&mut [0]).unwrap();
        }
        let waited = load_page(address);
        println!("with {READERS} who do not take it, the next has the page after {waited:.1?}");
        assert!(waited < Duration::from_secs(5));
        wait_until_released(&program, before);
        for mut stream in stalled {
            let answer = HttpResponse::read(&mut stream, false);
            // What was sent to them waits for them.
            assert_eq!(String::from_utf8_lossy(&answer.body), part);
        }
    }
    assert_healthy(program);
}
