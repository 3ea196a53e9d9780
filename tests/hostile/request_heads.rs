//! Requests of every kind, and the status that PROTOCOL.md promises for each, on both ports.

use std::io::Write as _;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use testkit::{
    HttpResponse, ServerProcess, connect, exchange,
    probes::{assert_healthy, ports, start_server},
    tcp,
};

const HANDSHAKE: &str = "Connection: Upgrade\nUpgrade: websocket\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n";
const HEAD_BYTES_MAX: usize = 16 * 1024;
const FIELDS_MAX: usize = 100;

/// Ends each line with CR LF.
fn lines(head: &str) -> Vec<u8> {
    head.replace('\n', "\r\n").into_bytes()
}

fn request(line: &str, fields: &str) -> Vec<u8> {
    lines(&format!("{line}\nHost: 127.0.0.1\n{fields}\n"))
}

fn get(fields: &str) -> Vec<u8> {
    request("GET / HTTP/1.1", fields)
}

/// Requests the page with each of these fields.
fn gets(status: u16, fields: &[&str]) -> Vec<(u16, Vec<u8>)> {
    fields.iter().map(|field| (status, get(&format!("{field}\n")))).collect()
}

/// Requests an upgrade with one change to a valid handshake.
fn handshake(from: &str, to: &str) -> Vec<u8> {
    assert!(HANDSHAKE.contains(from));
    get(&HANDSHAKE.replace(from, to))
}

/// Sends each request to both ports. Checks that each response is complete, closes the connection
/// and has the expected status, and that the chat continues.
fn check_statuses(name: &str, heads: &[(u16, Vec<u8>)]) {
    let program = start_server();
    let since = Instant::now();
    for (status, head) in heads {
        for port in ports(&program) {
            let answer = if *status == 101 { enter(port, head) } else { exchange(port, head) };
            let shown = String::from_utf8_lossy(&head[..head.len().min(300)]);
            assert_eq!(answer.status, *status, "on {port} to {shown:?}");
            match status {
                405 => assert_eq!(answer.header("Allow"), Some("GET, HEAD, OPTIONS")),
                426 => assert_eq!(answer.header("Sec-WebSocket-Version"), Some("13")),
                _ => {}
            }
        }
    }
    println!("{name}: {} heads on 2 ports, answered in {:.1?}", heads.len(), since.elapsed());
    assert_healthy(program);
}

/// Returns the response to a handshake. The client closes its side, because an accepted connection
/// would not end.
fn enter(address: SocketAddr, head: &[u8]) -> HttpResponse {
    let mut stream = tcp(address);
    stream.write_all(head).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    HttpResponse::read(&mut stream, false)
}

#[test]
fn lengths_and_bodies() {
    let announced = [
        "Content-Length: 1",
        "Content-Length: 1000000000000000",
        "Content-Length: 9223372036854775808",
        "Content-Length: 18446744073709551615",
        "Content-Length: 18446744073709551616",
        "Content-Length: 1000000000000000000000000000000000000000",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "transfer-encoding:\tchunked",
        // The combination has no valid meaning, but it announces a body.
        "Transfer-Encoding: chunked\nTransfer-Encoding: identity",
    ];
    let doubtful = [
        "Content-Length:",
        "Content-Length: -1",
        "Content-Length: +5",
        "Content-Length: +0",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 0, 0",
        "Content-Length: 5\nContent-Length: 6",
        "Content-Length: 0\nContent-Length: 0",
        "Content-Length: 5\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\nContent-Length: 0",
        "Transfer-Encoding : chunked",
        "Content-Length\t: 5",
        "Content-Length: 0\n 5",
        "Transfer-Encoding:\u{b}chunked",
        "X: a\rTransfer-Encoding: chunked",
        " Transfer-Encoding: chunked",
    ];
    let mut heads = gets(200, &["Content-Length: 0", "Content-Length: 00"]);
    heads.extend(gets(413, &announced));
    heads.extend(gets(400, &doubtful));
    let post = |fields: &str| request("POST / HTTP/1.1", fields);
    heads.extend([
        (413, post("Content-Length: 1000000000000000\n")),
        (413, request("HEAD / HTTP/1.1", "Content-Length: 1\n")),
        (413, [post("Transfer-Encoding: chunked\n"), lines("5\nhello\n0\n\n")].concat()),
        // The body is a request.
        (413, [post("Content-Length: 36\n"), get("")].concat()),
        (400, [post("Content-Length: 6\nTransfer-Encoding: chunked\n"), get("")].concat()),
    ]);
    check_statuses("lengths and bodies", &heads);
}

