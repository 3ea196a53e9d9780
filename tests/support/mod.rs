//! What the socket tests share: a server in this process on free ports, and clients of it.
//!
//! The clients are tungstenite's, on blocking sockets with a deadline for each read. Nobody sleeps:
//! a client is known to be in once the server's own event says so, and that something did *not*
//! arrive is shown by what was sent after it arriving first.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

pub mod answer;
pub mod folder;
pub mod json;
pub mod program;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use chinwag::{ClientId, Config, Event, Events, Handle, Limits, RunError, Running, Server};
use socket2::SockRef;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};
use tungstenite::{Error, Message, WebSocket};

/// No answer takes so long, however busy the machine is.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A server, and what it tells of its clients.
pub struct House {
    pub handle: Handle,
    pub events: Events,
    running: Mutex<Option<Running>>,
    left: HashMap<ClientId, (u16, String)>,
}

/// Everything on the loopback interface and on free ports, any number of clients, and as many
/// texts as they like.
pub fn config() -> Config {
    Config::default()
        .bind([Ipv4Addr::LOCALHOST])
        .page_port(0)
        .websocket_port(0)
        .clients_per_address_max(None)
        .limits(Limits::default().per_second(None))
}

impl House {
    pub fn open() -> Self {
        Self::with(&config())
    }

    pub fn with(config: &Config) -> Self {
        let server = Server::bind(config).expect("free ports can be opened");
        let events = server.events(100_000);
        let running = server.start().expect("a thread can be started");
        let handle = running.handle();
        Self { handle, events, running: Mutex::new(Some(running)), left: HashMap::new() }
    }

    /// Stops the server, and waits until it has ended.
    pub fn stop(&self) {
        self.handle.stop();
        self.wait().expect("the server does not crash");
    }

    /// Waits until the server has ended.
    pub fn wait(&self) -> Result<(), RunError> {
        let running = self.running.lock().unwrap().take();
        running.map_or(Ok(()), Running::join)
    }

    pub fn address(&self) -> SocketAddr {
        self.handle.websocket_addresses()[0]
    }

    pub fn page_address(&self) -> SocketAddr {
        self.handle.page_addresses()[0]
    }

    /// A client in the lobby.
    pub fn join(&mut self) -> Client {
        self.join_at("/")
    }

    /// A client, by the target of its request. It is in when this returns.
    pub fn join_at(&mut self, target: &str) -> Client {
        let socket = connect(self.address(), target).expect("the server upgrades");
        let (id, nick, room) = loop {
            match self.event() {
                Event::Joined { client, nickname, room, .. } => break (client, nickname, room),
                event => self.note(&event),
            }
        };
        Client { id, nick: nick.to_string(), room: room.to_string(), socket }
    }

    pub fn event(&self) -> Event {
        self.events.recv_timeout(DEADLINE).expect("an event comes in time")
    }

    fn note(&mut self, event: &Event) {
        if let Event::Close { client, code, reason, .. } = event {
            self.left.insert(*client, (*code, reason.clone()));
        }
    }

    /// Waits until the server has seen a client leave: with which code, and why.
    pub fn gone(&mut self, id: ClientId) -> (u16, String) {
        loop {
            if let Some(left) = self.left.remove(&id) {
                return left;
            }
            let event = self.event();
            self.note(&event);
        }
    }
}

pub fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub fn connect(address: SocketAddr, target: &str) -> Result<WebSocket<TcpStream>, String> {
    let url = format!("ws://{address}{target}");
    tungstenite::client(url, tcp(address)).map(|(socket, _)| socket).map_err(|e| e.to_string())
}

/// A client, of the plain dialect where nothing else is said.
pub struct Client {
    pub id: ClientId,
    pub nick: String,
    pub room: String,
    pub socket: WebSocket<TcpStream>,
}

impl Client {
    pub fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("the server takes it");
    }

    /// The next text that comes.
    pub fn hear(&mut self) -> String {
        loop {
            match self.socket.read().expect("a text comes in time") {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                message => panic!("{message:?} instead of a text"),
            }
        }
    }

    /// Says something, and waits until it has come back.
    pub fn say_and_hear(&mut self, text: &str) {
        self.say(text);
        assert_eq!(self.hear(), format!("{}: {text}", self.nick));
    }

    /// Reads on to the close frame: its code and reason.
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

    /// Goes with a reset, as a machine does that lost its power and came back.
    pub fn reset(self) {
        let stream = self.socket.get_ref();
        SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Sends bytes below the WebSocket.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).expect("the server takes it");
    }
}

/// A frame as a client sends it, masked.
pub fn frame(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let header =
        FrameHeader { is_final, opcode, mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
    let mut bytes = Vec::new();
    Frame::from_payload(header, payload.to_vec().into()).format(&mut bytes).unwrap();
    bytes
}

pub fn text_frame(text: &str) -> Vec<u8> {
    frame(OpCode::Data(Data::Text), true, text.as_bytes())
}

/// Sends a request head as it stands, but for `\n` becoming CR LF, and reads all that comes back.
pub fn ask_for_bytes(address: SocketAddr, head: &str) -> Vec<u8> {
    let mut stream = tcp(address);
    stream.write_all(head.replace('\n', "\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the answer ends");
    answer
}

/// The same, for an answer that is text.
pub fn ask(address: SocketAddr, head: &str) -> String {
    String::from_utf8(ask_for_bytes(address, head)).expect("the answer is text")
}
