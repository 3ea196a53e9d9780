//! Listeners and connections that the embedder hands over, one port for all, and the path of a server.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZero;
use std::thread;

use chinwag::{AdoptError, Config, Handle, Page, Running, Server};
use testkit::{HttpResponse, config, connect, exchange, exchange_text, frames, tcp};
use tungstenite::{Message, WebSocket};

/// A server without ports, and the listener of a program that hands its connections over.
struct Embedder {
    running: Running,
    listener: TcpListener,
}

impl Embedder {
    fn start(config: &Config) -> Self {
        let running = Server::with_listeners(config, vec![]).unwrap().start().unwrap();
        assert!(running.handle().page_addresses().is_empty());
        Self { running, listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap() }
    }

    /// Accepts a connection, reads this number of bytes, and hands it over.
    fn hand_over(&self, length: usize) {
        let (mut stream, _) = self.listener.accept().unwrap();
        let mut read = vec![0; length];
        stream.read_exact(&mut read).unwrap();
        self.running.handle().adopt(stream, &read).unwrap();
    }

    /// Connects, sends bytes, and hands the connection over when the embedder has read some.
    fn connect(&self, bytes: &[u8], read: usize) -> TcpStream {
        let mut stream = tcp(self.listener.local_addr().unwrap());
        stream.write_all(bytes).unwrap();
        self.hand_over(read);
        stream
    }

    fn get(&self, path: &str, read: usize) -> HttpResponse {
        let head = format!("GET {path} HTTP/1.1\r\nHost: chat.lan\r\n\r\n");
        HttpResponse::read(&mut self.connect(head.as_bytes(), read.min(head.len())), false)
    }
}

const HANDSHAKE: &str = "GET /?nick=ana HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Reads the response to the handshake. Returns the client behind it.
fn upgraded(mut stream: TcpStream) -> WebSocket<TcpStream> {
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        response.push(byte[0]);
    }
    let response = String::from_utf8(response).unwrap();
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
    WebSocket::from_raw_socket(stream, tungstenite::protocol::Role::Client, None)
}

#[test]
fn an_adopted_connection_is_a_client_wherever_the_embedder_stopped_to_read() {
    let embedder = Embedder::start(&config().page(Page::None));
    let mut bytes = HANDSHAKE.as_bytes().to_vec();
    bytes.extend(frames::text_frame("early"));
    for read in [0, 1, 40, HANDSHAKE.len() - 1, HANDSHAKE.len(), HANDSHAKE.len() + 3, bytes.len()] {
        let mut client = upgraded(embedder.connect(&bytes, read));
        let message = client.read().unwrap();
        assert!(matches!(&message, Message::Text(text) if text.ends_with(": early")), "{read}");
        client.close(None).unwrap();
        while client.read().is_ok() {}
    }
    embedder.running.stop().unwrap();
}

#[test]
fn an_adopted_connection_gets_the_page() {
    let embedder = Embedder::start(&config());
    for read in [0, 5, usize::MAX] {
        assert_eq!(embedder.get("/", read).status, 200);
        assert_eq!(embedder.get("/healthz", read).body, b"ok\n");
    }
    assert_eq!(embedder.get("/", 3).header("Content-Type"), Some("text/html; charset=utf-8"));
}

#[test]
fn limits_by_address_apply_to_adopted_connections() {
    let config = config().page(Page::None).clients_per_address_max(NonZero::new(1));
    let embedder = Embedder::start(&config);
    let _first = upgraded(embedder.connect(HANDSHAKE.as_bytes(), HANDSHAKE.len()));
    let mut second = embedder.connect(HANDSHAKE.as_bytes(), HANDSHAKE.len());
    assert_eq!(HttpResponse::read(&mut second, false).status, 503);
    // An endless head is refused, too.
    let endless = vec![b'a'; 17 * 1024];
    let mut stream = embedder.connect(&endless, endless.len());
    assert_eq!(HttpResponse::read(&mut stream, false).status, 431);
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = tcp(listener.local_addr().unwrap());
    (client, listener.accept().unwrap().0)
}

#[test]
fn a_connection_that_is_not_taken_is_returned() {
    let server = Server::with_listeners(&config().page(Page::None), vec![]).unwrap();
    let mut clients = Vec::new();
    // Nothing is taken before the start.
    let refused = loop {
        let (client, stream) = pair();
        clients.push(client);
        if let Err(error) = server.adopt(stream, b"") {
            break error;
        }
    };
    assert_eq!(clients.len(), 65);
    assert!(matches!(refused, AdoptError::Full(_)), "{refused}");
    let peer = clients.pop().unwrap().local_addr().unwrap();
    assert_eq!(refused.into_stream().peer_addr().unwrap(), peer);

    // Those that wait are served after the start.
    let running = server.start().unwrap();
    for mut client in clients {
        client.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
        assert_eq!(HttpResponse::read(&mut client, false).status, 200);
    }
    let handle: Handle = running.handle();
    running.stop().unwrap();
    let refused = handle.adopt(pair().1, b"").unwrap_err();
    assert!(matches!(refused, AdoptError::Stopped(_)), "{refused}");
}

