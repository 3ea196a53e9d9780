//! A client of the JSON dialect that asks and waits for the answer.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, from_str, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

use crate::support::json::SUBPROTOCOL;
use crate::support::program::Program;
use crate::visitors::connect_from;

/// A client of the JSON dialect.
pub struct Client(WebSocket<TcpStream>);

impl Client {
    /// Has yet to say hello.
    pub fn connect(server: SocketAddr, ours: Ipv4Addr) -> Self {
        let mut request = "ws://localhost/".into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", SUBPROTOCOL.parse().unwrap());
        Self(tungstenite::client(request, connect_from(ours, server)).unwrap().0)
    }

    /// Comes into the lobby.
    pub fn enter(program: &Program, ours: Ipv4Addr, nick: &str) -> Self {
        let mut client = Self::connect(program.websocket(), ours);
        assert_eq!(client.ask(&json!({"type": "hello", "nick": nick}))["type"], "welcome");
        assert_eq!(client.ask(&json!({"type": "join", "room": "lobby"}))["type"], "joined");
        client
    }

    pub fn send(&mut self, request: &Value) {
        self.0.send(Message::text(request.to_string())).unwrap();
    }

    /// The next event that is wanted, past all others.
    pub fn told(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().expect("a client is served") {
                let event: Value = from_str(&text).unwrap();
                if is_wanted(&event) {
                    return event;
                }
            }
        }
    }

    /// The answer to a request, past whatever else comes.
    pub fn ask(&mut self, request: &Value) -> Value {
        let mut request = request.clone();
        request["ref"] = "asked".into();
        self.send(&request);
        self.told(|event| event["ref"] == "asked")
    }

    pub fn ping(&mut self) -> Duration {
        let since = Instant::now();
        self.ask(&json!({"type": "ping"}));
        since.elapsed()
    }

    /// Says something to the lobby: the message as it comes back.
    pub fn say(&mut self, id: &str, text: &str) -> Value {
        let say = json!({"type": "say", "room": "lobby", "id": id, "text": text});
        self.send(&say);
        self.told(|event| event["type"] == "message" && event["id"] == id)
    }
}
