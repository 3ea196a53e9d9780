//! A connection that reads the bytes of its client.

use std::io::Write as _;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, bounded};
use rustix::io::ioctl_fionread;
use socket2::SockRef;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};

use crate::broadcaster::close_reason::CloseReason;
use crate::broadcaster::inbox::{ClientMessage, INBOX_MAX, Input};
use crate::cases::{counting_begins, counting_ends};
use crate::chat::{ClientId, RoomName};
use crate::client::{TEXT, TIMEOUT, connect, encode_message};
use crate::connection::rate_limits::ClientRateLimits;
use crate::connection::{UpgradedConnection, run};
use crate::limits::Limits;
use crate::protocol::{Dialect, Handshake};
use crate::turn::request;

pub(crate) fn read(messages: usize, dialect: Dialect) {
    let connection = PreparedConnection::new(messages, dialect);
    counting_begins();
    let inputs = connection.read();
    counting_ends();
    let is_well = |word: &&ClientMessage| match word {
        ClientMessage::Text(_) => true,
        ClientMessage::Request(asked) => asked.command.is_ok(),
    };
    let words = |input: &Input| match input {
        Input::Messages { messages, .. } => messages.iter().filter(is_well).count(),
        _ => 0,
    };
    let inputs: Vec<_> = inputs.try_iter().collect();
    assert!(matches!(
        inputs.last(),
        Some(Input::Disconnected { reason: CloseReason::Closed { .. }, .. })
    ));
    assert_eq!(inputs.iter().map(words).sum::<usize>(), messages);
}

/// A connection whose client has sent its messages and closed. All bytes are in the socket before
/// the first read, so that every run reads the same portions.
pub(crate) struct PreparedConnection {
    guest: UpgradedConnection<'static>,
    _far_end: TcpStream,
}

impl PreparedConnection {
    pub(crate) fn new(messages: usize, dialect: Dialect) -> Self {
        let (outbox, mut far_end) = connect().expect("there is a socket");
        let said =
            (0..messages).flat_map(|number| masked_text(encode_message(TEXT, number, dialect)));
        let sent: Vec<u8> = said.chain(masked(Frame::close(None))).collect();
        let room = SockRef::from(&far_end).set_send_buffer_size(2 * sent.len());
        room.expect("a size can be asked for");
        far_end.set_nonblocking(true).expect("a socket can be told not to block");
        far_end.write_all(&sent).expect("the sockets take all of it");
        far_end.shutdown(Shutdown::Write).expect("the socket is open");
        let deadline = Instant::now() + TIMEOUT;
        while ioctl_fionread(&*outbox.transport).expect("a socket can be asked") < sent.len() as u64
        {
            assert!(Instant::now() < deadline, "the socket does not hold all of it");
            std::thread::yield_now();
        }
        let handshake = match dialect {
            Dialect::Plain => Handshake::Plain { room: RoomName::lobby(), wish: None },
            Dialect::Json => Handshake::Json,
        };
        let (address, outbox) = (Ipv4Addr::LOCALHOST.into(), Arc::new(outbox));
        // There is no broadcaster to release it.
        outbox.release();
        let guest = UpgradedConnection {
            client: ClientId(1),
            address,
            handshake,
            request: request(),
            outbox,
            early: Vec::new(),
            rate_limits: ClientRateLimits::boxed(&limits(), None, Instant::now()),
        };
        Self { guest, _far_end: far_end }
    }

    /// Runs the connection. Returns its inputs for the broadcaster.
    pub(crate) fn read(self) -> Receiver<Input> {
        let (inbox, inputs) = bounded(INBOX_MAX);
        run(Box::new(self.guest), &inbox, &limits());
        inputs
    }
}

/// Limits that are checked and not reached.
fn limits() -> Limits {
    Limits::default().burst(1_000_000).per_second(NonZeroU32::new(1_000_000))
}

fn masked_text(text: String) -> Vec<u8> {
    masked(Frame::message(text, OpCode::Data(Data::Text), true))
}

fn masked(frame: Frame) -> Vec<u8> {
    let header = FrameHeader { mask: Some(*b"mask"), ..frame.header().clone() };
    let mut bytes = Vec::new();
    let frame = Frame::from_payload(header, frame.into_payload());
    frame.format(&mut bytes).expect("memory takes all");
    bytes
}
