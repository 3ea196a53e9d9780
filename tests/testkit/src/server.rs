//! A server in the process of the test.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use chinwag::{ClientId, Config, Event, Events, Handle, Limits, RunError, Server};

use crate::client::connect_json;
use crate::{Client, DEADLINE, connect, tcp};

/// A server on free ports, and its events.
pub struct TestServer {
    pub handle: Handle,
    pub events: Events,
    /// `None` once it was joined. A test may join it in another thread. It is not a
    /// [`Running`](chinwag::Running), which would wait up to 5 s for the threads of tiny_http.
    running: Mutex<Option<JoinHandle<Result<(), RunError>>>>,
    /// Close codes and reasons of the clients that have left.
    closed: HashMap<ClientId, (u16, String)>,
}

/// Returns a configuration for free ports of the loopback interface, without a limit per address
/// and without a limit of messages per second.
pub fn config() -> Config {
    Config::default()
        .bind([Ipv4Addr::LOCALHOST])
        .page_port(0)
        .websocket_port(0)
        .clients_per_address_max(None)
        .limits(Limits::default().per_second(None))
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.handle.stop();
        let _ = self.wait();
    }
}

impl TestServer {
    pub fn start() -> Self {
        Self::start_with(&config())
    }

    pub fn start_with(config: &Config) -> Self {
        let server = Server::bind(config).expect("free ports can be opened");
        let events = server.events(100_000);
        let (serves, handle) = channel();
        let running = thread::spawn(|| server.run(move |handle| serves.send(handle).unwrap()));
        let handle = handle.recv_timeout(DEADLINE).expect("the server serves");
        Self { handle, events, running: Mutex::new(Some(running)), closed: HashMap::new() }
    }

    /// Stops the server, and waits until it has ended.
    pub fn stop(&self) {
        self.handle.stop();
        self.wait().expect("the server does not crash");
    }

    /// Waits until the server has ended.
    pub fn wait(&self) -> Result<(), RunError> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        running.map_or(Ok(()), |thread| thread.join().unwrap_or(Err(RunError::Crashed)))
    }

    /// Starts a server with these limits, but without a limit of messages per second.
    pub fn start_with_limits(limits: Limits) -> Self {
        Self::start_with(&config().limits(limits.per_second(None)))
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
                Event::Joined { client, nickname, room, .. } => break (client, nickname, room),
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
        if let Event::Close { client, code, reason, .. } = event {
            self.closed.insert(*client, (*code, reason.clone()));
        }
    }
}
