//! The handle with which other threads reach a running server.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::adopt::{AdoptError, Adopted};
use crate::broadcaster::event::{EventSink, Events};
use crate::broadcaster::inbox::Input;
use crate::chat::{ClientId, Nickname, NicknameTaken, RoomName, Text, TooLong};
use crate::net::addresses::reachable_addresses;

/// A handle to a running server, for any thread. Clones are handles to the same server. A handle does
/// not keep the server running: after its end the calls return [`Stopped`].
///
/// Most calls wait for the thread of the chat, which takes some milliseconds. That thread also logs:
/// a logger that makes such calls would wait for itself.
///
/// ```
/// # use chinwag::{Config, Nickname, RoomName, Server};
/// # let config = Config::default().bind([std::net::Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
/// let running = Server::bind(&config)?.start()?;
/// let handle = running.handle();
/// let clock = Nickname::parse("clock")?;
/// std::thread::spawn(move || handle.say(&RoomName::lobby(), &clock, "ten to two"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) page_addresses: Arc<[SocketAddr]>,
    pub(super) websocket_addresses: Arc<[SocketAddr]>,
    pub(super) clients_max: usize,
    pub(super) text_bytes_max: usize,
    pub(super) inbox: Sender<Input>,
    pub(super) adopted: Sender<Adopted>,
    /// Holds one request to stop. A second has no further effect.
    pub(super) stop: Sender<()>,
    /// Disconnected when the broadcaster has ended. Nothing is ever sent.
    pub(super) ended: Receiver<Infallible>,
}

/// A room, as [`Handle::rooms`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// The name of the room.
    pub name: RoomName,
    /// The nicknames of its members, in the order of their arrival.
    pub members: Vec<Nickname>,
}

/// The server has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server has stopped")]
pub struct Stopped;

/// The reason why [`Handle::say`] or [`Handle::reserve`] fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SayError {
    /// The server has stopped.
    #[error("the server has stopped")]
    Stopped,
    /// A client has the nickname, or one that looks the same. Choose another, or reserve it before
    /// the start.
    #[error("a client has this nickname, or one that looks the same")]
    NicknameTaken,
    /// The text is longer than clients may send.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

impl From<Stopped> for SayError {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<NicknameTaken> for SayError {
    fn from(NicknameTaken: NicknameTaken) -> Self {
        Self::NicknameTaken
    }
}

impl Handle {
    /// Returns the addresses of the page port.
    pub fn page_addresses(&self) -> &[SocketAddr] {
        &self.page_addresses
    }

    /// Returns the addresses of the WebSocket port.
    pub fn websocket_addresses(&self) -> &[SocketAddr] {
        &self.websocket_addresses
    }

    /// Returns the addresses at which users reach the page port at this moment, those for other
    /// machines first. If it listens on every interface, this is one for each interface that is up.
    pub fn reachable_page_addresses(&self) -> Vec<SocketAddr> {
        reachable_addresses(&self.page_addresses)
    }

    /// Returns the addresses at which users reach the WebSocket port at this moment, in the same
    /// order.
    pub fn reachable_websocket_addresses(&self) -> Vec<SocketAddr> {
        reachable_addresses(&self.websocket_addresses)
    }

    /// Returns the maximum number of clients.
    pub fn clients_max(&self) -> usize {
        self.clients_max
    }

    /// Subscribes to all events from now on. `capacity` is the maximum number of events that wait to
    /// be received, and at least 2: further ones are lost, and counted in an
    /// [`Event::Lost`](crate::Event::Lost). Memory for all of them is taken at once. Private messages
    /// are no events. If the server has stopped, there are none.
    pub fn events(&self, capacity: usize) -> Events {
        let (sink, events) = EventSink::new(capacity);
        match self.ask(|answer| Input::Subscribe { sink, answer }) {
            Ok(()) => events,
            // Without a sink they have ended.
            Err(Stopped) => EventSink::new(capacity).1,
        }
    }

    /// Sends a message to a room, and reserves the nickname as [`Handle::reserve`] does. Returns
    /// when the chat has taken the message. It is held for clients that join later, like any other,
    /// even in a room that no client has joined yet. It is not reported as an event.
    ///
    /// ```
    /// # use chinwag::{Config, Nickname, RoomName, Server};
    /// # let config = Config::default().bind([std::net::Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
    /// # let running = Server::bind(&config)?.start()?;
    /// let clock = Nickname::parse("clock")?;
    /// running.handle().say(&RoomName::lobby(), &clock, "good morning")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the text is longer than clients may send, if a client has the nickname, and if the server
    /// has stopped. The message is not sent then.
    pub fn say(&self, room: &RoomName, nickname: &Nickname, text: &str) -> Result<(), SayError> {
        let text = Text::parse(text, self.text_bytes_max)?;
        let (room, nickname) = (room.clone(), nickname.clone());
        Ok(self.ask(|answer| Input::Post { room, nickname, text, answer })??)
    }

    /// Reserves a nickname: from now on no client can take it, or one that looks the same. The 1,000
    /// nicknames that were reserved or used last stay reserved. Nicknames that the server gives
    /// (`user-123`) are never reserved. Reserving a nickname again is allowed.
    ///
    /// # Errors
    /// If a client has the nickname already, and if the server has stopped.
    pub fn reserve(&self, nickname: &Nickname) -> Result<(), SayError> {
        let nickname = nickname.clone();
        Ok(self.ask(|answer| Input::Reserve { nickname, answer })??)
    }

