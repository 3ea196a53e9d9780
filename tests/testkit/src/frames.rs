//! WebSocket frames as bytes.
//!
//! tungstenite encodes them. Frames of the server are *decoded* by hand, which the server must
//! never do: a load generator that reads tens of millions of frames a second can only afford to
//! go from header to header. The decoder does not reassemble fragments, check UTF-8 or accept
//! frames that break the protocol. The tests and the conformance suite check these.

use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};

/// First byte of an unfragmented text frame.
pub const TEXT: u8 = 0x81;
/// First byte of a close frame.
pub const CLOSE: u8 = 0x88;
/// First byte of a ping.
pub const PING: u8 = 0x89;

/// Mask of the frames of the load generator: it leaves a payload as it is, so that the generator
/// can change the payload in place.
const ZERO_MASK: [u8; 4] = [0; 4];
/// The bit beside the length that says that the frame is masked (RFC 6455, 5.2).
const MASKED: u8 = 0x80;

/// Encodes a masked frame.
pub fn frame(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader { is_final, opcode, ..FrameHeader::default() };
    masked(Frame::from_payload(header, payload.to_vec().into()), [1, 2, 3, 4])
}

/// Encodes a text in one masked frame.
pub fn text_frame(text: &str) -> Vec<u8> {
    frame(OpCode::Data(Data::Text), true, text.as_bytes())
}

/// Encodes a text in one frame with a mask of zeros.
pub fn zero_masked_text(text: &str) -> Vec<u8> {
    masked(Frame::message(text.to_owned(), OpCode::Data(Data::Text), true), ZERO_MASK)
}

/// Encodes the answer to a ping with a mask of zeros.
pub fn zero_masked_pong(payload: &[u8]) -> Vec<u8> {
    masked(Frame::pong(payload.to_vec()), ZERO_MASK)
}

fn masked(frame: Frame, mask: [u8; 4]) -> Vec<u8> {
    let header = FrameHeader { mask: Some(mask), ..frame.header().clone() };
    let mut bytes = Vec::with_capacity(frame.len() + mask.len());
    let frame = Frame::from_payload(header, frame.into_payload());
    frame.format(&mut bytes).expect("a Vec takes every write");
    bytes
}

/// Appends a text frame of a server.
pub fn append_server_text(payload: &[u8], frames: &mut Vec<u8>) {
    FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() }
        .format(payload.len() as u64, frames)
        .expect("a Vec takes every write");
    frames.extend_from_slice(payload);
}

/// Splits the first frame off `bytes`: its first byte, its payload, and the bytes that follow it.
/// Returns `None` if the frame is not complete.
///
/// # Panics
/// If the frame is masked, which RFC 6455, 5.1 forbids a server.
#[inline]
pub fn split_frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, length], after) = bytes.split_first_chunk()?;
    assert!(length & MASKED == 0, "the server sent a masked frame");
    let (length, after) = payload_length(length, after)?;
    let (payload, rest) = after.split_at_checked(length)?;
    Some((first, payload, rest))
}

/// Splits off a frame with a mask of zeros.
pub fn split_zero_masked(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, length], after) = bytes.split_first_chunk()?;
    let (length, after) = payload_length(length & !MASKED, after)?;
    let (payload, rest) = after.split_at_checked(ZERO_MASK.len() + length)?;
    Some((first, &payload[ZERO_MASK.len()..], rest))
}

#[inline]
fn payload_length(length: u8, after: &[u8]) -> Option<(usize, &[u8])> {
    Some(match length {
        0..=125 => (usize::from(length), after),
        126 => {
            let (length, after) = after.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), after)
        }
        _ => {
            let (length, after) = after.split_first_chunk()?;
            (u64::from_be_bytes(*length).try_into().ok()?, after)
        }
    })
}
