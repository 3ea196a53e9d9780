//! Where a server listens, and the page that it serves.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::{env, fs, process};

use chinwag::{AdoptError, BasePath, Page, PageFiles, Server, StartError};
use tungstenite::Message;

use crate::clients::{Outcome, connect, tcp};
use crate::config;

/// Requests a file. Returns the response.
fn get(address: SocketAddr, target: &str) -> Outcome<String> {
    let mut stream = tcp(address)?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}

pub fn pages() -> Outcome {
    let own = "<!doctype html><title>Kiosk</title>";
    let folder = env::temp_dir().join(format!("chinwag-page-{}", process::id()));
    fs::create_dir(&folder)?;
    fs::write(folder.join("index.html"), own)?;
    let folder_page = Server::bind(&config().page(PageFiles::folder(&folder)));
    fs::remove_dir_all(&folder)?;
    let embedded_page = PageFiles::embedded([("index.html", own.as_bytes())]);
    for server in [folder_page, Server::bind(&config().page(embedded_page))] {
        let running = server?.start()?;
        let response = get(running.handle().page_addresses()[0], "/")?;
        assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with(own), "{response}");
        running.stop()?;
    }
    let missing = Server::bind(&config().page(PageFiles::folder(&folder)));
    assert!(matches!(missing, Err(StartError::Page(path, _)) if path == folder));
    Ok(())
}

pub fn one_port_and_a_path() -> Outcome {
    let path: BasePath = "/chat".parse()?;
    assert_eq!(path.as_ref(), "/chat");
    let running = Server::bind(&config().one_port(0).path(path))?.start()?;
    let address = running.handle().page_addresses()[0];
    assert_eq!(running.handle().websocket_addresses(), [address]);
    assert!(get(address, "/chat/")?.contains("<!doctype html>"));
    assert!(get(address, "/")?.starts_with("HTTP/1.1 404 "));
    assert!(connect(address, "/chat/?nick=ana").is_ok());
    assert!(connect(address, "/?nick=bo").is_err());
    Ok(running.stop()?)
}

pub fn listeners() -> Outcome {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let server = Server::with_listeners(&config(), vec![listener])?;
    assert_eq!(
        (server.page_addresses(), server.websocket_addresses()),
        (&[address][..], &[address][..])
    );
    let running = server.start()?;
    assert!(connect(address, "/?nick=ana").is_ok());
    Ok(running.stop()?)
}

/// A connection, as both ends of it.
fn pair(listener: &TcpListener) -> Outcome<(TcpStream, TcpStream)> {
    let client = tcp(listener.local_addr()?)?;
    Ok((client, listener.accept()?.0))
}

pub fn connections() -> Outcome {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let server = Server::with_listeners(&config().page(Page::None), vec![])?;
    assert!(server.page_addresses().is_empty());
    // It is served after the start.
    let (mut early, stream) = pair(&listener)?;
    server.adopt(stream, b"GET /healthz HTTP/1.1\r\n")?;
    early.write_all(b"Host: localhost\r\n\r\n")?;
    let running = server.start()?;
    let handle = running.handle();
    let mut response = String::new();
    early.read_to_string(&mut response)?;
    assert!(response.ends_with("ok\n"), "{response}");

    let (client, stream) = pair(&listener)?;
    handle.adopt(stream, b"")?;
    let (mut ana, _) = tungstenite::client("ws://localhost/?nick=ana", client)?;
    ana.send(Message::text("hello"))?;
    assert_eq!(ana.read()?.to_text()?, "ana: hello");

    running.stop()?;
    let (client, stream) = pair(&listener)?;
    let Err(refused) = handle.adopt(stream, b"") else {
        return Err("a stopped server takes a connection".into());
    };
    assert!(matches!(refused, AdoptError::Stopped(_)));
    assert_eq!(refused.into_stream().peer_addr()?, client.local_addr()?);
    Ok(())
}
