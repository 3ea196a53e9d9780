//! The life of one client. Its thread reads the socket, watches the deadlines, and closes the
//! connection.
//!
//! The thread waits for its socket, its outbox's waker and a deadline, and for space in the inbox of
//! the broadcaster. Messages of the client go to that inbox. The broadcaster writes the frames for
//! the client to the socket itself; this thread writes them only while the client is slow. tungstenite reads. The frames that it writes (pongs, and the answer to a
//! close frame) are collected and pushed to the outbox like all others, so that frames never
//! interleave.

mod deadlines;
mod hook_calls;
pub(crate) mod rate_limits;
pub(crate) mod shared_buckets;
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
use crate::chat::{ClientId, Command, Grant, Text};
use crate::hooks::ActiveHooks;
use crate::limits::Limits;
use crate::net::poll::{Interest, Ready, wait, wait_for_wake};
use crate::net::socket::drain;
use crate::protocol::json::{self, ParsedRequest, RequestError};
use crate::protocol::{Dialect, Handshake, close_code, close_frame, ping_frame};
#[cfg(conformance)]
use crate::protocol::{ECHOES, message_frame};
use deadlines::{Deadlines, Next};
use hook_calls::HookCalls;
use rate_limits::{ClientRateLimits, RateLimited};
use stream::Stream;

/// Bytes that tungstenite allocates for reading, and keeps for each idle client.
const READ_BUFFER_BYTES: usize = 256;
/// Maximum number of messages in one input to the broadcaster. An empty message is small on the wire,
/// and larger in memory.
const MESSAGES_MAX: usize = 128;
/// Maximum number of bytes on the wire for each byte of a message, with the headers of its frames.
/// The smallest header of a client has 6 bytes, so a message sent byte by byte stays below this.
const BYTES_PER_BYTE_MAX: usize = 8;

/// A client whose request was upgraded to a WebSocket.
pub(crate) struct UpgradedConnection<'a> {
    pub(crate) client: ClientId,
    pub(crate) address: IpAddr,
    pub(crate) handshake: Handshake,
    pub(crate) request: Arc<Request>,
    /// What a hook has decided about the client.
    pub(crate) grant: Option<Box<Grant>>,
    pub(crate) hooks: Option<&'a ActiveHooks>,
    pub(crate) outbox: Arc<Outbox>,
    /// Bytes that were read after the head of the request.
    pub(crate) early: Vec<u8>,
    // Stack pages: see ARCHITECTURE.
    pub(crate) rate_limits: Box<ClientRateLimits<'a>>,
}

/// Runs the connection from the upgrade to the end.
pub(crate) fn run(
    mut upgraded: Box<UpgradedConnection<'_>>,
    inbox: &Sender<Input>,
    limits: &Limits,
) {
    let grant = upgraded.grant.take();
    let UpgradedConnection { client, address, ref handshake, ref request, ref outbox, .. } =
        *upgraded;
    let (handshake, request, outbox) = (handshake.clone(), request.clone(), outbox.clone());
    let arrival = Arrival { client, address, handshake, request, grant, outbox: outbox.clone() };
    if inbox.send(Input::Connected(Box::new(arrival))).is_err() {
        return;
    }
    let guard = DisconnectGuard { client, inbox, outbox, close_reason: CloseReason::Crashed };
    let mut connection = Connection::new(upgraded, inbox, limits);
    let Err(close_reason) = connection.serve();
    // A network that loses every large packet shows in no other way.
    let level = if close_reason == CloseReason::TooSlow { Level::Info } else { Level::Debug };
    log::log!(level, "conn-{} of {address} ends: {}", client.0, close_reason.for_log());
    guard.disconnect(close_reason.clone());
    connection.close(&close_reason);
}

/// Tells the broadcaster, exactly once, that a client is gone: also when the thread panics.
struct DisconnectGuard<'a> {
    client: ClientId,
    inbox: &'a Sender<Input>,
    outbox: Arc<Outbox>,
    close_reason: CloseReason,
}

