//! Servers with a page of their own, or without one.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::error::Error as _;
use std::fs;

use chinwag::{Page, PageFiles, Server, StartError};
use testkit::{HttpResponse, TempDir, TestServer, config, exchange_bytes};

/// Sends a GET request with this `Host`.
fn get_from(server: &TestServer, path: &str, host: &str) -> HttpResponse {
    let head = format!("GET {path} HTTP/1.1\nHost: {host}\n\n");
    HttpResponse::parse(&exchange_bytes(server.page_address(), &head), false)
}

fn get(server: &TestServer, path: &str) -> HttpResponse {
    get_from(server, path, "localhost")
}

#[test]
fn a_server_without_a_page_serves_clients_health_checks_and_invitations() {
    let mut server = TestServer::start_with(&config().page(Page::None));
    for path in ["/", "/main.js", "/nothing"] {
        let response = get(&server, path);
        assert_eq!(response.status, 404, "{path}");
        let sentence = String::from_utf8(response.body).unwrap();
        assert_eq!(sentence, "This server has no page. It serves WebSocket clients.\n");
    }
    let health = get(&server, "/healthz");
    assert_eq!((health.status, health.body.as_slice()), (200, &b"ok\n"[..]));
    assert_eq!(get(&server, "/healthz?why=").status, 200);
    let invitation = get_from(&server, "/invite?room=kitchen", "chat.lan");
    assert_eq!(invitation.body, b"http://chat.lan/#kitchen");
    server.join().send_and_receive("hello");
}

#[test]
fn a_folder_takes_the_place_of_the_page() {
    let folder = TempDir::new();
    fs::create_dir(folder.file("docs")).unwrap();
    for (name, content) in
        [("index.html", "<p>kiosk"), ("docs/index.html", "<p>docs"), ("a b.mjs", "1"), (".env", "")]
    {
        fs::write(folder.file(name), content).unwrap();
    }
    let server = TestServer::start_with(&config().page(PageFiles::folder(folder.path())));
    for (path, content, content_type) in [
        ("/", "<p>kiosk", "text/html; charset=utf-8"),
        ("/docs/?x=1", "<p>docs", "text/html; charset=utf-8"),
        ("/a%20b.mjs", "1", "text/javascript; charset=utf-8"),
    ] {
        let response = get(&server, path);
        assert_eq!((response.status, response.body.as_slice()), (200, content.as_bytes()));
        assert_eq!(response.header("Content-Type"), Some(content_type));
        assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(response.header("Content-Security-Policy"), None);
        let etag = response.header("ETag").unwrap();
        let again = format!("GET {path} HTTP/1.1\nHost: localhost\nIf-None-Match: {etag}\n\n");
        let again = HttpResponse::parse(&exchange_bytes(server.page_address(), &again), false);
        assert_eq!(again.status, 304);
    }
    for path in ["/main.js", "/.env", "/docs", "/index.html", "/../etc/passwd", "/%2e%2e/etc"] {
        assert_eq!(get(&server, path).status, 404, "{path}");
    }
    assert_eq!(get(&server, "/healthz").body, b"ok\n");
    // The files were read before the start.
    fs::write(folder.file("index.html"), "new").unwrap();
    assert_eq!(get(&server, "/").body, b"<p>kiosk");
}

#[test]
fn embedded_files_take_the_place_of_the_page() {
    let files = [("index.html", &include_bytes!("../web/icon.svg")[..]), ("a/b.png", b"png")];
    let server = TestServer::start_with(&config().page(PageFiles::embedded(files)));
    assert_eq!(get(&server, "/").body, include_bytes!("../web/icon.svg"));
    assert_eq!(get(&server, "/a/b.png").header("Content-Type"), Some("image/png"));
    assert_eq!(get(&server, "/style.css").status, 404);
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error_with_its_name() {
    let missing = TempDir::new().file("missing");
    let error = Server::bind(&config().page(PageFiles::folder(&missing))).unwrap_err();
    assert!(error.source().is_some());
    let StartError::Page(path, _) = error else { panic!("{error:?}") };
    assert_eq!(path, missing);
}
