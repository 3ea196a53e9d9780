//! A server in the process of the test.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use chinwag::{ClientId, Config, Event, Handle, Limits, Server};
use crossbeam_channel::Receiver;

use crate::client::connect_json;
use crate::{Client, DEADLINE, connect, tcp};

/// A server on free ports, and its events.
pub struct TestServer {
    pub handle: Handle,
    pub events: Receiver<Event>,
    /// Close codes and reasons of the clients that have left.
    closed: HashMap<ClientId, (u16, String)>,
}

/// Returns a configuration for free ports of the loopback interface, without a limit per address
/// and without a limit of messages per second.
pub fn config() -> Config {
    Config {
        bind: vec![Ipv4Addr::LOCALHOST.into()],
        page_port: 0,
        websocket_port: 0,
        clients_per_address_max: 0,
        limits: Limits { per_second: 0, ..Limits::default() },
        ..Config::default()
    }
}

impl TestServer {
    pub fn start() -> Self {
        Self::start_with(&config())
    }

    pub fn start_with(config: &Config) -> Self {
        let server = Server::bind(config).expect("free ports can be opened");
        let events = server.handle().events(100_000);
        let handle = server.start().expect("a thread can be started");
        Self { handle, events, closed: HashMap::new() }
    }

    /// Starts a server with these limits, but without a limit of messages per second.
    pub fn start_with_limits(limits: Limits) -> Self {
        Self::start_with(&Config { limits: Limits { per_second: 0, ..limits }, ..config() })
    }

    pub fn address(&self) -> SocketAddr {
        self.handle.websocket_addresses()[0]
    }

    pub fn page_address(&self) -> SocketAddr {
        self.handle.page_addresses()[0]
    }

    /// Connects a plain client that is in the lobby.
    pub fn join(&mut self) -> Client {
        self.join_at("/")
    }

    /// Connects a plain client by the target of its request. Returns when it is in its room.
    pub fn join_at(&mut self, target: &str) -> Client {
        let socket = connect(self.address(), target).expect("the server upgrades");
        let (id, nick, room) = loop {
            match self.next_event() {
                Event::Joined { client, nickname, room } => break (client, nickname, room),
                event => self.record(&event),
            }
        };
        Client { id: Some(id), nick: nick.to_string(), room: room.to_string(), socket }
    }

    /// Connects a JSON client that has yet to say hello.
    pub fn open_json(&mut self) -> Client {
        let socket = connect_json(tcp(self.address())).expect("the server upgrades");
        let id = loop {
            match self.next_event() {
                Event::Open { client, .. } => break client,
                event => self.record(&event),
            }
        };
        Client { id: Some(id), ..Client::new(socket) }
    }

    pub fn next_event(&self) -> Event {
        self.events.recv_timeout(DEADLINE).expect("an event comes in time")
    }

    /// Waits until the server has seen a client leave. Returns the close code and the reason.
    pub fn wait_for_close(&mut self, client: ClientId) -> (u16, String) {
        loop {
            if let Some(closed) = self.closed.remove(&client) {
                return closed;
            }
            let event = self.next_event();
            self.record(&event);
        }
    }

    fn record(&mut self, event: &Event) {
        if let Event::Close { client, code, reason } = event {
            self.closed.insert(*client, (*code, reason.clone()));
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.handle.stop();
    }
}