#[test]
fn hosts() {
    let ours = [
        "127.0.0.1",
        "127.0.0.1:8080",
        "192.168.1.20:65535",
        "10.0.0.1:",
        "[::1]",
        "[::1]:12345",
        "[FE80::1]",
        "localhost",
        "LOCALHOST:8080",
        "localhost.",
        "chat",
        "Chat.LAN.:8080",
        "chat.local",
        "a.home.arpa",
        "b.internal",
        "pc.home",
        "pc.test:8080",
        "pc.corp",
        "pc.mail",
    ];
    let foreign = [
        "127.0.0.1.evil.example",
        "evil.example",
        "EVIL.EXAMPLE.",
        "localhost.evil.example",
        "evil-local.com",
        "127.1",
        "pc.fritz.box",
        "pc.home.example",
    ];
    let none = [
        "",
        "user@127.0.0.1",
        "user:secret@localhost",
        "localhost:port",
        "localhost:99999",
        "localhost:+80",
        "localhost:80:80",
        "::1",
        "[::1",
        "a..b",
        ".local",
        "localhost, evil.example",
        "localhost evil.example",
        "http://localhost",
        "localhost/",
        "localhost#",
        "löcalhost",
        "127.0.0.1\nHost: 127.0.0.1",
        "127.0.0.1\nHost: evil.example",
    ];
    let of = |status: u16, hosts: &[&str]| -> Vec<_> {
        let head = |host: &&str| lines(&format!("GET / HTTP/1.1\nHost: {host}\n\n"));
        hosts.iter().map(|host| (status, head(host))).collect()
    };
    let mut heads = [of(200, &ours), of(421, &foreign), of(400, &none)].concat();
    heads.push((400, lines("GET / HTTP/1.1\n\n")));
    heads.push((200, lines("GET / HTTP/1.0\n\n")));
    heads.push((200, lines("GET /healthz HTTP/1.0\n\n")));
    heads.push((400, lines("GET / HTTP/1.0\nHost: a\nHost: a\n\n")));
    heads.push((421, lines("GET /healthz HTTP/1.0\nHost: evil.example\n\n")));
    check_statuses("hosts", &heads);
}

#[test]
fn origins() {
    let good = [
        "http://127.0.0.1",
        "http://127.0.0.1:8080",
        "https://127.0.0.1:443",
        "HTTP://127.0.0.1.:12345",
    ];
    let foreign = [
        "",
        "null",
        "file://",
        "127.0.0.1",
        "http://evil.example",
        "https://evil.example:443",
        "http://127.0.0.1.evil.example",
        "http://localhost",
        "http://127.0.0.2",
        "http://[::1]",
        "http://user@127.0.0.1",
        "http://evil.example#@127.0.0.1",
        "http://evil.example\\@127.0.0.1",
        "http://127.0.0.1/",
        "http://127.0.0.1/path",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:+80",
        "http://127.0.0.1 http://127.0.0.1",
        "http://127.0.0.1, http://evil.example",
        "http://127.0.0.1\nOrigin: http://127.0.0.1",
    ];
    let mut heads = Vec::new();
    for (origins, chat, page) in [(&good[..], 101, 200), (&foreign[..], 403, 403)] {
        for origin in origins {
            heads.push((chat, get(&format!("Origin: {origin}\n{HANDSHAKE}"))));
            heads.push((page, get(&format!("Origin: {origin}\n"))));
        }
    }
    check_statuses("origins", &heads);
}

