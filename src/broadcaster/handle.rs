//! The handle with which other threads reach a running server.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::Broadcaster;
use super::bans::Bans;
use super::calls::{Client, Counts, Room};
use super::event::{EventSink, Events};
use super::inbox::Input;
use crate::chat::{ClientId, Network, Nickname, NicknameTaken, RoomName, Text, TooLong};
use crate::net::addresses::reachable_addresses;
use crate::net::adopt::{AdoptError, Adopted};
use crate::protocol::close_code;

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
    pub(crate) page_addresses: Arc<[SocketAddr]>,
    pub(crate) websocket_addresses: Arc<[SocketAddr]>,
    pub(crate) clients_max: usize,
    pub(crate) text_bytes_max: usize,
    pub(crate) inbox: Sender<Input>,
    pub(crate) adopted: Sender<Adopted>,
    pub(crate) bans: Arc<Bans>,
    /// Whether anything has ever subscribed to events.
    pub(crate) has_listener: Arc<AtomicBool>,
    /// Holds one request to stop. A second has no further effect.
    pub(crate) stop: Sender<()>,
    /// Disconnected when the broadcaster has ended. Nothing is ever sent.
    pub(crate) ended: Receiver<Infallible>,
}

/// The server has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server has stopped")]
pub struct Stopped;

/// The reason why a call of a [`Handle`] fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
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
    /// The client cannot be in one more room, or the chat cannot have one more room. Has the reason
    /// as a sentence.
    #[error("{0}")]
    NoRoom(String),
    /// No close code for a connection that the embedder closes.
    #[error("{0} is no close code for this: 1000, and 3000 to 4999 are")]
    CloseCode(u16),
}

