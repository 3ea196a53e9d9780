//! The events that an embedder gets: the tutorial's open, message, error and close, and more.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use http::HeaderMap;

use crate::chat::{ClientId, Kind as MessageKind, LeaveReason, Nickname, RoomName};
use crate::protocol::Dialect;

/// Something that happened in the chat.
///
/// Events come in the order in which the chat saw them. The first event of a client is
/// [`Event::Open`], its last is [`Event::Close`]. A client is in no room before [`Event::Joined`].
/// For a plain client it follows at once, unless the chat refuses the client.
///
/// ```
/// use chinwag::Event;
///
/// fn describe(event: &Event) -> Option<String> {
///     match event {
///         Event::Message { nickname, text, .. } => Some(format!("{nickname}: {text}")),
///         Event::Left { nickname, room, .. } => Some(format!("{nickname} left {room}")),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client has connected.
    #[non_exhaustive]
    Open {
        /// The id of the client.
        client: ClientId,
        /// The address that it connected from.
        address: IpAddr,
        /// The dialect that it speaks.
        dialect: Dialect,
        /// The request that opened the connection.
        request: Arc<Request>,
    },
    /// A client has joined a room, or has come back to it after its connection broke.
    #[non_exhaustive]
    Joined {
        /// The id of the client.
        client: ClientId,
        /// Its nickname.
        nickname: Nickname,
        /// The room.
        room: RoomName,
    },
    /// A user is no longer a member of a room. A user whose connection broke is a member until the
    /// grace is over ([`Limits::grace`](crate::Limits::grace)), so this can come after
    /// [`Event::Close`]. It does not come while the server stops.
    #[non_exhaustive]
    Left {
        /// The nickname of the user.
        nickname: Nickname,
        /// The room.
        room: RoomName,
        /// Why it is no longer a member.
        reason: LeaveReason,
    },
    /// The connection of a user broke. The user stays a member of its rooms until it comes back
    /// ([`Event::Back`]) or the grace is over ([`Event::Left`]). Follows [`Event::Close`].
    #[non_exhaustive]
    Away {
        /// The id of the client that the user had.
        client: ClientId,
        /// Its nickname.
        nickname: Nickname,
    },
    /// A user has come back with a new client. [`Event::Joined`] follows for each room.
    #[non_exhaustive]
    Back {
        /// The id of the new client.
        client: ClientId,
        /// Its nickname.
        nickname: Nickname,
    },
    /// A request was refused: the server is full, its origin or its host is not allowed, a hook or a
    /// ban refuses it, or it is malformed. A flood of such requests is reported in part.
    #[non_exhaustive]
    Refused {
        /// The address that it came from.
        address: IpAddr,
        /// The status of the response (RFC 9110, section 15).
        status: u16,
        /// The reason, in a sentence.
        reason: String,
    },
    /// A client has sent a private message to a member of the embedder
    /// ([`Handle::enter`](crate::Handle::enter)). Other private messages are no events.
    #[non_exhaustive]
    Private {
        /// The id of the client.
        client: ClientId,
        /// Its nickname.
        nickname: Nickname,
        /// The member of the embedder.
        to: Nickname,
        /// The text.
        text: String,
    },
    /// A client has changed its nickname, in all of its rooms.
    #[non_exhaustive]
    Renamed {
        /// The id of the client.
        client: ClientId,
        /// Its nickname until now.
        from: Nickname,
        /// Its nickname from now on.
        to: Nickname,
    },
    /// A client has sent a message to a room.
    #[non_exhaustive]
    Message {
        /// The id of the client.
        client: ClientId,
        /// Its nickname.
        nickname: Nickname,
        /// The room.
        room: RoomName,
        /// The number of the message in its room. Numbers only grow. Those of new messages have no
        /// gaps; an imported history may have some.
        seq: u64,
        /// When the server took the message.
        time: SystemTime,
        /// The id that a JSON client gave to the message. `None` for a plain client.
        id: Option<String>,
        /// How the message is meant to be shown.
        kind: MessageKind,
        /// The text as JSON clients get it, without control characters but line feed and tab.
        text: String,
    },
    /// A connection has failed. [`Event::Close`] follows.
    #[non_exhaustive]
    Error {
        /// The id of the client.
        client: ClientId,
        /// Its nickname, if it had one.
        nickname: Option<Nickname>,
        /// The failure, in a sentence.
        error: String,
    },
    /// A client has disconnected.
    #[non_exhaustive]
    Close {
        /// The id of the client.
        client: ClientId,
        /// Its nickname, if it had one. A user that goes on with another connection is not named
        /// here.
        nickname: Option<Nickname>,
        /// The close code (RFC 6455, section 7.4) that the client sent, or was sent; 1005 for a
        /// close frame without a code, 1006 if there was no close frame.
        code: u16,
        /// The reason, in the words of the side that closed.
        reason: String,
    },
    /// Events before this one were lost, because the receiver was full.
    #[non_exhaustive]
    Lost {
        /// Their number.
        count: u64,
    },
}

