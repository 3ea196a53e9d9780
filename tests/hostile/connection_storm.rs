//! Clients that connect, send a request and reset, as many as the machine can make.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{connect_from, frames::text_frame, reset};

const JSON: &str = "Sec-WebSocket-Protocol: chinwag.v1\r\n";

/// Encodes an upgrade request with frames behind it, for one write.
pub fn request(target: &str, fields: &str, texts: &[String]) -> Vec<u8> {
    let head = format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    );
    let mut bytes = head.into_bytes();
    texts.iter().for_each(|text| bytes.extend(text_frame(text)));
    bytes
}

/// Does the same for a JSON client.
pub fn json_request(texts: &[String]) -> Vec<u8> {
    request("/", JSON, texts)
}

/// Reads until one of `ends` has come, or up to the end of the stream.
pub fn read_until(mut stream: &TcpStream, ends: &[&str]) -> String {
    let mut got = Vec::new();
    let mut chunk = [0; 4096];
    let has = |got: &[u8], end: &str| got.windows(end.len()).any(|it| it == end.as_bytes());
    while !ends.iter().any(|end| has(&got, end)) {
        match stream.read(&mut chunk) {
            Ok(length) if length > 0 => got.extend_from_slice(&chunk[..length]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&got).into_owned()
}

/// Runs clients of one address on several threads. Each sends its texts, reads until one of the
/// answers comes, and resets its connection. Returns how many received the first of the answers.
pub fn storm(
    ours: Ipv4Addr,
    server: SocketAddr,
    clients: usize,
    texts: impl Fn(usize) -> Vec<String> + Sync,
    answers: &[&str],
) -> usize {
    const THREADS: usize = 8;
    let (next, welcome) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= clients {
                        return;
                    }
                    let mut stream = connect_from(ours, server);
                    stream.write_all(&json_request(&texts(number))).unwrap();
                    if read_until(&stream, answers).contains(answers[0]) {
                        welcome.fetch_add(1, Ordering::Relaxed);
                    }
                    reset(stream);
                }
            });
        }
    });
    welcome.into_inner()
}