impl DisconnectGuard<'_> {
    fn disconnect(mut self, close_reason: CloseReason) {
        self.close_reason = close_reason;
    }
}

impl Drop for DisconnectGuard<'_> {
    fn drop(&mut self) {
        let close_reason = std::mem::replace(&mut self.close_reason, CloseReason::Crashed);
        if std::thread::panicking() {
            // The thread ends here, so it does not wait until the close frame has been sent.
            self.outbox.push(&close_frame(close_reason.code(), close_reason.reason()));
        }
        // The inbox is closed only if the broadcaster has ended.
        let _ = self.inbox.send(Input::Disconnected { client: self.client, reason: close_reason });
    }
}

struct Connection<'a> {
    client: ClientId,
    dialect: Dialect,
    socket: WebSocket<Stream>,
    outbox: Arc<Outbox>,
    inbox: &'a Sender<Input>,
    limits: &'a Limits,
    rate_limits: Box<ClientRateLimits<'a>>,
    deadlines: Deadlines<'a>,
    /// `None`: the embedder has no hooks.
    hooks: Option<Box<HookCalls<'a>>>,
    /// Messages that were read and are to be forwarded to the broadcaster.
    messages: Vec<ClientMessage>,
}

impl<'a> Connection<'a> {
    // Stack pages: see ARCHITECTURE.
    #[inline(never)]
    fn new(
        upgraded: Box<UpgradedConnection<'a>>,
        inbox: &'a Sender<Input>,
        limits: &'a Limits,
    ) -> Box<Self> {
        let hook_calls = |hooks| HookCalls::new(hooks, &upgraded, limits.text_bytes_max);
        let hooks = upgraded.hooks.map(|hooks| Box::new(hook_calls(hooks)));
        let UpgradedConnection { client, handshake, outbox, early, rate_limits, .. } = *upgraded;
        let dialect = handshake.dialect();
        let message_bytes_max = dialect.message_bytes_max(limits.text_bytes_max);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let stream = Stream::new(outbox.clone());
        Box::new(Self {
            client,
            dialect,
            socket: WebSocket::from_partially_read(stream, early, Role::Server, Some(config)),
            outbox,
            inbox,
            limits,
            rate_limits,
            deadlines: Deadlines::new(limits, dialect == Dialect::Json, Instant::now()),
            hooks,
            messages: Vec::new(),
        })
    }

    /// Reads, drains and watches the deadlines until there is a reason to close the connection.
    fn serve(&mut self) -> Result<Infallible, CloseReason> {
        // The first messages may have come with the request.
        let mut ready = Ready { readable: true, ..Ready::default() };
        loop {
            // The socket is read before the outbox is drained. If the client has closed, writing to
            // it fails, and reading finds its close frame.
            if ready.readable || self.end_pause(ready)? {
                self.read()?;
            }
            if ready.woken || ready.writable {
                self.deadlines.blocked_since = self.outbox.handle_wake()?;
            }
            let deadline = self.check_deadlines()?;
            let interest = Interest {
                readable: self.deadlines.paused_until.is_none(),
                writable: self.deadlines.blocked_since.is_some(),
            };
            ready = wait(&self.outbox.transport, interest, &self.outbox.waker, Some(deadline))
                .map_err(CloseReason::lost)?;
        }
    }

    /// Ends the pause of a client that sent too many messages, if it is over. Returns whether the
    /// client is to be read again. If the client has left, its unread messages are lost: at its rate
    /// they would come for a long time, from a user without a connection.
    fn end_pause(&mut self, ready: Ready) -> Result<bool, CloseReason> {
        if self.deadlines.paused_until.is_none() {
            return Ok(false);
        }
        if ready.broken {
            return Err(CloseReason::lost("the client left before all its messages were read"));
        }
        Ok(self.deadlines.end_pause(Instant::now()))
    }

