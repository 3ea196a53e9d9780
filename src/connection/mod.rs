//! The life of one client: its thread reads the socket, keeps time, and ends it.
//!
//! The thread waits for its socket and its outbox's waker and for nothing else. What the client
//! says goes to the broadcaster; what the client is sent comes past this thread only while the
//! client is slow. tungstenite reads; its own answers (pongs, the closing frame) are collected as
//! whole frames and go out through the outbox like all others, so that nothing interleaves.

pub(crate) mod allowances;
pub(crate) mod rate_limits;
mod stream;

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;
use log::Level;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket, error::ProtocolError};

use crate::broadcaster::close_reason::CloseReason;
use crate::broadcaster::event::Request;
use crate::broadcaster::inbox::{Arrival, ClientMessage, Input};
use crate::broadcaster::outbox::{Drained, Outbox};
use crate::chat::{ClientId, Text};
use crate::config::Limits;
use crate::net::poll::{Interest, Ready, wait, wait_for_wake};
use crate::net::socket::drain_and_close;
use crate::protocol::json::{self, Asked, RequestError};
#[cfg(conformance)]
use crate::protocol::message_frame;
use crate::protocol::{Dialect, Handshake, close_code, close_frame, ping_frame};
use rate_limits::{ClientRateLimits, RateLimited};
use stream::Stream;

/// tungstenite allocates its buffer at once and keeps it: this much per idle client.
const READ_BUFFER_BYTES: usize = 256;
/// So many messages are passed on at once. An empty one takes little on the stream, and more here.
const MESSAGES_MAX: usize = 128;
/// How many bytes may carry one byte of a message, the headers of its frames included. The smallest
/// frame has a header of 6 bytes, and a message sent byte by byte stays below this.
const BYTES_PER_BYTE_MAX: usize = 8;

/// A client whose request to upgrade was granted.
pub(crate) struct UpgradedConnection<'a> {
    pub(crate) client: ClientId,
    pub(crate) address: IpAddr,
    pub(crate) handshake: Handshake,
    pub(crate) request: Arc<Request>,
    pub(crate) outbox: Arc<Outbox>,
    /// What was read behind the head of its request.
    pub(crate) early: Vec<u8>,
    /// How much it may say and ask for. On the heap: it passes through the frames of several
    /// functions, and a thread keeps the pages of its stack that were once touched.
    pub(crate) rate_limits: Box<ClientRateLimits<'a>>,
}

/// Runs the connection from the upgrade to the end.
#[expect(clippy::boxed_local, reason = "on the stack it would lie below every frame of the thread")]
pub(crate) fn run(guest: Box<UpgradedConnection<'_>>, inbox: &Sender<Input>, limits: &Limits) {
    let UpgradedConnection { client, address, handshake, request, outbox, early, rate_limits } =
        *guest;
    let dialect = handshake.dialect();
    let arrival = Arrival { client, address, handshake, request, outbox: outbox.clone() };
    if inbox.send(Input::Connected(Box::new(arrival))).is_err() {
        return;
    }
    let goodbye =
        Goodbye { client, inbox, outbox: outbox.clone(), close_reason: CloseReason::Crashed };
    let mut connection =
        Connection::begin(client, dialect, outbox, early, rate_limits, inbox, limits);
    let Err(close_reason) = connection.talk();
    // A network that loses every large packet shows in nothing else.
    let level = if close_reason == CloseReason::TooSlow { Level::Info } else { Level::Debug };
    log::log!(level, "conn-{} of {address} ends: {}", client.0, close_reason.for_log());
    goodbye.say(close_reason.clone());
    connection.part(&close_reason);
}

/// Tells the broadcaster, exactly once, that a client is gone: also when its thread panics.
struct Goodbye<'a> {
    client: ClientId,
    inbox: &'a Sender<Input>,
    outbox: Arc<Outbox>,
    close_reason: CloseReason,
}

