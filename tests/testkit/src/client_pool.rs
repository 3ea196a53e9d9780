//! Many clients on one thread with one epoll.
//!
//! A pool connects, sends whole frames, hands each text frame to the caller, and answers pings. It
//! knows nothing of rates, rounds or clocks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

use crate::frames::{self, CLOSE, PING, TEXT};
use crate::{Dialect, LOBBY, Outcome, handshake};

/// Maximum size of a read (bytes). Large enough to empty a busy client in one call, small enough
/// for the bytes to be in the cache when the frames are counted.
const READ_BYTES: usize = 256 << 10;
/// Maximum number of ready sockets that one call of epoll reports.
const EVENTS_MAX: usize = 1024;
/// How long a pool waits without receiving a byte.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Many connected clients.
pub struct ClientPool {
    clients: Vec<Client>,
    epoll: OwnedFd,
    events: Vec<Event>,
    /// Shared by the clients, which are read one at a time.
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
    /// Bytes that the socket did not take.
    unsent: Vec<u8>,
}

impl ClientPool {
    /// Connects `size` clients that are in the lobby. When it returns, nothing is on its way to any
    /// of them.
    pub fn connect(address: SocketAddr, size: usize, dialect: Dialect) -> Outcome<Self> {
        Self::connect_to(address, size, dialect, &[LOBBY.to_owned()])
    }

    /// Connects clients that join these rooms in turn.
    pub fn connect_to(
        address: SocketAddr,
        size: usize,
        dialect: Dialect,
        rooms: &[String],
    ) -> Outcome<Self> {
        let mut pool = Self::connect_silent(address, size, dialect, rooms)?;
        for index in 0..size {
            pool.send(index, &dialect.greeting(&rooms[index % rooms.len()]))?;
        }
        let members = |room| (size + rooms.len() - 1 - room) / rooms.len();
        let answers = (0..rooms.len()).map(|room| dialect.greeting_answers(members(room))).sum();
        pool.receive(answers, |_| {})?;
        Ok(pool)
    }

    /// Connects `size` clients that have sent nothing since their handshake.
    pub fn connect_silent(
        address: SocketAddr,
        size: usize,
        dialect: Dialect,
        rooms: &[String],
    ) -> Outcome<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut clients = Vec::with_capacity(size);
        let target = |index: usize| dialect.target(&rooms[index % rooms.len()]);
        for stream in handshake::connect_all(address, size, dialect, target)? {
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

    /// Reads until all clients together have received `count` texts. Calls `text` with each payload.
    pub fn receive(&mut self, count: usize, mut text: impl FnMut(&[u8])) -> Outcome {
        let (mut received, mut ready) = (0, Vec::new());
        let mut last = Instant::now();
        while received < count {
            self.wait(Duration::from_millis(100), &mut ready)?;
            for &index in &ready {
                received += self.read(index, &mut text)?;
            }
            if !ready.is_empty() {
                last = Instant::now();
            } else if last.elapsed() > SILENCE_MAX {
                return Err(format!("{received} of {count} texts came").into());
            }
        }
        Ok(())
    }

    /// Returns how many clients were connected at first.
    pub fn size(&self) -> usize {
        self.clients.len()
    }

    /// Returns how many bytes of frames have been read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns how many pings the server has sent.
    pub fn pings(&self) -> usize {
        self.pings
    }

    /// Returns how many clients the server has closed or reset.
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// Waits for `timeout` at most until a client can be [read](Self::read), and replaces `ready` by
    /// the clients that can.
    ///
    /// Epoll counts in milliseconds and rounds up. A caller that needs better spins with a timeout
    /// of zero.
    pub fn wait(&mut self, timeout: Duration, ready: &mut Vec<usize>) -> Outcome {
        ready.clear();
        let timeout = timeout.try_into()?;
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
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

    /// Reads once from a client. Calls `text` with the payload of each text frame that is complete,
    /// and returns how many there were.
    #[inline]
    pub fn read(&mut self, index: usize, mut text: impl FnMut(&[u8])) -> Outcome<usize> {
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

    /// Sends whole frames. Bytes that the socket does not take follow during a
    /// [`wait`](Self::wait).
    pub fn send(&mut self, index: usize, frames: &[u8]) -> Outcome {
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

    /// Puts the partial frame and one read into the buffer. Returns the number of bytes, or `None`
    /// if the client is gone or has nothing to read.
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

    /// Handles a frame that is not a text.
    #[cold]
    fn answer(&mut self, index: usize, first: u8, payload: &[u8]) -> Outcome {
        match first {
            PING => {
                self.pings += 1;
                self.send(index, &frames::zero_masked_pong(payload))
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

    /// Drops a client. Closing the socket also removes it from epoll.
    fn lose(&mut self, index: usize) {
        self.clients[index].stream = None;
        self.clients[index].unsent.clear();
        self.lost += 1;
    }
}

/// Returns the number of bytes moved: zero if the socket is not ready, `None` if the peer is gone.
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
