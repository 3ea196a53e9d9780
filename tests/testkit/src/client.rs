//! One client over a blocking socket, of either dialect.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use chinwag::ClientId;
use serde_json::{Value, from_str, json};
use socket2::{Domain, SockRef, Socket, Type};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::{Error, Message, WebSocket};

use crate::{DEADLINE, ServerProcess};

/// The subprotocol of the JSON dialect.
pub const SUBPROTOCOL: &str = "chinwag.v1";

/// Connects with a deadline for each read.
pub fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    prepare(&stream);
    stream
}

/// Connects from one of the addresses of this machine, as [`tcp`] does. The ports of a single
/// address can run out.
pub fn connect_from(local: Ipv4Addr, server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((local, 0)).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let stream = TcpStream::from(socket);
    prepare(&stream);
    stream
}

fn prepare(stream: &TcpStream) {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
}

/// Opens a WebSocket of the plain dialect.
pub fn connect(address: SocketAddr, target: &str) -> Result<WebSocket<TcpStream>, String> {
    let url = format!("ws://{address}{target}");
    tungstenite::client(url, tcp(address)).map(|(socket, _)| socket).map_err(|e| e.to_string())
}

/// Opens a WebSocket of the JSON dialect. `None` means that the handshake failed.
pub fn connect_json(stream: TcpStream) -> Option<WebSocket<TcpStream>> {
    let mut request = "ws://localhost/".into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", SUBPROTOCOL.parse().unwrap());
    tungstenite::client(request, stream).ok().map(|(socket, _)| socket)
}

/// Closes with a reset, as a machine does that lost its power and came back.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// A client of either dialect.
pub struct Client {
    /// Known for clients of a [`TestServer`](crate::TestServer).
    pub(crate) id: Option<ClientId>,
    /// Known for plain clients of a [`TestServer`](crate::TestServer), as is the room.
    pub nick: String,
    pub room: String,
    pub socket: WebSocket<TcpStream>,
}

impl Client {
    pub fn new(socket: WebSocket<TcpStream>) -> Self {
        Self { id: None, nick: String::new(), room: String::new(), socket }
    }

    /// Connects a JSON client that has yet to say hello.
    pub fn open_json(server: SocketAddr, local: Ipv4Addr) -> Self {
        Self::new(connect_json(connect_from(local, server)).expect("the server upgrades"))
    }

    /// Connects a JSON client and joins the lobby.
    pub fn enter(server: &ServerProcess, local: Ipv4Addr, nick: &str) -> Self {
        let mut client = Self::open_json(server.websocket(), local);
        assert_eq!(client.call(&json!({"type": "hello", "nick": nick}))["type"], "welcome");
        assert_eq!(client.call(&json!({"type": "join", "room": "lobby"}))["type"], "joined");
        client
    }

    /// Returns the number by which the events of a [`TestServer`](crate::TestServer) name it.
    pub fn id(&self) -> ClientId {
        self.id.expect("it is a client of a server in this process")
    }

    pub fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("the server takes it");
    }

    /// Sends bytes below the WebSocket.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).expect("the server takes it");
    }

    /// Returns the next text.
    pub fn receive(&mut self) -> String {
        loop {
            match self.socket.read().expect("a text comes in time") {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                message => panic!("{message:?} instead of a text"),
            }
        }
    }

    /// Sends a text as a plain client and checks that it comes back next.
    pub fn send_and_receive(&mut self, text: &str) {
        self.send(text);
        assert_eq!(self.receive(), format!("{}: {text}", self.nick));
    }

    pub fn send_json(&mut self, request: &Value) {
        self.send(&request.to_string());
    }

    /// Returns the next event.
    pub fn receive_json(&mut self) -> Value {
        from_str(&self.receive()).expect("every event is an object")
    }

    /// Sends a request and returns the next event.
    pub fn request(&mut self, request: &Value) -> Value {
        self.send_json(request);
        self.receive_json()
    }

    /// Sends a request and returns the event that answers it. Skips all others.
    pub fn call(&mut self, request: &Value) -> Value {
        let mut request = request.clone();
        request["ref"] = "call".into();
        self.send_json(&request);
        self.receive_where(|event| event["ref"] == "call")
    }

    /// Returns the next event that matches. Skips all others.
    pub fn receive_where(&mut self, matches: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.receive_json();
            if matches(&event) {
                return event;
            }
        }
    }

    /// Says a text in the lobby and returns the message as it comes back.
    pub fn say(&mut self, id: &str, text: &str) -> Value {
        self.send_json(&json!({"type": "say", "room": "lobby", "id": id, "text": text}));
        self.receive_where(|event| event["type"] == "message" && event["id"] == id)
    }

    /// Measures how long an answer takes.
    pub fn ping(&mut self) -> Duration {
        let since = Instant::now();
        self.call(&json!({"type": "ping"}));
        since.elapsed()
    }

    /// Checks that every event has been read.
    pub fn has_received_all(&mut self) {
        assert_eq!(self.request(&json!({"type": "ping"})), json!({"type": "pong"}));
    }

    /// Reads up to the close frame and returns its code and reason.
    pub fn close_frame(&mut self) -> (u16, String) {
        loop {
            match self.socket.read() {
                Ok(Message::Close(Some(CloseFrame { code, reason }))) => {
                    return (code.into(), reason.to_string());
                }
                Ok(_) => {}
                Err(error) => panic!("{error} instead of a close frame"),
            }
        }
    }

    /// Closes as a browser does, and waits for the answer and for the end of the stream.
    pub fn close(mut self) {
        self.socket.close(None).expect("the server takes it");
        loop {
            match self.socket.read() {
                Ok(_) => {}
                Err(Error::ConnectionClosed) => return,
                Err(error) => panic!("{error} instead of the end"),
            }
        }
    }

    pub fn reset(self) {
        reset(self.socket.into_inner());
    }
}

/// Returns the code of an error event, which also has a message for a person.
pub fn error_code(event: &Value) -> &str {
    assert_eq!(event["type"], "error", "{event}");
    assert!(event["message"].as_str().expect("the message is a text").len() > 5, "{event}");
    event["code"].as_str().expect("the code is a text")
}

/// Returns the numbers of the messages in an event.
pub fn seqs(event: &Value) -> Vec<u64> {
    let messages = event["messages"].as_array().expect("it has messages");
    messages.iter().map(|message| message["seq"].as_u64().expect("seq is a number")).collect()
}