    /// Reads the bytes that have come, up to the maximum of one turn. The plain dialect cannot tell a
    /// client that it sends too fast. So a plain client is read more slowly, until its own socket is
    /// full, and loses nothing.
    fn read(&mut self) -> Result<(), CloseReason> {
        let now = Instant::now();
        self.socket.get_mut().begin_turn();
        let read = self.read_messages(now);
        // The answer to a close frame is the last frame, and `close` sends it.
        if !matches!(read, Err(CloseReason::Closed { .. })) {
            self.send_replies();
        }
        // Messages before the end of the connection count, whatever ends it.
        self.forward_messages()?;
        read
    }

    fn read_messages(&mut self, now: Instant) -> Result<(), CloseReason> {
        loop {
            if self.dialect == Dialect::Plain {
                self.deadlines.paused_until = self.rate_limits.pause(now);
            }
            if self.deadlines.paused_until.is_some() {
                break;
            }
            match self.socket.read() {
                Ok(message) => {
                    self.socket.get_mut().unfinished = 0;
                    self.handle_message(message, now)?;
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(close_reason_of(error)),
            }
        }
        let stream = self.socket.get_mut();
        if stream.end_turn() {
            self.deadlines.heard = now;
        }
        let message_bytes_max = self.dialect.message_bytes_max(self.limits.text_bytes_max);
        if stream.unfinished > BYTES_PER_BYTE_MAX * message_bytes_max {
            return Err(CloseReason::offence(close_code::TOO_BIG, "too many fragments"));
        }
        Ok(())
    }

    fn handle_message(&mut self, message: Message, now: Instant) -> Result<(), CloseReason> {
        let message = match message {
            #[cfg(conformance)]
            Message::Text(_) | Message::Binary(_) if ECHOES => {
                ClientMessage::Echo(message_frame(message))
            }
            Message::Text(text) if self.dialect == Dialect::Json => {
                ClientMessage::Request(self.parse_request(&text, now)?)
            }
            Message::Text(text) => {
                self.rate_limits.charge_text(now);
                let text = Text::parse(&text, self.limits.text_bytes_max);
                let text =
                    text.map_err(|error| CloseReason::offence(close_code::TOO_BIG, error))?;
                if self.hooks.is_some() {
                    match self.decide_text(text)? {
                        Some(text) => ClientMessage::Text(text),
                        None => return Ok(()),
                    }
                } else {
                    ClientMessage::Text(text)
                }
            }
            Message::Binary(_) => {
                return Err(CloseReason::offence(close_code::BINARY, "only text is spoken"));
            }
            Message::Close(frame) => {
                // Makes tungstenite write its answer, which `close` sends.
                let _ = self.socket.flush();
                let (code, reason) = frame.map_or((close_code::NO_CODE, String::new()), |frame| {
                    (frame.code.into(), frame.reason.to_string())
                });
                return Err(CloseReason::Closed { code, reason });
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(()),
        };
        self.messages.push(message);
        if self.messages.len() < MESSAGES_MAX { Ok(()) } else { self.forward_messages() }
    }

    /// Parses a request and charges it. A request above the rate limits becomes an error.
    fn parse_request(&mut self, text: &str, now: Instant) -> Result<ParsedRequest, CloseReason> {
        let mut request = json::parse(text, self.limits.text_bytes_max);
        match self.rate_limits.charge(request.command.as_ref().ok(), now) {
            Ok(()) => {}
            Err(RateLimited::RetryAt(time)) => {
                let retry_ms = time.duration_since(now).as_nanos().div_ceil(1_000_000);
                let retry_ms = u64::try_from(retry_ms).unwrap_or(u64::MAX);
                request.command = Err(RequestError::RateLimited { retry_ms });
            }
            Err(RateLimited::Flooding) => return Err(CloseReason::Flooding),
        }
        if self.hooks.is_some() {
            request.command = match request.command {
                Ok(command) => self.decide(command)?,
                refused => refused,
            };
        }
        Ok(request)
    }

    /// Returns the text of a plain client as the hooks permit it.
    // The usual server has no hooks.
    #[cold]
    #[inline(never)]
    fn decide_text(&mut self, text: Text) -> Result<Option<Text>, CloseReason> {
        self.learn_identity()?;
        Ok(self.hooks.as_ref().and_then(|hooks| hooks.decide_text(text)))
    }

    /// Asks the hooks about a command. A hook that panics closes this connection.
    #[cold]
    #[inline(never)]
    fn decide(&mut self, command: Command) -> Result<Result<Command, RequestError>, CloseReason> {
        self.learn_identity()?;
        Ok(match &self.hooks {
            Some(hooks) => hooks.decide(command),
            None => Ok(command),
        })
    }

    /// Makes sure that the hooks see the user of the client, if it has said hello.
    fn learn_identity(&mut self) -> Result<(), CloseReason> {
        if self.hooks.as_ref().is_some_and(|hooks| hooks.lacks_identity()) {
            self.forward_messages()?;
            HookCalls::wait_for_broadcaster(self.inbox);
        }
        Ok(())
    }

    /// Pushes the frames that tungstenite has written.
    fn send_replies(&mut self) {
        let replies = &mut self.socket.get_mut().replies;
        if !replies.is_empty() {
            self.outbox.push(&replies.drain(..).collect());
        }
    }

    /// Sends the messages that were read to the broadcaster. Waits if its inbox is full.
    fn forward_messages(&mut self) -> Result<(), CloseReason> {
        if self.messages.is_empty() {
            return Ok(());
        }
        let messages = std::mem::take(&mut self.messages);
        let input = Input::Messages { client: self.client, messages };
        self.inbox.send(input).map_err(|_| CloseReason::Crashed)
    }

    /// Pings the client if that is due. Returns the next deadline.
    // Stack pages: see ARCHITECTURE.
    #[inline(never)]
    fn check_deadlines(&mut self) -> Result<Instant, CloseReason> {
        let now = Instant::now();
        if self.outbox.is_welcome() {
            self.deadlines.hello_due = None;
        }
        let Next { ping, wait_until } = self.deadlines.next(now)?;
        if ping {
            self.outbox.push(&ping_frame());
        }
        Ok(wait_until)
    }

    /// Sends the close frame, and gives the client time to answer it.
    #[inline(never)]
    fn close(mut self: Box<Self>, close_reason: &CloseReason) {
        let close_frame = match close_reason {
            CloseReason::Closed { .. } => self.socket.get_mut().replies.drain(..).collect(),
            _ => match close_reason.close_frame() {
                Some(close_frame) => close_frame,
                None => return,
            },
        };
        let deadline = Instant::now() + self.limits.close_within;
        self.wait_for_release(deadline);
        self.outbox.push_close_frame(close_reason, close_frame);
        if self.drain_until(deadline) {
            self.outbox.transport.finish();
            let patience = close_reason.patience(self.limits.close_within);
            self.outbox.waker.clear();
            drain(
                &self.outbox.transport,
                &self.outbox.waker,
                deadline.min(Instant::now() + patience),
            );
        }
    }

    /// Waits until the broadcaster has pushed the last frames for the client. The broadcaster waits
    /// for no client, so this takes a moment.
    fn wait_for_release(&self, deadline: Instant) {
        while !self.outbox.is_released() && wait_for_wake(&self.outbox.waker, deadline) {
            self.outbox.waker.clear();
        }
    }

    /// Writes the rest of the outbox, and discards further bytes of the client. Returns whether
    /// everything was written in time.
    fn drain_until(&self, deadline: Instant) -> bool {
        let Outbox { transport, waker, .. } = &*self.outbox;
        loop {
            // At least once, even after the deadline: a busy machine is not the client's fault.
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
