//! The address in an invitation, which must work on another machine.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::net::Ipv4Addr;

use testkit::{HttpResponse, TestServer, config, exchange_bytes};

/// Requests the invitation as a browser does that has loaded the page from this host.
fn invited(server: &TestServer, method: &str, target: &str, host: &str) -> HttpResponse {
    let head = format!("{method} {target} HTTP/1.1\nHost: {host}\n\n");
    let response = exchange_bytes(server.page_address(), &head);
    let response = HttpResponse::parse(&response, method == "HEAD");
    assert_eq!(response.header("Cache-Control"), Some("no-store"), "{head}");
    assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"), "{head}");
    response
}

/// Returns the address as text. Checks that the picture has the same.
fn address(server: &TestServer, query: &str, host: &str) -> String {
    let text = invited(server, "GET", &format!("/invite{query}"), host);
    let picture = invited(server, "GET", &format!("/invite.svg{query}"), host);
    assert_eq!((text.status, picture.status), (200, 200), "{query} {host}");
    assert_eq!(text.header("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(picture.header("Content-Type"), Some("image/svg+xml"));
    let text = String::from_utf8(text.body).unwrap();
    assert_eq!(scanned(std::str::from_utf8(&picture.body).unwrap()), text);
    text
}

/// Decodes a picture that consists of black squares on white.
fn scanned(svg: &str) -> String {
    let between = |start: &str, end: &str| {
        svg.split_once(start).unwrap().1.split_once(end).unwrap().0.to_owned()
    };
    assert_eq!(between("<rect ", ">").split("fill=").nth(1), Some("\"#fff\"/"));
    assert!(svg.contains("<path fill=\"#000\""), "{svg}");
    let width: usize = between("width=\"", "\"").parse().unwrap();
    // `M32 40h8v8H32V40` means: from there 8 to the right, 8 down, and back.
    let squares = between(" d=\"M", "\"");
    let mut is_black = vec![false; width * width];
    for square in squares.split('M') {
        let (x, rest) = square.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let unit: usize = rest.split_once('v').unwrap().0.parse().unwrap();
        let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
        let margin = 4 * unit;
        assert!(x >= margin && x + unit + margin <= width, "{square} is in the margin");
        assert!(y >= margin && y + unit + margin <= width, "{square} is in the margin");
        for row in y..y + unit {
            is_black[row * width + x..][..unit].fill(true);
        }
    }
    let grey = |x: usize, y: usize| if is_black[y * width + x] { 0 } else { 255 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, width, grey);
    let codes = image.detect_grids();
    assert_eq!(codes.len(), 1, "{svg}");
    codes[0].decode().unwrap().1
}

#[test]
fn an_invitation_has_the_host_of_the_request() {
    let server = TestServer::start();
    assert_eq!(address(&server, "", "chat.lan:8080"), "http://chat.lan:8080/");
    assert_eq!(address(&server, "", "Chat"), "http://Chat/");
    assert_eq!(address(&server, "", "192.168.1.20:12345"), "http://192.168.1.20:12345/");
    assert_eq!(address(&server, "?x=1", "[fd00::2]:8080"), "http://[fd00::2]:8080/");
}

#[test]
fn an_invitation_has_the_room() {
    let server = TestServer::start();
    let room = |query| address(&server, query, "chat.lan");
    assert_eq!(room("?room=kitchen"), "http://chat.lan/#kitchen");
    assert_eq!(room("?room=Kitchen-2"), "http://chat.lan/#kitchen-2");
    assert_eq!(room("?room=lobby"), "http://chat.lan/");
    assert_eq!(room("?room=k%C3%BCche"), "http://chat.lan/#k%C3%BCche");
    let longest = "%E5%8E%A8".repeat(32);
    assert_eq!(room(&format!("?room={longest}")), format!("http://chat.lan/#{longest}"));
}

#[test]
fn an_invitation_has_the_path_of_the_page() {
    let server = TestServer::start();
    assert_eq!(address(&server, "?path=/", "chat.lan"), "http://chat.lan/");
    assert_eq!(
        address(&server, "?path=%2Fteam%2Fchat%2F&room=den", "chat.lan"),
        "http://chat.lan/team/chat/#den"
    );
    // An invalid path is ignored.
    assert_eq!(address(&server, "?path=//evil.example/", "chat.lan"), "http://chat.lan/");
    let below = TestServer::start_with(&config().path("/chat".parse().unwrap()));
    let get = |target| String::from_utf8(invited(&below, "GET", target, "chat.lan").body).unwrap();
    assert_eq!(get("/chat/invite"), "http://chat.lan/chat/");
    assert_eq!(get("/chat/invite?path=/site/chat/"), "http://chat.lan/site/chat/");
}

#[test]
fn no_invitation_has_a_loopback_address() {
    let everywhere = [Ipv4Addr::UNSPECIFIED];
    let server = TestServer::start_with(&config().bind(everywhere));
    let addresses = server.handle.reachable_page_addresses();
    let port = server.page_address().port();
    for host in ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "2130706433"] {
        let host = format!("{host}:{port}");
        match addresses.iter().find(|address| !address.ip().is_loopback()) {
            Some(first) => assert_eq!(address(&server, "", &host), format!("http://{first}/")),
            // This machine is on no network.
            None => assert_eq!(invited(&server, "GET", "/invite", &host).status, 404),
        }
    }
}

#[test]
fn a_server_on_loopback_has_no_invitation() {
    let server = TestServer::start();
    for target in ["/invite", "/invite.svg", "/invite?room=kitchen", "/invite.svg?room=kitchen"] {
        for method in ["GET", "HEAD"] {
            assert_eq!(invited(&server, method, target, "localhost").status, 404, "{target}");
        }
    }
}

#[test]
fn an_invitation_needs_a_valid_room_host_and_method() {
    let server = TestServer::start();
    for target in ["/invite", "/invite.svg"] {
        let status = |method: &str, query: &str, host: &str| {
            invited(&server, method, &format!("{target}{query}"), host).status
        };
        assert_eq!(status("HEAD", "?room=kitchen", "chat.lan"), 200);
        assert_eq!(status("GET", "?room=a.b", "chat.lan"), 400);
        assert_eq!(status("GET", "?room=", "localhost"), 400);
        assert_eq!(status("GET", "", "evil.example"), 421);
        assert_eq!(status("GET", "?room=kitchen", "evil.example"), 421);
        assert_eq!(status("POST", "", "chat.lan"), 405);
        assert_eq!(status("GET", "/?room=kitchen", "chat.lan"), 404);
        let endless = format!("chat.lan:{}80", "0".repeat(7500));
        assert_eq!(status("GET", "", &endless), if target == "/invite" { 200 } else { 400 });
    }
}