impl Goodbye<'_> {
    fn say(mut self, close_reason: CloseReason) {
        self.close_reason = close_reason;
    }
}

impl Drop for Goodbye<'_> {
    fn drop(&mut self) {
        let close_reason = std::mem::replace(&mut self.close_reason, CloseReason::Crashed);
        if std::thread::panicking() {
            // As well as can be: nobody is left to see it out.
            self.outbox.push(&close_frame(close_reason.code(), close_reason.reason()));
        }
        // Without a broadcaster there is nobody left to tell.
        let _ = self.inbox.send(Input::Disconnected { client: self.client, reason: close_reason });
    }
}

struct Connection<'a> {
    client: ClientId,
    socket: WebSocket<Stream>,
    outbox: Arc<Outbox>,
    inbox: &'a Sender<Input>,
    limits: &'a Limits,
    /// When a ping was sent that nothing has been heard since.
    pinged: Option<Instant>,
    /// Since when the socket has taken nothing of what waits.
    blocked: Option<Instant>,
    dialect: Dialect,
    /// How much the client may say and ask for.
    rate_limits: Box<ClientRateLimits<'a>>,
    /// What was read and is yet to be passed on.
    messages: Vec<ClientMessage>,
    /// Until when the client has to say hello, if it has to and has not.
    hello_due: Option<Instant>,
    /// Until when nothing is read, because the client has said too much.
    slowed: Option<Instant>,
}

impl<'a> Connection<'a> {
    /// On the heap, and out of a frame of its own: what this takes of the stack, and what its
    /// making took, would have each thread touch one page more, and keep it.
    #[inline(never)]
    fn begin(
        client: ClientId,
        dialect: Dialect,
        outbox: Arc<Outbox>,
        early: Vec<u8>,
        rate_limits: Box<ClientRateLimits<'a>>,
        inbox: &'a Sender<Input>,
        limits: &'a Limits,
    ) -> Box<Self> {
        let message_bytes_max = dialect.message_bytes_max(limits.text_bytes_max);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let stream = Stream::new(outbox.clone());
        let socket = WebSocket::from_partially_read(stream, early, Role::Server, Some(config));
        let now = Instant::now();
        let hello_due = (dialect == Dialect::Json).then(|| now + limits.hello_within);
        Box::new(Self {
            client,
            socket,
            outbox,
            inbox,
            limits,
            pinged: None,
            blocked: None,
            dialect,
            rate_limits,
            messages: Vec::new(),
            hello_due,
            slowed: None,
        })
    }

    /// Reads, drains and keeps time until there is a reason to end.
    fn talk(&mut self) -> Result<Infallible, CloseReason> {
        // The first messages may have come with the request.
        let mut ready = Ready { readable: true, ..Ready::default() };
        loop {
            // Reading comes first: a client that closed, and is not there for what was pushed to
            // it since, has closed all the same.
            if ready.readable || self.may_resume(ready)? {
                self.read()?;
            }
            if ready.woken || ready.writable {
                self.blocked = self.outbox.attend()?;
            }
            let deadline = self.keep_time()?;
            let interest =
                Interest { readable: self.slowed.is_none(), writable: self.blocked.is_some() };
            ready = wait(&self.outbox.transport, interest, &self.outbox.waker, Some(deadline))
                .map_err(CloseReason::lost)?;
        }
    }

    /// Whether a client that was slowed is read again. One that has gone takes with it what it had
    /// yet to say, or it would haunt the room for long.
    fn may_resume(&mut self, ready: Ready) -> Result<bool, CloseReason> {
        if self.slowed.is_some() && ready.broken {
            return Err(CloseReason::lost("gone, with more to say than it may"));
        }
        Ok(self.slowed.take_if(|until| *until <= Instant::now()).is_some())
    }

