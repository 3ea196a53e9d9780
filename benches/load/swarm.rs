//! The clients: many sockets, one thread, one epoll.
//!
//! A swarm connects, sends whole frames, hands every text frame to whoever
//! asked, and answers pings. It knows nothing of rates, rounds or clocks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

use crate::Outcome;
use crate::dialect::{Dialect, LOBBY};
use crate::frames::{self, CLOSE, PING, TEXT};
use crate::handshake;

/// Bytes that one read may take. Large enough that a busy client is emptied
/// in one call, small enough that the bytes are still in the cache when the
/// frames are counted.
const READ_BYTES: usize = 256 << 10;
/// Ready sockets that one call of epoll may report.
const EVENTS_MAX: usize = 1024;
/// Silence that means that what is awaited does not come.
const SILENCE: Duration = Duration::from_secs(5);

/// Many connected clients.
pub(crate) struct Swarm {
    clients: Vec<Client>,
    epoll: OwnedFd,
    events: Vec<Event>,
    /// Shared by all clients: only one is read at a time.
    buffer: Vec<u8>,
    bytes: u64,
    pings: usize,
    lost: usize,
}

struct Client {
    /// `None` once the server has closed it.
    stream: Option<TcpStream>,
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
    /// What the socket did not take.
    unsent: Vec<u8>,
}

impl Swarm {
    /// Connects `size` clients that are in the lobby. Nothing is on its way to
    /// any of them then.
    pub(crate) fn connect(address: SocketAddr, size: usize, dialect: Dialect) -> Outcome<Self> {
        Self::connect_to(address, size, dialect, &[LOBBY.to_owned()])
    }

    /// The same in several rooms, which the clients enter in turn.
    pub(crate) fn connect_to(
        address: SocketAddr,
        size: usize,
        dialect: Dialect,
        rooms: &[String],
    ) -> Outcome<Self> {
        let mut swarm = Self::connect_silent(address, size, dialect, rooms)?;
        for index in 0..size {
            swarm.send(index, &dialect.greeting(&rooms[index % rooms.len()]))?;
        }
        let members = |room| (size + rooms.len() - 1 - room) / rooms.len();
        let welcomes = (0..rooms.len()).map(|room| dialect.welcomes(members(room))).sum();
        swarm.hear(welcomes, |_| {})?;
        Ok(swarm)
    }

