//! The floor: the cost of the same deliveries in a program that only sends.
//!
//! It holds the accepted sockets. Its only thread sends each text that comes in to all clients with
//! the same path, one after the other, in blocking calls. It has no queues, no state and no
//! defence, and is not for use. No server that writes to each of its clients can be much cheaper.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::net::listen;
use tungstenite::handshake::server::{Request, Response};

use testkit::Outcome;
use testkit::frames::{CLOSE, TEXT, append_server_text, split_zero_masked};

const BACKLOG: i32 = 4096;
const READ_BYTES: usize = 64 << 10;
const EVENTS_MAX: usize = 1024;
/// The listener in the events of epoll.
const LISTENER: u64 = u64::MAX;

/// The state of the program.
struct Floor {
    listener: TcpListener,
    epoll: OwnedFd,
    clients: Vec<Client>,
    /// The clients of each path.
    rooms: HashMap<String, Vec<usize>>,
    buffer: Vec<u8>,
}

struct Client {
    /// `None` once the client is gone.
    stream: Option<TcpStream>,
    path: String,
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
}

/// Serves on a free port until the process is killed. Prints the port on stdout.
pub(crate) fn serve() -> Outcome {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listen(&listener, BACKLOG)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    println!("WebSocket: ws://{}/", listener.local_addr()?);
    let buffer = vec![0; READ_BYTES];
    Floor { listener, epoll, clients: Vec::new(), rooms: HashMap::new(), buffer }.turn_for_ever()
}

impl Floor {
    fn turn_for_ever(&mut self) -> Outcome {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
        // The frames for each room, sent when all ready clients have been read.
        let mut said: HashMap<String, Vec<u8>> = HashMap::new();
        loop {
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    index => self.read(usize::try_from(index)?, &mut said)?,
                }
            }
            for (path, frames) in said.drain() {
                self.send(&path, &frames);
            }
        }
    }

    fn accept(&mut self) -> Outcome {
        let (stream, _) = self.listener.accept()?;
        stream.set_nodelay(true)?;
        let mut path = String::new();
        #[expect(clippy::result_large_err, reason = "tungstenite wants it so")]
        let note_path = |request: &Request, response: Response| {
            path = request.uri().to_string();
            Ok(response)
        };
        // The generator sends the whole request before it waits for an answer.
        let greeted = tungstenite::accept_hdr(stream, note_path);
        let stream = greeted.map_err(|error| error.to_string())?.into_inner();
        let index = self.clients.len();
        epoll::add(&self.epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
        self.rooms.entry(path.clone()).or_default().push(index);
        self.clients.push(Client { stream: Some(stream), path, partial: Vec::new() });
        Ok(())
    }

    fn read(&mut self, index: usize, said: &mut HashMap<String, Vec<u8>>) -> Outcome {
        let client = &mut self.clients[index];
        let Some(stream) = &mut client.stream else { return Ok(()) };
        let kept = client.partial.len();
        self.buffer[..kept].copy_from_slice(&client.partial);
        let read = stream.read(&mut self.buffer[kept..]).unwrap_or(0);
        if read == 0 {
            client.stream = None;
            return Ok(());
        }
        let mut rest = &self.buffer[..kept + read];
        let frames = match said.get_mut(&client.path) {
            Some(frames) => frames,
            None => said.entry(client.path.clone()).or_default(),
        };
        while let Some((first, payload, after)) = split_zero_masked(rest) {
            match first {
                TEXT => append_server_text(payload, frames),
                CLOSE => client.stream = None,
                _ => {}
            }
            rest = after;
        }
        client.partial.clear();
        client.partial.extend_from_slice(rest);
        Ok(())
    }

    fn send(&mut self, path: &str, frames: &[u8]) {
        for &index in &self.rooms[path] {
            let client = &mut self.clients[index];
            if client.stream.as_mut().is_some_and(|stream| stream.write_all(frames).is_err()) {
                client.stream = None;
            }
        }
    }
}
