//! The two dialects: from notices to frames, and from JSON requests to commands.
//!
//! tungstenite does the framing. Server frames are not masked (RFC 6455, section 5.1), so one encoded
//! frame serves every client of the same dialect.

pub(crate) mod json;
pub(crate) mod plain;

use std::sync::Arc;

#[cfg(conformance)]
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

use crate::chat::{Nickname, RoomName};

/// The language of a client, in which PROTOCOL.md calls it a plain or a JSON client. It is part of
/// [`Event::Open`](crate::Event::Open).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Texts in, and lines like `nickname: text` out: the dialect of the tutorial.
    Plain,
    /// JSON objects in both directions, with sessions and several rooms.
    Json,
}

/// The wishes of a client in its WebSocket handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// A plain client joins a room with its request. The nickname is a wish.
    Plain { room: RoomName, wish: Option<Nickname> },
    /// A JSON client says hello and joins rooms later.
    Json,
}

impl Dialect {
    /// Returns the maximum length of a frame and of a message (bytes). In JSON it has room for the
    /// longest text with every byte escaped.
    pub(crate) fn message_bytes_max(self, text_bytes_max: usize) -> usize {
        match self {
            _ if ECHOES => 1024 * 1024,
            Self::Plain => PLAIN_MESSAGE_BYTES_MAX,
            Self::Json => text_bytes_max.saturating_mul(ESCAPED_BYTES) + REQUEST_BYTES_MAX,
        }
    }
}

impl Handshake {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Plain { .. } => Dialect::Plain,
            Self::Json => Dialect::Json,
        }
    }
}

/// Maximum length of a frame, and of a message, of a plain client (bytes).
const PLAIN_MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Maximum length of a request without its text (bytes).
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Maximum length of one byte of a text in JSON (bytes): `\u0022`.
const ESCAPED_BYTES: usize = 6;

/// Whether this is the build for the conformance suite, which echoes every message.
pub(crate) const ECHOES: bool = cfg!(conformance);

/// Close codes (RFC 6455, section 7.4, and PROTOCOL.md).
pub(crate) mod close_code {
    pub(crate) const GOING_AWAY: u16 = 1001;
    pub(crate) const PROTOCOL_ERROR: u16 = 1002;
    pub(crate) const BINARY: u16 = 1003;
    /// Never sent: the client sent a close frame without a code.
    pub(crate) const NO_CODE: u16 = 1005;
    /// Never sent: the connection ended without a close frame.
    pub(crate) const ABNORMAL: u16 = 1006;
    pub(crate) const NOT_UTF8: u16 = 1007;
    pub(crate) const TOO_BIG: u16 = 1009;
    pub(crate) const INTERNAL_ERROR: u16 = 1011;
    /// RFC 6455 and the registry of IANA: the client may connect again later.
    pub(crate) const TRY_AGAIN_LATER: u16 = 1013;
    pub(crate) const REPLACED: u16 = 4001;
    pub(crate) const NO_HELLO: u16 = 4002;
    pub(crate) const TOO_SLOW: u16 = 4008;
    pub(crate) const KICKED: u16 = 4009;
    pub(crate) const FLOODING: u16 = 4029;
}

/// Appends one text frame. `write` appends its text.
pub(crate) fn append_text_frame(frames: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let opcode = OpCode::Data(Data::Text);
    let start = frames.len();
    write(frames);
    let end = frames.len();
    FrameHeader { opcode, ..FrameHeader::default() }
        .format((end - start) as u64, frames)
        .expect("writing to memory does not fail");
    // The length of the header depends on that of the text, so it is written last and moved.
    let header_bytes = frames.len() - end;
    frames[start..].rotate_right(header_bytes);
}

/// Returns one text frame.
pub(crate) fn text_frame(text: &str) -> Arc<[u8]> {
    let mut frame = Vec::new();
    append_text_frame(&mut frame, |it| it.extend_from_slice(text.as_bytes()));
    frame.into()
}

/// Returns a ping without a payload.
pub(crate) fn ping_frame() -> Arc<[u8]> {
    encode(Frame::ping(Vec::new()))
}

/// Returns a close frame. The reason is cut to the maximum of a control frame.
pub(crate) fn close_frame(code: u16, reason: &str) -> Arc<[u8]> {
    const REASON_BYTES_MAX: usize = 123;
    let end = floor_char_boundary(reason, REASON_BYTES_MAX);
    encode(Frame::close(Some(CloseFrame { code: code.into(), reason: reason[..end].into() })))
}

/// Returns a message as one frame.
#[cfg(conformance)]
pub(crate) fn message_frame(message: Message) -> Arc<[u8]> {
    let kind = if message.is_binary() { Data::Binary } else { Data::Text };
    encode(Frame::message(message.into_data(), OpCode::Data(kind), true))
}

fn encode(frame: Frame) -> Arc<[u8]> {
    let mut bytes = Vec::new();
    frame.format(&mut bytes).expect("writing to memory does not fail");
    bytes.into()
}

/// `str::floor_char_boundary` for older compilers.
fn floor_char_boundary(text: &str, bytes_max: usize) -> usize {
    let is_boundary = |end: &usize| text.is_char_boundary(*end);
    (0..=bytes_max.min(text.len())).rev().find(is_boundary).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_those_of_the_rfc() {
        let mut frames = Vec::new();
        append_text_frame(&mut frames, |text| text.extend(b"Hello"));
        assert_eq!(frames, b"\x81\x05Hello");
        assert_eq!(&*ping_frame(), b"\x89\x00");
        assert_eq!(&*close_frame(1001, "bye"), b"\x88\x05\x03\xe9bye");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let frame = close_frame(1001, &"é".repeat(100));
        assert_eq!(frame.len(), 2 + 2 + 122);
    }
}