    /// Reads all that has come, up to the bound of one turn, and as fast as the client may talk.
    /// One that talks faster cannot be told in the plain dialect: it is read more slowly, until
    /// its own socket is full, and loses nothing.
    fn read(&mut self) -> Result<(), CloseReason> {
        let now = Instant::now();
        self.socket.get_mut().begin_turn(now);
        let read = self.read_words(now);
        // The close frame in answer to another is the last that is sent.
        if !matches!(read, Err(CloseReason::Closed { .. })) {
            self.answer();
        }
        // Whatever ends the connection, what was said before counts.
        self.pass_on()?;
        read
    }

    fn read_words(&mut self, now: Instant) -> Result<(), CloseReason> {
        loop {
            if self.dialect == Dialect::Plain {
                self.slowed = self.rate_limits.pause(now);
            }
            if self.slowed.is_some() {
                break;
            }
            match self.socket.read() {
                Ok(message) => {
                    self.socket.get_mut().unfinished = 0;
                    self.take(message, now)?;
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(close_reason_of(error)),
            }
        }
        let stream = self.socket.get_mut();
        stream.end_turn();
        let message_bytes_max = self.dialect.message_bytes_max(self.limits.text_bytes_max);
        if stream.unfinished > BYTES_PER_BYTE_MAX * message_bytes_max {
            return Err(CloseReason::offence(close_code::TOO_BIG, "too many fragments"));
        }
        Ok(())
    }

    fn take(&mut self, message: Message, now: Instant) -> Result<(), CloseReason> {
        let word = match message {
            #[cfg(conformance)]
            Message::Text(_) | Message::Binary(_) => ClientMessage::Echo(message_frame(message)),
            Message::Text(asked) if self.dialect == Dialect::Json => {
                ClientMessage::Request(self.ask(&asked, now)?)
            }
            Message::Text(said) => {
                self.rate_limits.count_text(now);
                let text = Text::parse(&said, self.limits.text_bytes_max);
                ClientMessage::Text(
                    text.map_err(|error| CloseReason::offence(close_code::TOO_BIG, error))?,
                )
            }
            Message::Binary(_) => {
                return Err(CloseReason::offence(close_code::BINARY, "only text is spoken"));
            }
            Message::Close(frame) => {
                // Has tungstenite write its answer, which `part` sends.
                let _ = self.socket.flush();
                let (code, reason) = frame.map_or((close_code::NO_CODE, String::new()), |frame| {
                    (frame.code.into(), frame.reason.to_string())
                });
                return Err(CloseReason::Closed { code, reason });
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(()),
        };
        self.messages.push(word);
        if self.messages.len() < MESSAGES_MAX { Ok(()) } else { self.pass_on() }
    }

    /// A request, as far as the client may ask for it.
    fn ask(&mut self, frame: &str, now: Instant) -> Result<Asked, CloseReason> {
        let mut asked = json::parse(frame, self.limits.text_bytes_max);
        match self.rate_limits.admit(asked.command.as_ref().ok(), now) {
            Ok(()) => {}
            Err(RateLimited::Until(until)) => {
                let retry_ms = until.duration_since(now).as_nanos().div_ceil(1_000_000);
                let retry_ms = u64::try_from(retry_ms).unwrap_or(u64::MAX);
                asked.command = Err(RequestError::RateLimited { retry_ms });
            }
            Err(RateLimited::Flooding) => return Err(CloseReason::Flooding),
        }
        Ok(asked)
    }

    /// Sends what tungstenite has to say of its own.
    fn answer(&mut self) {
        let replies = &mut self.socket.get_mut().replies;
        if !replies.is_empty() {
            self.outbox.push(&replies.drain(..).collect());
        }
    }

    /// Passes on what was read.
    fn pass_on(&mut self) -> Result<(), CloseReason> {
        if self.messages.is_empty() {
            return Ok(());
        }
        let heard =
            Input::Messages { client: self.client, messages: std::mem::take(&mut self.messages) };
        self.inbox.send(heard).map_err(|_| CloseReason::Crashed)
    }

    /// Pings a silent client, gives up a dead or a stalled one, and says when to look again.
    // Out of the frame of `talk`, on which that of a read lies: a thread keeps the pages of its stack
    // that were once touched.
    #[inline(never)]
    fn keep_time(&mut self) -> Result<Instant, CloseReason> {
        let now = Instant::now();
        self.hello_due = self.hello_due.filter(|_| !self.outbox.is_welcome());
        if self.hello_due.is_some_and(|due| due <= now) {
            return Err(CloseReason::NoHello);
        }
        let stalled = self.blocked.map(|since| since + self.limits.stall_max);
        if stalled.is_some_and(|deadline| deadline <= now) {
            return Err(CloseReason::TooSlow);
        }
        // The silence of a client that is not listened to says nothing.
        let heard = self.slowed.map_or(self.socket.get_ref().heard, |_| now);
        self.pinged = self.pinged.filter(|pinged| *pinged >= heard);
        let silence = match self.pinged {
            Some(pinged) if pinged + self.limits.pong_within <= now => {
                return Err(CloseReason::TimedOut);
            }
            Some(pinged) => pinged + self.limits.pong_within,
            None if heard + self.limits.ping_after <= now => {
                self.outbox.push(&ping_frame());
                self.pinged = Some(now);
                now + self.limits.pong_within
            }
            None => heard + self.limits.ping_after,
        };
        let others = [stalled, self.slowed, self.hello_due].into_iter().flatten();
        Ok(others.fold(silence, Instant::min))
    }

    /// Tells the client why it ends, gives it time to answer, and lets go of it.
    #[inline(never)]
    fn part(mut self: Box<Self>, close_reason: &CloseReason) {
        let close_frame = match close_reason {
            CloseReason::Closed { .. } => self.socket.get_mut().replies.drain(..).collect(),
            _ => match close_reason.close_frame() {
                Some(close_frame) => close_frame,
                None => return,
            },
        };
        let deadline = Instant::now() + self.limits.close_within;
        self.await_release(deadline);
        self.outbox.finish(close_reason, close_frame);
        if self.drain_until(deadline) {
            self.outbox.transport.finish();
            let patience = close_reason.patience(self.limits.close_within);
            self.outbox.waker.clear();
            drain_and_close(
                &self.outbox.transport,
                &self.outbox.waker,
                deadline.min(Instant::now() + patience),
            );
        }
    }

    /// Waits until the broadcaster has pushed what was due to the client before it went. The
    /// broadcaster waits for nobody, so this is a moment.
    fn await_release(&self, deadline: Instant) {
        while !self.outbox.is_released() && wait_for_wake(&self.outbox.waker, deadline) {
            self.outbox.waker.clear();
        }
    }

    /// True when everything was sent in time. What comes in meanwhile goes nowhere.
    fn drain_until(&self, deadline: Instant) -> bool {
        let Outbox { transport, waker, .. } = &*self.outbox;
        loop {
            // Once at least, however late it is: a busy machine is not the client's fault.
            match self.outbox.drain() {
                Ok(Drained::All) => return true,
                Ok(Drained::Blocked(_)) if Instant::now() < deadline => {}
                _ => return false,
            }
            waker.clear();
            let ready = wait(transport, Interest::BOTH, waker, Some(deadline)).unwrap_or_default();
            if ready.readable && transport.discard().is_err() {
                return false;
            }
        }
    }
}

fn close_reason_of(error: Error) -> CloseReason {
    match error {
        Error::Io(error) => CloseReason::lost(error),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => CloseReason::lost("the stream ended without a close frame"),
        Error::Utf8(_) => CloseReason::offence(close_code::NOT_UTF8, "the text is not UTF-8"),
        Error::Capacity(error) => CloseReason::offence(close_code::TOO_BIG, error),
        error => CloseReason::offence(close_code::PROTOCOL_ERROR, error),
    }
}
