//! The way to a running server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::broadcaster::Input;
use crate::chat::{Listing, Nickname, RoomName, Text, TooLong};
use crate::event::{Event, Watcher};
use crate::reach::reachable;

/// The way to a server from any thread. Clones lead to the same server.
#[derive(Clone, Debug)]
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

/// Why something could not be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SayError {
    /// Nobody would hear it any more.
    #[error("the server has stopped")]
    Stopped,
    /// It is longer than clients may say.
    #[error(transparent)]
    TooLong(#[from] TooLong),
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
        reachable(&self.page_addresses)
    }

    /// The addresses at which people reach the WebSocket port just now, in the same order.
    pub fn reachable_websocket_addresses(&self) -> Vec<SocketAddr> {
        reachable(&self.websocket_addresses)
    }

    /// The most clients at once.
    pub fn clients_max(&self) -> usize {
        self.clients_max
    }

    /// What happens to clients, from now on: or from the beginning, when asked for before the
    /// server is started. At most `capacity` events wait; more are lost, and counted in an
    /// [`Event::Lost`].
    ///
    /// After the server has ended the receiver is disconnected.
    pub fn events(&self, capacity: usize) -> Receiver<Event> {
        let (watcher, events) = Watcher::new(capacity);
        // Without a broadcaster the watcher is dropped here, and the receiver disconnected.
        let _ = self.inbox.send(Input::Watched(watcher));
        events
    }

    /// Says something in a room, under any nickname. It is no event.
    ///
    /// # Errors
    /// When the text is longer than clients may say, and when the server has stopped.
    pub fn say(&self, room: &RoomName, nickname: &Nickname, text: &str) -> Result<(), SayError> {
        let text = Text::parse(text, self.text_bytes_max)?;
        let announced = Input::Announced { room: room.clone(), nickname: nickname.clone(), text };
        self.inbox.send(announced).map_err(|_| SayError::Stopped)
    }

    /// The rooms that have somebody in them or something to read, by name: each with the nicknames
    /// of those in it, in the order in which they came. Waits for a server that does not run yet;
    /// empty when it has stopped.
    pub fn rooms(&self) -> Vec<(RoomName, Vec<Nickname>)> {
        let (answer, rooms) = bounded(1);
        if self.inbox.try_send(Input::Listed(answer)).is_err() {
            return Vec::new();
        }
        let rooms: Vec<_> = rooms.recv().unwrap_or_default();
        rooms.into_iter().map(|(listing, members): (Listing, _)| (listing.room, members)).collect()
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