impl From<Stopped> for CallError {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<NicknameTaken> for CallError {
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
        self.has_listener.store(true, Ordering::Relaxed);
        match self.ask(move |it| it.subscribe(sink)) {
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
    pub fn say(&self, room: &RoomName, nickname: &Nickname, text: &str) -> Result<(), CallError> {
        let text = self.text(text)?;
        let (room, nickname) = (room.clone(), nickname.clone());
        Ok(self.ask(move |it| it.change(|chat, turn| chat.post(&room, nickname, text, turn)))??)
    }

    /// Reserves a nickname: from now on no client can take it, or one that looks the same. The 1,000
    /// nicknames that were reserved or used last stay reserved. Nicknames that the server gives
    /// (`user-123`) are never reserved. Reserving a nickname again is allowed.
    ///
    /// # Errors
    /// If a client has the nickname already, and if the server has stopped.
    pub fn reserve(&self, nickname: &Nickname) -> Result<(), CallError> {
        let nickname = nickname.clone();
        Ok(self.ask(move |it| it.chat.reserve_for_embedder(&nickname))??)
    }

    /// Makes the embedder a member of a room under this nickname, which is reserved as
    /// [`Handle::reserve`] does. Users see the member in their lists, and can send it private
    /// messages, which are [`Event::Private`](crate::Event::Private). It counts as a user for
    /// [`Config::clients_max`](crate::Config::clients_max). [`Handle::say`] needs no membership.
    ///
    /// ```
    /// # use chinwag::{Config, Nickname, RoomName, Server};
    /// # let config = Config::default().bind([std::net::Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
    /// # let running = Server::bind(&config)?.start()?;
    /// # let handle = running.handle();
    /// let (bot, lobby) = (Nickname::parse("bot")?, RoomName::lobby());
    /// handle.enter(&bot, &lobby)?;
    /// assert_eq!(handle.rooms()?[0].members, [bot.clone()]);
    /// assert!(handle.leave(&bot, &lobby)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a client has the nickname, and if the server has stopped.
    pub fn enter(&self, nickname: &Nickname, room: &RoomName) -> Result<(), CallError> {
        let (nickname, room) = (nickname.clone(), room.clone());
        Ok(self.ask(move |it| {
            it.change(|chat, turn| chat.enter_for_embedder(&nickname, &room, turn))
        })??)
    }

    /// Makes a member that entered with [`Handle::enter`] leave a room. The nickname stays reserved.
    /// Returns whether it was a member.
    ///
    /// # Errors
    /// If the server has stopped.
    pub fn leave(&self, nickname: &Nickname, room: &RoomName) -> Result<bool, Stopped> {
        let (nickname, room) = (nickname.clone(), room.clone());
        self.ask(move |it| it.change(|chat, turn| chat.leave_for_embedder(&nickname, &room, turn)))
    }

    /// Sends a private message to one client, and reserves the nickname as [`Handle::reserve`] does.
    /// A plain client gets it as a line, like a message in its room. Returns whether the client is
    /// connected and has a nickname.
    ///
    /// # Errors
    /// If the text is longer than clients may send, if a client has the nickname, and if the server
    /// has stopped.
    pub fn tell(
        &self,
        client: ClientId,
        nickname: &Nickname,
        text: &str,
    ) -> Result<bool, CallError> {
        let (text, nickname) = (self.text(text)?, nickname.clone());
        Ok(self.ask(move |it| {
            it.change(|chat, turn| chat.tell_for_embedder(client, nickname, text, turn))
        })??)
    }

    /// Sends a notice of the server to one client. It is never kept. Returns whether the client gets
    /// it: a plain client does not, because its dialect has no notices.
    ///
    /// # Errors
    /// If the text is longer than clients may send, and if the server has stopped.
    pub fn notify(&self, client: ClientId, text: &str) -> Result<bool, CallError> {
        let text = self.text(text)?;
        Ok(self.ask(move |it| it.change(|chat, turn| chat.notify(client, text, turn)))?)
    }

    /// Sends a notice of the server to all JSON clients in a room, or to all of the server. It is
    /// never kept. [`Handle::say`] also reaches plain clients.
    ///
    /// # Errors
    /// If the text is longer than clients may send, and if the server has stopped.
    pub fn announce(&self, room: Option<&RoomName>, text: &str) -> Result<(), CallError> {
        let (text, room) = (self.text(text)?, room.cloned());
        Ok(self.ask(move |it| it.change(|chat, turn| chat.announce(room.as_ref(), text, turn)))?)
    }

    /// Sets the message of the day: a notice that each JSON client gets when it has said hello.
    /// `None`, the default, is no message.
    ///
    /// # Errors
    /// If the text is longer than clients may send, and if the server has stopped.
    pub fn set_motd(&self, motd: Option<&str>) -> Result<(), CallError> {
        let motd = motd.map(|motd| self.text(motd)).transpose()?;
        Ok(self.ask(move |it| it.set_motd(motd))?)
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
        self.ask(move |it| it.close(client, close_code::KICKED, reason))
    }

    /// Closes the connection of a client as [`Handle::kick`] does, with this code: 1000, or 3000 to
    /// 4999 (RFC 6455, section 7.4.2). PROTOCOL.md lists the codes that mean something to the page.
    ///
    /// # Errors
    /// If the code is another, and if the server has stopped.
    pub fn close(&self, client: ClientId, code: u16, reason: &str) -> Result<bool, CallError> {
        if !matches!(code, 1000 | 3000..=4999) {
            return Err(CallError::CloseCode(code));
        }
        let reason = reason.to_owned();
        Ok(self.ask(move |it| it.close(client, code, reason))?)
    }

    /// Refuses the texts of a user for a time, over all of its connections. A JSON client gets the
    /// error `muted`. Those of a plain client are dropped, because its dialect has no errors. Returns
    /// whether the client is connected and has a nickname.
    ///
    /// # Errors
    /// If the server has stopped.
    pub fn mute(&self, client: ClientId, time: Duration) -> Result<bool, Stopped> {
        self.ask(move |it| it.mute(client, time))
    }

    /// Ends what [`Handle::mute`] began. Returns whether the client is connected and has a nickname.
    ///
    /// # Errors
    /// If the server has stopped.
    pub fn unmute(&self, client: ClientId) -> Result<bool, Stopped> {
        self.ask(move |it| it.unmute(client))
    }

    /// Bans an address for a time, or with `None` until the server ends. Its clients are closed with
    /// code 4009, and its handshakes are refused with the status 403. The addresses of one /64
    /// network of IPv6 count as one. Of more than 10,000 bans, those that end first are lifted.
    ///
    /// ```
    /// # use chinwag::{Config, Server};
    /// # let config = Config::default().bind([std::net::Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
    /// # let running = Server::bind(&config)?.start()?;
    /// # let handle = running.handle();
    /// let address = "192.0.2.7".parse()?;
    /// handle.ban(address, Some(std::time::Duration::from_secs(600)))?;
    /// assert_eq!(handle.bans()[0].0, address);
    /// assert!(handle.unban(address));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the server has stopped.
    pub fn ban(&self, address: IpAddr, time: Option<Duration>) -> Result<(), Stopped> {
        // A time that the clock cannot add lasts as long as the server.
        self.bans.add(address, time.and_then(|time| Instant::now().checked_add(time)));
        self.ask(move |it| it.close_network(Network::of(address), "banned"))
    }

    /// Lifts a ban. Returns whether the address was banned.
    pub fn unban(&self, address: IpAddr) -> bool {
        self.bans.remove(address)
    }

    /// Returns the banned addresses, and how long each ban still lasts; `None` until the server ends.
    pub fn bans(&self) -> Vec<(IpAddr, Option<Duration>)> {
        self.bans.list()
    }

    /// Changes the nickname of a client, also one that an
    /// [`Admission`](crate::Admission) gave. Returns whether the client is connected and has a
    /// nickname.
    ///
    /// # Errors
    /// If another user has the nickname or it is reserved, and if the server has stopped.
    pub fn rename(&self, client: ClientId, to: &Nickname) -> Result<bool, CallError> {
        let to = to.clone();
        match self.ask(move |it| it.change(|chat, turn| chat.rename_client(client, to, turn)))? {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(_)) => Err(CallError::NicknameTaken),
        }
    }