#[test]
fn the_peer_may_have_left_before_it_is_adopted() {
    let embedder = Embedder::start(&config().page(Page::None));
    for _ in 0..10 {
        let (client, stream) = pair();
        testkit::reset(client);
        embedder.running.handle().adopt(stream, b"GET /").unwrap();
    }
    assert_eq!(embedder.get("/healthz", 0).status, 200);
}

#[test]
fn listeners_can_be_handed_over() {
    let listeners: Vec<_> =
        (0..2).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    let addresses: Vec<SocketAddr> =
        listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    // The address of the configuration is not used.
    let config = config().bind(["203.0.113.77".parse::<Ipv4Addr>().unwrap()]);
    let server = Server::with_listeners(&config, listeners).unwrap();
    assert_eq!(server.page_addresses(), addresses);
    assert_eq!(server.websocket_addresses(), addresses);
    let running = server.start().unwrap();
    for address in &addresses {
        assert!(connect(*address, "/").is_ok());
        let page = exchange_text(*address, "GET /healthz HTTP/1.1\nHost: localhost\n\n");
        assert!(page.ends_with("ok\n"), "{page}");
    }
    running.stop().unwrap();
    // The ports are free again.
    for address in addresses {
        TcpListener::bind(address).unwrap();
    }
}

#[test]
fn one_free_port_serves_both() {
    let server = Server::bind(&config().one_port(0)).unwrap();
    let addresses = server.websocket_addresses().to_vec();
    assert_eq!((server.page_addresses(), addresses.len()), (&addresses[..], 1));
    assert_ne!(addresses[0].port(), 0);
    let _running = server.start().unwrap();
    assert!(connect(addresses[0], "/").is_ok());
    let health = exchange(addresses[0], b"GET /healthz HTTP/1.0\r\n\r\n");
    assert_eq!(health.status, 200);
}

#[test]
fn a_server_below_a_path_serves_nothing_else() {
    let config = config().one_port(0).path("/team/chat".parse().unwrap());
    let server = Server::bind(&config).unwrap();
    let address = server.page_addresses()[0];
    let _running = server.start().unwrap();
    let get = |path: &str| {
        exchange(address, format!("GET {path} HTTP/1.1\r\nHost: chat.lan\r\n\r\n").as_bytes())
    };
    assert_eq!(get("/team/chat/main.js").status, 200);
    assert_eq!(get("/team/chat/healthz").body, b"ok\n");
    assert_eq!(get("/team/chat/invite?room=den").body, b"http://chat.lan/team/chat/#den");
    let redirect = get("/team/chat?x=1");
    assert_eq!((redirect.status, redirect.header("Location")), (308, Some("/team/chat/?x=1")));
    for path in ["/", "/main.js", "/healthz", "/team", "/team/chats"] {
        let response = get(path);
        assert_eq!(response.status, 404, "{path}");
        let sentence = String::from_utf8(response.body).unwrap();
        assert_eq!(sentence, "There is nothing here. The chat is below another path.\n");
    }
    assert!(connect(address, "/team/chat").is_ok());
    assert!(connect(address, "/team/chat/?room=den").is_ok());
    assert!(connect(address, "/").unwrap_err().contains("404"));
}

#[test]
fn a_chat_can_be_part_of_another_http_server() {
    let config = config().page(Page::None).path("/chat".parse().unwrap());
    let Embedder { running, listener } = Embedder::start(&config);
    let address = listener.local_addr().unwrap();
    let handle = running.handle();
    // The other server reads a piece of the head, and decides by its target.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut read = [0; 1024];
            let length = stream.read(&mut read).unwrap();
            if read.starts_with(b"GET /chat") {
                handle.adopt(stream, &read[..length]).unwrap();
            } else {
                let response =
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nshop";
                stream.write_all(response).unwrap();
            }
        }
    });
    let head = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(exchange(address, head).body, b"shop");
    let mut client = connect(address, "/chat/").unwrap();
    client.send(Message::text("hello")).unwrap();
    assert!(client.read().unwrap().to_text().unwrap().ends_with(": hello"));
}