/// The request with which a client opened its connection. It is part of [`Event::Open`].
///
/// ```
/// use chinwag::{Event, Request};
///
/// /// Returns the cookies of a client that has just connected.
/// fn cookies(event: &Event) -> Option<&str> {
///     let Event::Open { request, .. } = event else { return None };
///     request.header("cookie")
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    target: String,
    headers: HeaderMap,
}

impl Request {
    pub(crate) fn new(target: String, headers: HeaderMap) -> Self {
        Self { target, headers }
    }

    /// Returns the path as it was sent, without the query: `/chat` of `/chat?room=kitchen`.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// Returns the query as it was sent: `room=kitchen` of `/chat?room=kitchen`.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// Returns the value of a header field, in any letter case of the name. `None` if the field is
    /// missing or not ASCII. If there are several fields of this name, returns the first.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns all header fields, with names in lower case. `Connection` and `Upgrade` are as the
    /// WebSocket needs them, whatever else was in them.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }
}

/// The receiving end of a subscription to the events of a chat.
///
/// The chat never waits for it: if it is full, events are lost, and before the next event
/// [`Event::Lost`] has their number. As an iterator it waits for the next event, and ends when the server has ended.
///
/// ```
/// # use chinwag::{Config, Event, Server};
/// # let config = Config::default().bind([std::net::Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
/// let server = Server::bind(&config)?;
/// let events = server.events(1024);
/// let running = server.start()?;
/// let listener = std::thread::spawn(move || {
///     for event in events {
///         println!("{event:?}");
///     }
/// });
/// running.stop()?;
/// // The events have ended with the server.
/// listener.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Event>,
}

/// The reason why [`Events`] returned no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoEvent {
    /// No event has come in time, or none waits.
    #[error("no event has come in time")]
    Timeout,
    /// The server has ended, and all of its events were returned.
    #[error("the server has ended")]
    Ended,
}

impl Events {
    /// Returns the channel of the events, to wait for several channels at once with
    /// [`crossbeam_channel::select!`](crate::crossbeam_channel::select).
    ///
    /// ```no_run
    /// # use chinwag::{Config, Event, Server};
    /// use chinwag::crossbeam_channel::{after, select};
    /// use std::time::Duration;
    ///
    /// # let config = Config::default();
    /// let (one, two) = (Server::bind(&config)?, Server::bind(&config)?);
    /// let (events_of_one, events_of_two) = (one.events(1024), two.events(1024));
    /// select! {
    ///     recv(events_of_one.receiver()) -> event => println!("one: {event:?}"),
    ///     recv(events_of_two.receiver()) -> event => println!("two: {event:?}"),
    ///     recv(after(Duration::from_secs(60))) -> _ => println!("a minute without an event"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receiver(&self) -> &Receiver<Event> {
        &self.receiver
    }

    /// Waits for the next event, but no longer than this.
    ///
    /// # Errors
    /// If no event comes in time, and if the server has ended.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Event, NoEvent> {
        let received = self.receiver.recv_timeout(timeout);
        received.map_err(|error| if error.is_timeout() { NoEvent::Timeout } else { NoEvent::Ended })
    }

    /// Returns the next event if there is one.
    ///
    /// # Errors
    /// If no event waits, and if the server has ended.
    pub fn try_next(&self) -> Result<Event, NoEvent> {
        let received = self.receiver.try_recv();
        received.map_err(|error| if error.is_empty() { NoEvent::Timeout } else { NoEvent::Ended })
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.receiver.recv().ok()
    }
}

