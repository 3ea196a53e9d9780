//! The way to a running server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::broadcaster::event::{Event, EventSink};
use crate::broadcaster::inbox::Input;
use crate::chat::{Nickname, NicknameTaken, RoomName, Text, TooLong};
use crate::net::addresses::reachable_addresses;

/// The way to a server from any thread. Clones lead to the same server.
///
/// A server that was started with [`Server::start`] stops when its last handle is dropped. The
/// drop does not wait for the end; [`Handle::stop`] does.
///
/// Most calls wait for the thread of the chat. That thread logs, too: a logger that makes such calls
/// would wait for itself.
///
/// [`Server::start`]: crate::Server::start
#[derive(Clone, Debug)]
#[must_use = "a started server stops when its last handle is dropped"]
pub struct Handle {
    pub(super) page_addresses: Arc<[SocketAddr]>,
    pub(super) websocket_addresses: Arc<[SocketAddr]>,
    pub(super) clients_max: usize,
    pub(super) text_bytes_max: usize,
    pub(super) inbox: Sender<Input>,
    /// Holds one request to stop; a second says nothing new.
    pub(super) stop: Sender<()>,
    /// Nothing is ever sent: it is disconnected when the server has ended.
    pub(super) ended: Receiver<Infallible>,
}

/// The server has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server has stopped")]
pub struct Stopped;

/// Why [`Handle::say`] or [`Handle::reserve`] refuses.
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
    /// The text is longer than clients may say.
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
    /// The addresses on which the page port listens.
    pub fn page_addresses(&self) -> &[SocketAddr] {
        &self.page_addresses
    }

    /// The addresses on which the WebSocket port listens.
    pub fn websocket_addresses(&self) -> &[SocketAddr] {
        &self.websocket_addresses
    }

    /// The addresses at which people reach the page port just now, those for other machines first.
    /// Where it listens on every interface, that is one for each interface that is up.
    pub fn reachable_page_addresses(&self) -> Vec<SocketAddr> {
        reachable_addresses(&self.page_addresses)
    }

    /// The addresses at which people reach the WebSocket port just now, in the same order.
    pub fn reachable_websocket_addresses(&self) -> Vec<SocketAddr> {
        reachable_addresses(&self.websocket_addresses)
    }

    /// The most clients at once.
    pub fn clients_max(&self) -> usize {
        self.clients_max
    }

    /// What happens to clients, from now on: or from the beginning, when asked for before the
    /// server is started. At most `capacity` events wait; more are lost, and counted in an
    /// [`Event::Lost`].
    ///
    /// After the server has ended the receiver is disconnected. It does not keep the server up.
    pub fn events(&self, capacity: usize) -> Receiver<Event> {
        let (watcher, events) = EventSink::new(capacity);
        // Without a broadcaster the watcher is dropped here, and the receiver disconnected.
        let _ = self.inbox.send(Input::Subscribe(watcher));
        events
    }

    /// Says something in a room, and reserves the nickname as [`Handle::reserve`] does. Returns
    /// when the chat has taken it, which is within some milliseconds, also before the start. The
    /// message is held for those who come later, as any other is, also in a room that no client
    /// has joined yet. It is no event.
    ///
    /// ```
    /// # use chinwag::{Config, Nickname, RoomName, Server};
    /// # let bind = vec![std::net::Ipv4Addr::LOCALHOST.into()];
    /// # let config = Config { bind, page_port: 0, websocket_port: 0, ..Config::default() };
    /// let server = Server::bind(&config)?;
    /// let clock = Nickname::parse("clock")?;
    /// server.handle().say(&RoomName::lobby(), &clock, "good morning")?;
    /// // The first client that comes reads it.
    /// let handle = server.start()?;
    /// # handle.stop();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the text is longer than clients may say, when a client has the nickname, and when the
    /// server has stopped. Nothing is said then.
    pub fn say(&self, room: &RoomName, nickname: &Nickname, text: &str) -> Result<(), SayError> {
        let text = Text::parse(text, self.text_bytes_max)?;
        let (room, nickname) = (room.clone(), nickname.clone());
        Ok(self.ask(|answer| Input::Post { room, nickname, text, answer })??)
    }

    /// Reserves a nickname: from now on no client can take it, or one that looks the same. The
    /// 1,000 nicknames that were reserved or spoken under last are. Nicknames that the server
    /// itself gives (`user-123`) are never reserved. To reserve a nickname again does no harm.
    ///
    /// # Errors
    /// When a client has the nickname already, and when the server has stopped. Before the start
    /// there is no client.
    pub fn reserve(&self, nickname: &Nickname) -> Result<(), SayError> {
        let nickname = nickname.clone();
        Ok(self.ask(|answer| Input::Reserve { nickname, answer })??)
    }

    /// The rooms that have somebody in them or something to read, by name: each with the nicknames
    /// of those in it, in the order in which they came. A client whose connection broke is among
    /// them until the grace is over ([`Limits::grace`](crate::Limits::grace)).
    ///
    /// # Errors
    /// When the server has stopped.
    pub fn rooms(&self) -> Result<Vec<(RoomName, Vec<Nickname>)>, Stopped> {
        let rooms = self.ask(Input::ListRooms)?;
        Ok(rooms.into_iter().map(|(listing, members)| (listing.room, members)).collect())
    }

    /// Asks the broadcaster, and waits for the answer. It never waits itself, and so no longer than
    /// a few turns.
    fn ask<T>(&self, question: impl FnOnce(Sender<T>) -> Input) -> Result<T, Stopped> {
        let (answer, answered) = bounded(1);
        self.inbox.send(question(answer)).map_err(|_| Stopped)?;
        answered.recv().map_err(|_| Stopped)
    }

    /// Stops the server: everybody is told with close code 1001, and every thread ends. Returns
    /// when that is done, within some three seconds. (The idle threads of tiny_http's pool, which
    /// cannot be told, end by themselves within 5 s more. They hold no descriptor.) To stop it again does nothing. A server that
    /// neither runs nor is dropped cannot end: not to be called between [`Server::bind`] and
    /// [`Server::run`] by the thread that is to run it.
    ///
    /// [`Server::bind`]: crate::Server::bind
    /// [`Server::run`]: crate::Server::run
    pub fn stop(&self) {
        let _ = self.stop.try_send(());
        self.wait();
    }

    /// Waits until the server has ended.
    pub fn wait(&self) {
        let _ = self.ended.recv();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Listing;

    fn handle(inbox: Sender<Input>) -> Handle {
        let none: Arc<[SocketAddr]> = Arc::default();
        Handle {
            page_addresses: none.clone(),
            websocket_addresses: none,
            clients_max: 1,
            text_bytes_max: 1,
            inbox,
            stop: bounded(1).0,
            ended: bounded(0).1,
        }
    }

    #[test]
    fn a_full_inbox_is_waited_for() {
        const TIMES: usize = 200;
        let (inbox, waiting) = bounded(1);
        let handle = handle(inbox.clone());
        let listing = || Listing { room: RoomName::lobby(), members: 0, seq: 1 };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                // Ends when the broadcaster has.
                scope.spawn(|| while inbox.send(Input::Stop).is_ok() {});
            }
            scope.spawn(move || {
                for input in waiting {
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
                assert_eq!(rooms, Ok(vec![(RoomName::lobby(), Vec::new())]));
            }
        });
    }
}