    /// Closes the connection of a client with code 4009 and this reason (at most 123 bytes are sent),
    /// after everything that was sent to it before. Returns whether the client was connected. The
    /// user leaves all rooms, and may connect again; the page does so only if it is reloaded.
    ///
    /// ```
    /// use chinwag::{Event, Handle, Stopped};
    ///
    /// fn moderate(handle: &Handle, event: &Event) -> Result<(), Stopped> {
    ///     if let Event::Message { client, text, .. } = event {
    ///         if text.contains("buy now") {
    ///             handle.kick(*client, "no advertisements, please")?;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// If the server has stopped.
    pub fn kick(&self, client: ClientId, reason: &str) -> Result<bool, Stopped> {
        let reason = reason.to_owned();
        self.ask(|answer| Input::Kick { client, reason, answer })
    }

    /// Returns the rooms that have members or messages, by name. A user whose connection broke is a
    /// member until the grace is over ([`Limits::grace`](crate::Limits::grace)).
    ///
    /// # Errors
    /// If the server has stopped.
    pub fn rooms(&self) -> Result<Vec<Room>, Stopped> {
        let rooms = self.ask(Input::ListRooms)?;
        Ok(rooms.into_iter().map(|(it, members)| Room { name: it.room, members }).collect())
    }

    /// Hands over a connection that the embedder has accepted. `read` has the bytes that the embedder
    /// has read from it: all from the first byte of the request on. Returns at once. The server then
    /// treats the connection like one of its own ports: the same limits apply, by the address of the
    /// peer, and it may ask for a WebSocket, a file of the page or an invitation. The server closes
    /// it in the end. If the server is stopping, it is closed without a response.
    ///
    /// ```no_run
    /// # use std::io::Read;
    /// # use std::net::TcpListener;
    /// # use chinwag::{Config, Server};
    /// // An existing HTTP server. The chat has no port of its own.
    /// let listener = TcpListener::bind("127.0.0.1:8000")?;
    /// let config = Config::default().path("/chat".parse()?);
    /// let running = Server::with_listeners(&config, vec![])?.start()?;
    /// for stream in listener.incoming() {
    ///     let mut stream = stream?;
    ///     let mut read = [0; 1024];
    ///     let length = stream.read(&mut read)?;
    ///     if read.starts_with(b"GET /chat") {
    ///         running.handle().adopt(stream, &read[..length])?;
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If too many connections wait to be taken, or the server has stopped.
    pub fn adopt(&self, stream: TcpStream, read: &[u8]) -> Result<(), AdoptError> {
        let adopted = Adopted { stream, read: read.to_vec() };
        Ok(self.adopted.try_send(adopted)?)
    }

    /// Sends a question to the broadcaster, and waits for the answer. The broadcaster never waits, so
    /// this takes a few turns at most. A question that comes in its last turn stays in the inbox,
    /// and gets no answer.
    fn ask<T>(&self, question: impl FnOnce(Sender<T>) -> Input) -> Result<T, Stopped> {
        let (answer, answered) = bounded(1);
        self.inbox.send(question(answer)).map_err(|_| Stopped)?;
        select! {
            recv(answered) -> answer => answer.map_err(|_| Stopped),
            recv(self.ended) -> _ => answered.try_recv().map_err(|_| Stopped),
        }
    }

    /// Asks the server to stop, and returns at once. [`Running::join`](crate::Running::join) waits
    /// for the end.
    pub fn stop(&self) {
        let _ = self.stop.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcaster::event::NoEvent;
    use crate::chat::Listing;

    fn handle(inbox: Sender<Input>, ended: Receiver<Infallible>) -> Handle {
        let none: Arc<[SocketAddr]> = Arc::default();
        Handle {
            page_addresses: none.clone(),
            websocket_addresses: none,
            clients_max: 1,
            text_bytes_max: 1,
            inbox,
            adopted: bounded(0).0,
            stop: bounded(1).0,
            ended,
        }
    }

    #[test]
    fn a_call_waits_for_space_in_a_full_inbox() {
        const TIMES: usize = 200;
        let (inbox, inputs) = bounded(1);
        let (_alive, ended) = bounded(0);
        let handle = handle(inbox.clone(), ended);
        let listing = || Listing { room: RoomName::lobby(), members: 0, seq: 1 };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                // Ends with the receiver of the inbox.
                scope.spawn(|| while inbox.send(Input::Stop).is_ok() {});
            }
            scope.spawn(move || {
                for input in inputs {
                    match input {
                        Input::ListRooms(answer) => {
                            let _ = answer.send(vec![(listing(), Vec::new())]);
                        }
                        Input::End => return,
                        _ => {}
                    }
                }
            });
            let answers: Vec<_> = (0..TIMES).map(|_| handle.rooms()).collect();
            inbox.send(Input::End).unwrap();
            for rooms in answers {
                assert_eq!(rooms, Ok(vec![Room { name: RoomName::lobby(), members: vec![] }]));
            }
        });
    }

    #[test]
    fn a_question_that_is_not_taken_any_more_gets_no_answer() {
        let (inbox, _inputs) = bounded(10);
        let (alive, ended) = bounded(0);
        let handle = handle(inbox, ended);
        drop(alive);
        assert_eq!(handle.rooms(), Err(Stopped));
        assert_eq!(handle.events(1).try_next(), Err(NoEvent::Ended));
    }
}