/// The sending end of a subscription. If the receiver is full, counts the events instead of sending
/// them: a slow embedder never slows the chat.
#[derive(Debug)]
pub(crate) struct EventSink {
    events: Sender<Event>,
    lost: u64,
}

impl EventSink {
    pub(crate) fn new(capacity: usize) -> (Self, Events) {
        // Two: an event, and the `Lost` before it.
        let (events, receiver) = bounded(capacity.max(2));
        (Self { events, lost: 0 }, Events { receiver })
    }

    /// Sends an event. Returns false if the receiver was dropped.
    pub(crate) fn send(&mut self, event: Event) -> bool {
        let mut result = Ok(());
        if self.lost > 0 {
            result = self.events.try_send(Event::Lost { count: self.lost });
        }
        if result.is_ok() {
            self.lost = 0;
            result = self.events.try_send(event);
        }
        self.lost += u64::from(matches!(result, Err(TrySendError::Full(_))));
        !matches!(result, Err(TrySendError::Disconnected(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(code: u16) -> Event {
        Event::Close { client: ClientId(1), nickname: None, code, reason: String::new() }
    }

    fn waiting(events: &Events) -> Vec<Event> {
        std::iter::from_fn(|| events.try_next().ok()).collect()
    }

    #[test]
    fn a_slow_embedder_gets_the_number_of_lost_events() {
        let (mut sink, events) = EventSink::new(2);
        for code in 1..=5 {
            assert!(sink.send(close(code)));
        }
        assert_eq!(waiting(&events), [close(1), close(2)]);
        assert!(sink.send(close(6)));
        assert_eq!(waiting(&events), [Event::Lost { count: 3 }, close(6)]);
    }

    #[test]
    fn a_dropped_receiver_ends_the_subscription() {
        let (mut sink, events) = EventSink::new(2);
        drop(events);
        assert!(!sink.send(close(1)));
    }

    #[test]
    fn events_end_with_the_sender() {
        let (mut sink, mut events) = EventSink::new(2);
        assert_eq!(events.try_next(), Err(NoEvent::Timeout));
        assert_eq!(events.recv_timeout(Duration::ZERO), Err(NoEvent::Timeout));
        sink.send(close(1));
        drop(sink);
        assert_eq!(events.try_next(), Ok(close(1)));
        assert_eq!(events.try_next(), Err(NoEvent::Ended));
        assert_eq!(events.recv_timeout(Duration::ZERO), Err(NoEvent::Ended));
        assert_eq!(events.next(), None);
    }

    #[test]
    fn a_sink_that_was_full_notices_that_the_receiver_was_dropped() {
        let (mut sink, events) = EventSink::new(2);
        for code in 1..=3 {
            assert!(sink.send(close(code)));
        }
        drop(events);
        assert!(!sink.send(close(4)));
    }

    #[test]
    fn a_request_has_a_path_a_query_and_headers() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", "a=b".parse().unwrap());
        headers.append("cookie", "c=d".parse().unwrap());
        let request = Request::new("/chat?room=a?b".to_owned(), headers);
        assert_eq!((request.path(), request.query()), ("/chat", Some("room=a?b")));
        assert_eq!((request.header("Cookie"), request.header("host")), (Some("a=b"), None));
        assert_eq!(request.headers().count(), 2);
        let request = Request::new("/".to_owned(), HeaderMap::new());
        assert_eq!((request.path(), request.query()), ("/", None));
    }
}