    /// Connects `size` clients, each past its handshake. They have said
    /// nothing yet.
    pub(crate) fn connect_silent(
        address: SocketAddr,
        size: usize,
        dialect: Dialect,
        rooms: &[String],
    ) -> Outcome<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut clients = Vec::with_capacity(size);
        let path = |index: usize| dialect.path(&rooms[index % rooms.len()]);
        for stream in handshake::connect_all(address, size, dialect, path)? {
            let index = EventData::new_u64(clients.len() as u64);
            epoll::add(&epoll, &stream, index, EventFlags::IN)?;
            clients.push(Client { stream: Some(stream), partial: Vec::new(), unsent: Vec::new() });
        }
        Ok(Self {
            clients,
            epoll,
            events: Vec::with_capacity(EVENTS_MAX),
            buffer: vec![0; READ_BYTES],
            bytes: 0,
            pings: 0,
            lost: 0,
        })
    }

    /// Reads until all clients together have heard so many texts, and gives
    /// `text` the payload of each.
    pub(crate) fn hear(&mut self, count: usize, mut text: impl FnMut(&[u8])) -> Outcome {
        let (mut heard, mut ready) = (0, Vec::new());
        let mut last = Instant::now();
        while heard < count {
            self.wait(Duration::from_millis(100), &mut ready)?;
            for &index in &ready {
                heard += self.read(index, &mut text)?;
            }
            if !ready.is_empty() {
                last = Instant::now();
            } else if last.elapsed() > SILENCE {
                return Err(format!("{heard} texts came, and {count} were awaited").into());
            }
        }
        Ok(())
    }

    /// How many clients were connected at first.
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Bytes of frames that were read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Pings that the server has sent so far.
    pub(crate) fn pings(&self) -> usize {
        self.pings
    }

    /// Clients that the server has closed or reset so far.
    pub(crate) fn lost(&self) -> usize {
        self.lost
    }

    /// Waits until something can be read, for `patience` at most, and replaces
    /// `ready` by the clients to be [read](Self::read).
    ///
    /// Epoll counts in milliseconds and rounds up. Whoever needs better asks
    /// with a patience of zero and spins.
    pub(crate) fn wait(&mut self, patience: Duration, ready: &mut Vec<usize>) -> Outcome {
        ready.clear();
        let patience = patience.try_into()?;
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            let (flags, index) = (event.flags, usize::try_from(event.data.u64())?);
            if flags.contains(EventFlags::OUT) {
                self.flush(index)?;
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                ready.push(index);
            }
        }
        self.events = events;
        Ok(())
    }

    /// Reads once from a client, gives `text` the payload of each text frame
    /// that is now complete, and returns how many there were.
    #[inline]
    pub(crate) fn read(&mut self, index: usize, mut text: impl FnMut(&[u8])) -> Outcome<usize> {
        let Some(filled) = self.fill(index)? else {
            return Ok(0);
        };
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = &buffer[..filled];
        let mut texts = 0;
        while let Some((first, payload, after)) = frames::split_frame(rest) {
            if first == TEXT {
                texts += 1;
                text(payload);
            } else {
                self.answer(index, first, payload)?;
            }
            rest = after;
        }
        let partial = &mut self.clients[index].partial;
        partial.clear();
        partial.extend_from_slice(rest);
        self.buffer = buffer;
        Ok(texts)
    }

    /// Sends whole frames; what the socket does not take now follows later,
    /// during a [`wait`](Self::wait).
    pub(crate) fn send(&mut self, index: usize, frames: &[u8]) -> Outcome {
        let client = &mut self.clients[index];
        if !client.unsent.is_empty() {
            client.unsent.extend_from_slice(frames);
            return Ok(());
        }
        let Some(stream) = &mut client.stream else {
            return Ok(());
        };
        let sent = progress(stream.write(frames))?;
        match sent {
            Some(sent) if sent == frames.len() => {}
            Some(sent) => {
                client.unsent.extend_from_slice(&frames[sent..]);
                self.watch(index, EventFlags::IN | EventFlags::OUT)?;
            }
            None => self.lose(index),
        }
        Ok(())
    }

    /// Puts the partial frame and one read into the buffer; how many bytes
    /// that makes, or `None` if the client is gone or nothing came.
    fn fill(&mut self, index: usize) -> Outcome<Option<usize>> {
        let client = &mut self.clients[index];
        let Some(stream) = &mut client.stream else {
            return Ok(None);
        };
        let kept = client.partial.len();
        self.buffer[..kept].copy_from_slice(&client.partial);
        match stream.read(&mut self.buffer[kept..]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            outcome => match progress(outcome)? {
                Some(read) if read > 0 => {
                    self.bytes += read as u64;
                    Ok(Some(kept + read))
                }
                _ => {
                    self.lose(index);
                    Ok(None)
                }
            },
        }
    }

    /// Deals with a frame that is not a text.
    #[cold]
    fn answer(&mut self, index: usize, first: u8, payload: &[u8]) -> Outcome {
        match first {
            PING => {
                self.pings += 1;
                self.send(index, &frames::masked_pong(payload))
            }
            CLOSE => {
                self.lose(index);
                Ok(())
            }
            _ => Err(format!("the server sent a frame that begins with {first:#04x}").into()),
        }
    }

    fn flush(&mut self, index: usize) -> Outcome {
        let client = &mut self.clients[index];
        let Some(stream) = &mut client.stream else {
            return Ok(());
        };
        match progress(stream.write(&client.unsent))? {
            Some(sent) => drop(client.unsent.drain(..sent)),
            None => self.lose(index),
        }
        if self.clients[index].unsent.is_empty() {
            self.watch(index, EventFlags::IN)?;
        }
        Ok(())
    }

    fn watch(&self, index: usize, interest: EventFlags) -> Outcome {
        if let Some(stream) = &self.clients[index].stream {
            let data = EventData::new_u64(index as u64);
            epoll::modify(&self.epoll, stream, data, interest)?;
        }
        Ok(())
    }

    /// Forgets a client; closing the socket takes it out of epoll too.
    fn lose(&mut self, index: usize) {
        self.clients[index].stream = None;
        self.clients[index].unsent.clear();
        self.lost += 1;
    }
}

/// Bytes moved, where "not now" is zero and a peer that is gone is `None`.
fn progress(outcome: io::Result<usize>) -> io::Result<Option<usize>> {
    match outcome {
        Ok(moved) => Ok(Some(moved)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(Some(0)),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(None),
            _ => Err(error),
        },
    }
}
