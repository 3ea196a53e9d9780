//! Responses on both ports.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::time::Duration;

use chinwag::Limits;
use flate2::read::GzDecoder;
use testkit::{
    HttpResponse, TestServer, config, connect, exchange_bytes, exchange_text, tcp, wait_until,
};

const HANDSHAKE: &str = "Connection: Upgrade\nUpgrade: websocket\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n";

/// Sends a request to both ports. Checks that both have the same status.
fn exchange(server: &TestServer, head: &str) -> HttpResponse {
    let [page, websocket] = [server.page_address(), server.address()].map(|address| {
        HttpResponse::parse(&exchange_bytes(address, head), head.starts_with("HEAD "))
    });
    assert_eq!(page.status, websocket.status, "the ports differ for {head}");
    page
}

#[test]
fn the_page_and_its_parts_are_on_both_ports() {
    let server = TestServer::start();
    for path in ["/", "/?room=kitchen", "/style.css", "/main.js", "/icon.svg"] {
        let part = exchange(&server, &format!("GET {path} HTTP/1.1\nHost: localhost\n\n"));
        assert_eq!(part.status, 200, "{path}");
        let policy = part.header("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert_eq!(part.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(part.header("Referrer-Policy"), Some("no-referrer"));
        let etag = part.header("ETag").unwrap();
        let again = format!("GET {path} HTTP/1.1\nHost: localhost\nIf-None-Match: {etag}\n\n");
        assert_eq!(exchange(&server, &again).status, 304, "{path}");
        let head = format!("HEAD {path} HTTP/1.1\nHost: localhost\n\n");
        assert_eq!(exchange(&server, &head).status, 200);
    }
}

#[test]
fn parts_are_compressed_for_clients_that_accept_it() {
    let server = TestServer::start();
    let request = |method: &str, path: &str, fields: &str| {
        exchange(&server, &format!("{method} {path} HTTP/1.1\nHost: localhost\n{fields}\n"))
    };
    const GZIP: &str = "Accept-Encoding: gzip, deflate, br\n";
    for path in ["/", "/style.css", "/main.js"] {
        let (plain, gzip) = (request("GET", path, ""), request("GET", path, GZIP));
        assert_eq!((plain.status, gzip.status), (200, 200), "{path}");
        assert_eq!(plain.header("Content-Encoding"), None);
        assert_eq!(gzip.header("Content-Encoding"), Some("gzip"));
        assert_eq!(plain.header("Content-Type"), gzip.header("Content-Type"));
        assert!(gzip.body.len() < plain.body.len(), "{path}");
        let mut unpacked = Vec::new();
        GzDecoder::new(&gzip.body[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain.body, "{path}");
        assert_ne!(plain.header("ETag"), gzip.header("ETag"), "they are not the same bytes");

        for (form, field) in [(&plain, ""), (&gzip, GZIP)] {
            let etag = form.header("ETag").unwrap();
            for method in ["GET", "HEAD"] {
                let again = request(method, path, &format!("{field}If-None-Match: {etag}\n"));
                assert_eq!((again.status, again.header("Content-Encoding")), (304, None));
                for name in ["ETag", "Vary", "Content-Length"] {
                    assert_eq!(again.header(name), form.header(name), "{method} {path} {name}");
                }
            }
            let head = request("HEAD", path, field);
            for name in ["ETag", "Vary", "Content-Length", "Content-Encoding"] {
                assert_eq!(head.header(name), form.header(name), "{path} {name}");
            }
            assert_eq!(form.header("Vary"), Some("Accept-Encoding"));
        }
        // Each encoding has its own tag.
        let known = format!("{GZIP}If-None-Match: {}\n", plain.header("ETag").unwrap());
        assert_eq!(request("GET", path, &known).status, 200);

        let refused = request("GET", path, "Accept-Encoding: gzip;q=0, *\n");
        assert!(refused.body == plain.body && refused.header("Content-Encoding").is_none());
    }
    let short = request("GET", "/healthz", GZIP);
    assert_eq!((short.header("Vary"), short.header("Content-Encoding")), (None, None));
    assert_eq!(short.body, b"ok\n");
}

#[test]
fn a_healthy_server_says_ok() {
    let server = TestServer::start();
    let response = exchange_text(server.address(), "GET /healthz HTTP/1.1\nHost: localhost\n\n");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\nok\n"));
}

/// Returns the status of a handshake.
fn upgrade(server: &TestServer, head: &str) -> String {
    let mut stream = tcp(server.address());
    stream.write_all(head.replace('\n', "\r\n").as_bytes()).unwrap();
    let mut code = [0; 12];
    stream.read_exact(&mut code).unwrap();
    String::from_utf8_lossy(&code[9..]).into_owned()
}

#[test]
fn a_handshake_may_spread_its_lists_over_several_fields() {
    let server = TestServer::start();
    for (connection, status) in [
        ("Connection: keep-alive\nConnection: Upgrade\n", "101"),
        ("Connection: Upgrade\nConnection: keep-alive\n", "101"),
        ("Connection: keep-alive, Upgrade\nUpgrade: h2c\n", "101"),
        ("Connection: keep-alive\nConnection: close\n", "400"),
    ] {
        let fields = HANDSHAKE.replace("Connection: Upgrade\n", connection);
        let head = format!("GET / HTTP/1.1\nHost: localhost\n{fields}\n");
        assert_eq!(upgrade(&server, &head), status, "{connection}");
    }
}

#[test]
fn load_balancers_are_served() {
    let server = TestServer::start();
    for head in [
        "GET /healthz HTTP/1.0\n\n",
        "HEAD /healthz HTTP/1.0\n\n",
        "HEAD / HTTP/1.0\n\n",
        "OPTIONS / HTTP/1.0\n\n",
        "OPTIONS * HTTP/1.1\nHost: localhost\n\n",
        "OPTIONS / HTTP/1.1\nHost: localhost\nAccess-Control-Request-Method: GET\n\n",
    ] {
        let response = exchange(&server, head);
        assert_eq!(response.status, 200, "{head}");
        for name in ["Origin", "Methods", "Headers", "Credentials", "Private-Network"] {
            assert_eq!(response.header(&format!("Access-Control-Allow-{name}")), None, "{head}");
        }
        if head.starts_with("OPTIONS") {
            assert_eq!(response.header("Allow"), Some("GET, HEAD, OPTIONS"));
        }
    }
}

#[test]
fn the_cookies_of_other_services_are_accepted() {
    let server = TestServer::start();
    let get = |bytes: usize| {
        let cookie = "a".repeat(bytes);
        exchange(&server, &format!("GET / HTTP/1.1\nHost: localhost\nCookie: {cookie}\n\n"))
    };
    assert_eq!([9_000, 16_000].map(|bytes| get(bytes).status), [200, 200]);
    for bytes in [16_384, 100_000] {
        let rejection = get(bytes);
        let reason = String::from_utf8(rejection.body).unwrap();
        assert_eq!(rejection.status, 431);
        assert!(reason.contains("Cookie: delete the cookies of this host"), "{reason}");
    }
}

#[test]
fn every_rejection_is_a_complete_response() {
    let server = TestServer::start();
    let get = |fields: &str| format!("GET / HTTP/1.1\nHost: localhost\n{fields}\n");
    let cases = [
        (404, "GET /nothing HTTP/1.1\nHost: localhost\n\n".to_owned()),
        (404, "GET /../Cargo.toml HTTP/1.1\nHost: localhost\n\n".to_owned()),
        (404, "HEAD /nothing HTTP/1.1\nHost: localhost\n\n".to_owned()),
        (405, "POST / HTTP/1.1\nHost: localhost\n\n".to_owned()),
        (403, "OPTIONS / HTTP/1.1\nHost: localhost\nOrigin: http://evil.example\n\n".to_owned()),
        (400, "GET / HTTP/1.1\n\n".to_owned()),
        (400, "GET / HTTP/1.1\nHost: localhost\nHost: localhost\n\n".to_owned()),
        (400, "GET / HTTP/2.0\nHost: localhost\n\n".to_owned()),
        (400, "\x16\x03\x01\x02\x00\x01\x00".to_owned()),
        (403, get("Origin: http://evil.example\n")),
        (413, "POST / HTTP/1.1\nHost: localhost\nContent-Length: 1000000000000000\n\n".to_owned()),
        (413, get("Transfer-Encoding: chunked\n")),
        (421, "GET / HTTP/1.1\nHost: evil.example\n\n".to_owned()),
        (421, "HEAD / HTTP/1.1\nHost: evil.example\n\n".to_owned()),
        (426, get(&HANDSHAKE.replace(": 13", ": 8"))),
        (400, get(&HANDSHAKE.replace("Connection: Upgrade\n", ""))),
        (400, format!("GET /?room=a.b HTTP/1.1\nHost: localhost\n{HANDSHAKE}\n")),
        (431, get(&"A: b\n".repeat(100))),
        (431, get(&format!("A: {}\n", "b".repeat(16_384)))),
        (405, format!("POST / HTTP/1.1\nHost: localhost\n{HANDSHAKE}\n")),
    ];
    for (code, head) in cases {
        let rejection = exchange(&server, &head);
        assert_eq!(rejection.status, code, "{head}");
        assert!(rejection.body.is_empty() || rejection.body.ends_with(b"\n"), "{head}");
        match code {
            405 => assert_eq!(rejection.header("Allow"), Some("GET, HEAD, OPTIONS")),
            426 => assert_eq!(rejection.header("Sec-WebSocket-Version"), Some("13")),
            _ => {}
        }
    }
}

#[test]
fn origins_and_host_names_can_be_allowed() {
    let server = TestServer::start_with(
        &config()
            .host_names(vec!["chat.example.org".parse().unwrap()])
            .allowed_origins(vec!["https://intra.example.org".parse().unwrap()]),
    );
    let upgrade = |host: &str, origin: &str| {
        let head = format!("GET / HTTP/1.1\nHost: {host}\nOrigin: {origin}\n{HANDSHAKE}\n");
        upgrade(&server, &head)
    };
    assert_eq!(upgrade("chat.example.org", "https://intra.example.org"), "101");
    assert_eq!(upgrade("localhost:12345", "http://localhost:8080"), "101");
    assert_eq!(upgrade("localhost:12345", "http://127.0.0.1:8080"), "403");
    assert_eq!(upgrade("chat.example.com", "http://chat.example.com"), "421");
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let server = TestServer::start();
    let mut stream = tcp(server.address());
    for byte in "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.ends_with("ok\n"));
}

#[test]
fn an_unexpected_body_does_not_prevent_the_response() {
    /// The server reads for half a second more, and a busy machine may be late.
    const ATTEMPTS: usize = 3;
    let server = TestServer::start();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65536\r\n\r\n";
    let taken = (0..ATTEMPTS).any(|_| {
        let mut stream = tcp(server.page_address());
        stream.write_all(head.as_bytes()).unwrap();
        assert_eq!(HttpResponse::read(&mut stream, false).status, 413);
        // A server that had closed would reset the connection now, and the client could lose the
        // response.
        let pace = crossbeam_channel::tick(Duration::from_millis(1));
        pace.iter().take(100).all(|_| stream.write_all(&[b'x'; 64]).is_ok())
    });
    assert!(taken, "the body meets a closed door");
}

#[test]
fn a_missing_head_times_out() {
    let limits = Limits::default().head_within(Duration::from_millis(200));
    let server = TestServer::start_with(&config().limits(limits));
    let mut idle = tcp(server.address());
    let mut slow = tcp(server.page_address());
    slow.write_all(b"GET / HTTP/1.1\r\nHost: loc").unwrap();
    let mut response = String::new();
    idle.read_to_string(&mut response).unwrap();
    assert_eq!(response, "", "a silent client gets no response");
    slow.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
}

#[test]
fn a_full_server_says_when_to_retry() {
    let mut server = TestServer::start_with(&config().clients_max(NonZero::new(2)));
    let first = server.join();
    let mut second = server.join();
    let head = format!("GET / HTTP/1.1\nHost: localhost\n{HANDSHAKE}\n");
    let rejection = exchange(&server, &head);
    assert_eq!(rejection.status, 503);
    assert!(rejection.header("Retry-After").is_some());
    second.send_and_receive("those who are in notice nothing");
    let id = first.id();
    first.close();
    server.wait_for_close(id);
    // The slot is free when the thread of the connection has ended, a moment later.
    wait_until("the slot is free", || connect(server.address(), "/").is_ok());
}

#[test]
fn a_page_may_ask_why_its_handshake_was_rejected() {
    const WHY: &str = "GET /healthz?why=http%3A%2F%2Flocalhost HTTP/1.1\nHost: localhost\n\n";
    let handshake = format!("GET / HTTP/1.1\nHost: localhost\n{HANDSHAKE}\n");
    for (config, reason) in [
        (config().clients_max(NonZero::new(1)), "full"),
        (config().clients_per_address_max(NonZero::new(1)), "from your address"),
    ] {
        let mut server = TestServer::start_with(&config);
        let open = exchange(&server, WHY);
        assert_eq!((open.status, &*open.body), (200, &b"ok\n"[..]));
        assert_eq!(open.header("Cache-Control"), Some("no-store"));
        // A request takes no slot.
        let client = server.join();
        let (rejection, why) = (exchange(&server, &handshake), exchange(&server, WHY));
        assert_eq!((rejection.status, why.status), (503, 503));
        assert_eq!(rejection.body, why.body);
        assert!(String::from_utf8(why.body.clone()).unwrap().contains(reason), "{reason}");
        assert_eq!(why.header("Cache-Control"), Some("no-store"));
        assert_eq!(exchange(&server, &WHY.replace("GET", "HEAD")).status, 503);
        assert_eq!(exchange(&server, "GET /healthz HTTP/1.1\nHost: localhost\n\n").status, 200);
        let id = client.id();
        client.close();
        server.wait_for_close(id);
        // One port at a time, because the slot may become free in between.
        wait_until("the slot is free", || {
            exchange_text(server.page_address(), WHY).starts_with("HTTP/1.1 200 ")
        });
    }
    let server = TestServer::start();
    let foreign = exchange(&server, &WHY.replace("%2Flocalhost", "%2Fchat.example.org"));
    assert_eq!(foreign.status, 403);
    assert!(String::from_utf8(foreign.body).unwrap().contains("--allow-origin"));
}

#[test]
fn one_address_does_not_take_every_slot() {
    let mut server = TestServer::start_with(&config().clients_per_address_max(NonZero::new(2)));
    let _two = (server.join(), server.join());
    let refused = connect(server.address(), "/").expect_err("a third is one too many");
    assert!(refused.contains("503"), "{refused}");
    let response = exchange_text(server.page_address(), "GET / HTTP/1.1\nHost: localhost\n\n");
    assert!(response.starts_with("HTTP/1.1 200 "), "pages do not count");
}