    /// Makes a client join a room, without the [`Hooks::join`](crate::Hooks::join) of the embedder.
    /// A plain client, which is in one room, moves there. Returns whether the client is connected and
    /// has a nickname.
    ///
    /// # Errors
    /// If the client is in 16 rooms already or there are too many rooms, and if the server has
    /// stopped.
    pub fn join(&self, client: ClientId, room: &RoomName) -> Result<bool, CallError> {
        let room = room.clone();
        let joined =
            self.ask(move |it| it.change(|chat, turn| chat.move_in(client, &room, turn)))?;
        let Some(joined) = joined else { return Ok(false) };
        joined.map_err(|error| CallError::NoRoom(error.to_string()))?;
        Ok(true)
    }

    /// Makes a client leave a room. A plain client is in no room then, and its texts go nowhere.
    /// Returns whether it was there.
    ///
    /// # Errors
    /// If the server has stopped.
    pub fn part(&self, client: ClientId, room: &RoomName) -> Result<bool, Stopped> {
        let room = room.clone();
        self.ask(move |it| it.change(|chat, turn| chat.move_out(client, &room, turn)))
    }

    /// Returns the rooms that have members or messages, by name. A user whose connection broke is a
    /// member until the grace is over ([`Limits::grace`](crate::Limits::grace)).
    ///
    /// # Errors
    /// If the server has stopped.
    pub fn rooms(&self) -> Result<Vec<Room>, Stopped> {
        self.ask(|it| it.rooms())
    }

    /// Returns the connected clients, in the order of their arrival.
    ///
    /// # Errors
    /// If the server has stopped.
    pub fn clients(&self) -> Result<Vec<Client>, Stopped> {
        self.ask(|it| it.clients())
    }

    /// Returns numbers about the server.
    ///
    /// # Errors
    /// If the server has stopped.
    pub fn counts(&self) -> Result<Counts, Stopped> {
        self.ask(|it| it.counts())
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
        self.adopted.try_send(adopted).map_err(AdoptError::of)
    }

    fn text(&self, text: &str) -> Result<Text, TooLong> {
        Text::parse(text, self.text_bytes_max)
    }

    /// Has the broadcaster carry out a call, and waits for the result.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Broadcaster) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        // Sending the answer fails only if the thread that asked has stopped waiting.
        self.ask_later(move |broadcaster, answer| drop(answer.try_send(call(broadcaster))))
    }

    /// Has the broadcaster carry out a call, and waits for an answer, which may come from another
    /// thread. The broadcaster never waits, so its own part takes a few turns at most. A call that
    /// comes in its last turn stays in the inbox, and gets no answer.
    pub(super) fn ask_later<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Broadcaster, Sender<T>) + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, answered) = bounded(1);
        let call = move |broadcaster: &mut Broadcaster| call(broadcaster, answer);
        self.inbox.send(Input::Call(Box::new(call))).map_err(|_| Stopped)?;
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
    use super::super::event::NoEvent;
    use super::*;
    use crate::broadcaster::broadcast;
    use crate::chat::Rules;
    use crate::limits::Limits;

    fn handle(inbox: Sender<Input>, ended: Receiver<Infallible>) -> Handle {
        let none: Arc<[SocketAddr]> = Arc::default();
        Handle {
            page_addresses: none.clone(),
            websocket_addresses: none,
            clients_max: 1,
            text_bytes_max: 1,
            inbox,
            adopted: bounded(0).0,
            bans: Arc::default(),
            has_listener: Arc::default(),
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
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let inbox = inbox.clone();
                // Ends with the receiver of the inbox.
                scope.spawn(move || while inbox.send(Input::Stop).is_ok() {});
            }
            let quota = Rules::simple().quota;
            let answers = inbox.clone();
            scope.spawn(move || broadcast(inputs, answers, &Limits::default(), quota, None));
            let answers: Vec<_> = (0..TIMES).map(|_| handle.rooms()).collect();
            inbox.send(Input::End).unwrap();
            assert!(answers.iter().all(|rooms| *rooms == Ok(Vec::new())));
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
