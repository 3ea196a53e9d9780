//! Start: from running the program to the first complete page.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::report::Row;
use crate::target::{Program, Target};
use testkit::Outcome;

/// How often the server is started. The median counts.
const STARTS: usize = 10;
/// How long a connection or a response may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a new server settles before its memory is measured.
const SETTLE: Duration = Duration::from_millis(500);

/// Measures the time to the first page and the memory before any client.
pub(crate) fn run(cores: &Cores) -> Outcome<Row> {
    let target = Target::plain(Program::Chinwag);
    let mut times = Vec::with_capacity(STARTS);
    let mut page_bytes = 0;
    for _ in 0..STARTS {
        let start = Instant::now();
        let server = target.start(cores)?;
        page_bytes = fetch(server.page.ok_or("the server has no page")?)?;
        times.push(start.elapsed());
    }
    let mut row = Row::new("start", &target, 0);
    row.latency(&mut times);
    row.figure("page_bytes", page_bytes as f64);
    row.note(format!("until the first page of {page_bytes} bytes"));

    let server = target.start(cores)?;
    std::thread::sleep(SETTLE);
    let resident = server.resident_kib()?;
    row.figure("resident_kib", resident as f64);
    row.note(format!("{resident} KiB resident before the first client"));
    Ok(row)
}

/// Gets `/` and returns the length of its body.
fn fetch(address: SocketAddr) -> Outcome<usize> {
    let mut stream = connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    loop {
        let mut chunk = [0; 16 << 10];
        let read = stream.read(&mut chunk)?;
        answer.extend_from_slice(&chunk[..read]);
        if let Some(body) = whole_body(&answer)? {
            return Ok(body);
        }
        if read == 0 {
            return Err("the page ended before it was complete".into());
        }
    }
}

/// Connects. The server may begin to listen a moment after it prints its address.
fn connect(address: SocketAddr) -> Outcome<TcpStream> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Err(error)
                if error.kind() == ErrorKind::ConnectionRefused && Instant::now() < deadline =>
            {
                std::thread::yield_now();
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// Returns the length of the body when all of it has come.
fn whole_body(answer: &[u8]) -> Outcome<Option<usize>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head_bytes) = head.parse(answer)? else {
        return Ok(None);
    };
    if head.code != Some(200) {
        return Err(format!("the page was answered with {:?}", head.code).into());
    }
    let length = head
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("Content-Length"))
        .ok_or("the page came without a length")?;
    let length: usize = std::str::from_utf8(length.value)?.parse()?;
    Ok((answer.len() >= head_bytes + length).then_some(length))
}