#[test]
fn handshakes() {
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    let mut heads = vec![(101, get(HANDSHAKE)), (426, get("Upgrade: websocket\n"))];
    for version in ["", "0", "7", "8", "12", "14", "013", "13.0", "13, 8"] {
        heads.push((426, handshake(": 13\n", &format!(": {version}\n"))));
    }
    heads.push((426, handshake("Sec-WebSocket-Version: 13\n", "")));
    heads.push((426, handshake(": 13\n", ": 13\nSec-WebSocket-Version: 8\n")));
    for key in
        ["", "dGhl", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSBvbmU=", &"!".repeat(24)]
    {
        heads.push((400, handshake(KEY, key)));
    }
    heads.extend([
        (400, handshake(&format!("Sec-WebSocket-Key: {KEY}\n"), "")),
        (400, handshake("Connection: Upgrade\n", "")),
        (400, handshake("Connection: Upgrade", "Connection: close\nConnection: keep-alive")),
        (101, handshake("Connection: Upgrade", "Connection: keep-alive\nConnection: Upgrade")),
        (101, handshake("Connection: Upgrade", "Connection: Upgrade\nConnection: keep-alive")),
        (101, handshake("Upgrade: websocket", "Upgrade: h2c\nUpgrade: websocket")),
        (101, handshake("Upgrade: websocket", "Upgrade: websocket, h2c")),
        (400, handshake(": 13\n", &format!(": 13\nSec-WebSocket-Key: {KEY}\n"))),
        (400, handshake("Connection: Upgrade", "Connection: close")),
        (400, handshake("Upgrade: websocket", "Upgrade: h2c")),
        (400, request("GET / HTTP/1.0", HANDSHAKE)),
        (400, request("GET /?room=a.b HTTP/1.1", HANDSHAKE)),
        (405, request("POST / HTTP/1.1", HANDSHAKE)),
        (200, request("HEAD / HTTP/1.1", HANDSHAKE)),
        (413, handshake(": 13\n", ": 13\nContent-Length: 5\n")),
    ]);
    check_statuses("handshakes", &heads);
}

/// Returns a request for the page of this size.
fn of_size(bytes: usize) -> Vec<u8> {
    let filler = bytes - get("X: \n").len();
    get(&format!("X: {}\n", "x".repeat(filler)))
}

#[test]
fn sizes() {
    // One of the fields is Host.
    let fields = |count: usize| get(&"A: b\n".repeat(count - 1));
    let to_head = |fields: &str| request("HEAD / HTTP/1.1", fields);
    assert_eq!(of_size(HEAD_BYTES_MAX).len(), HEAD_BYTES_MAX);
    let heads = [
        (200, of_size(HEAD_BYTES_MAX)),
        (431, of_size(HEAD_BYTES_MAX + 1)),
        (431, of_size(100 * HEAD_BYTES_MAX)),
        (431, vec![b'a'; HEAD_BYTES_MAX + 1]),
        (431, request(&format!("GET /{} HTTP/1.1", "a".repeat(HEAD_BYTES_MAX)), "")),
        (404, request(&format!("GET /{} HTTP/1.1", "a".repeat(HEAD_BYTES_MAX - 100)), "")),
        (200, fields(FIELDS_MAX)),
        (431, fields(FIELDS_MAX + 1)),
        (431, to_head(&"A: b\n".repeat(FIELDS_MAX))),
        (431, to_head(&format!("X: {}\n", "x".repeat(HEAD_BYTES_MAX)))),
    ];
    check_statuses("sizes", &heads);
}

#[test]
fn not_http() {
    // The first bytes of a TLS 1.2 handshake and of HTTP/2.
    const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03";
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let host = "\r\nHost: 127.0.0.1\r\n\r\n";
    let raw = [
        CLIENT_HELLO,
        PREFACE,
        b"\r\n\r\n",
        b"\0",
        b"\xff\xfe",
        b"GET /\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX\0: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n\tfolded\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\nX : a\r\n\r\n",
    ];
    let first_lines = [
        "GET / HTTP/2.0",
        "GET / HTTP/1.2",
        "GET / HTTP/1.10",
        "GET / http/1.1",
        "GET / RTSP/1.0",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/\tHTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "G(T / HTTP/1.1",
        " GET / HTTP/1.1",
    ];
    let mut heads: Vec<_> = raw.iter().map(|head| (400, head.to_vec())).collect();
    heads.extend(first_lines.iter().map(|line| (400, format!("{line}{host}").into_bytes())));
    check_statuses("not HTTP", &heads);
}

#[test]
fn methods_and_targets() {
    let mut heads = Vec::new();
    for method in
        ["POST", "PUT", "DELETE", "PATCH", "CONNECT", "TRACE", "PROPFIND", "get", "G", "options"]
    {
        heads.push((405, request(&format!("{method} / HTTP/1.1"), "")));
    }
    for target in ["/", "*", "/healthz"] {
        heads.push((200, request(&format!("OPTIONS {target} HTTP/1.1"), "")));
        heads.push((200, lines(&format!("OPTIONS {target} HTTP/1.0\n\n"))));
        let origin = "Origin: http://evil.example\nAccess-Control-Request-Method: GET\n";
        heads.push((403, request(&format!("OPTIONS {target} HTTP/1.1"), origin)));
    }
    for target in ["http://127.0.0.1/", "127.0.0.1:443", "*", "a", "?room=a"] {
        for method in ["GET", "OPTIONS", "CONNECT"] {
            if (method, target) == ("OPTIONS", "*") {
                continue;
            }
            heads.push((400, request(&format!("{method} {target} HTTP/1.1"), "")));
        }
    }
    for (target, status) in [
        ("/", 200),
        ("/healthz", 200),
        ("/style.css?v=1", 200),
        ("/nothing", 404),
        ("//", 404),
        ("/../Cargo.toml", 404),
        ("/%2e%2e/Cargo.toml", 404),
        ("/%00", 404),
        ("/style.css#top", 404),
        ("/é", 404),
    ] {
        heads.push((status, request(&format!("GET {target} HTTP/1.1"), "")));
        heads.push((status, request(&format!("HEAD {target} HTTP/1.0"), "")));
    }
    check_statuses("methods and targets", &heads);
}

#[test]
fn one_response_per_connection() {
    let two = |first: &[u8]| [first, &get("")].concat();
    let heads = [
        (200, two(&get("Connection: keep-alive\n"))),
        (404, two(&request("GET /nothing HTTP/1.1", ""))),
        (400, two(b"GET / HTTP/1.1\r\n\r\n")),
        (200, get("").repeat(1000)),
    ];
    check_statuses("pipelined", &heads);
}

#[test]
fn slow_requests() {
    let program = start_server();
    // A client that sends a greeting and waits for one.
    let greeting = b"SSH-2.0-OpenSSH_9.6\r\n";
    let since = Instant::now();
    let waiting = ports(&program).map(|port| {
        let mut stream = tcp(port);
        stream.write_all(greeting).unwrap();
        stream
    });
    for port in ports(&program) {
        for (status, head) in [(200, of_size(1000)), (405, request("PUT / HTTP/1.1", ""))] {
            let mut stream = tcp(port);
            for byte in head {
                stream.write_all(&[byte]).unwrap();
            }
            assert_eq!(HttpResponse::read(&mut stream, false).status, status);
        }
    }
    for mut stream in waiting {
        assert_eq!(HttpResponse::read(&mut stream, false).status, 408);
    }
    let waited = since.elapsed();
    println!("a client that sends a greeting is answered after {waited:.1?}");
    assert!(waited >= Duration::from_secs(5));
    assert_healthy(program);
}

#[test]
fn a_full_server() {
    let here = ["--bind", "127.0.0.1", "--max-clients", "1"];
    let program = ServerProcess::with(here);
    let client = connect(program.websocket(), "/").unwrap();
    for port in ports(&program) {
        let answer = exchange(port, &get(HANDSHAKE));
        assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("5")));
        assert_eq!(exchange(port, &get("")).status, 200, "a page needs no room");
    }
    drop(client);
}
