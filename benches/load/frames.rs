//! The bytes on the wire: masked frames out, a walk over server frames in.
//!
//! Frames are encoded by tungstenite. They are *read* by hand, which the
//! server itself must never do: at tens of millions of frames a second, all a
//! load generator may afford is to hop from header to header. So nothing here
//! reassembles fragments, checks UTF-8 or forgives a server that breaks the
//! protocol; that is what the tests and the conformance suite are for.

use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};

/// First byte of an unfragmented text frame.
pub(crate) const TEXT: u8 = 0x81;
/// First byte of a close frame.
pub(crate) const CLOSE: u8 = 0x88;
/// First byte of a ping.
pub(crate) const PING: u8 = 0x89;

/// A client must mask, but the choice of mask matters to nobody here. With this
/// one the payload can be changed in its place.
const MASK: [u8; 4] = [0; 4];

/// A whole text, in one frame.
pub(crate) fn masked_text(text: &str) -> Vec<u8> {
    let opcode = OpCode::Data(Data::Text);
    masked(Frame::message(text.to_owned(), opcode, true))
}

/// The answer to a ping, which must carry the same payload.
pub(crate) fn masked_pong(payload: &[u8]) -> Vec<u8> {
    masked(Frame::pong(payload.to_vec()))
}

fn masked(frame: Frame) -> Vec<u8> {
    let header = FrameHeader { mask: Some(MASK), ..frame.header().clone() };
    let mut bytes = Vec::with_capacity(frame.len() + MASK.len());
    Frame::from_payload(header, frame.into_payload())
        .format(&mut bytes)
        .expect("a Vec takes every write");
    bytes
}

/// A whole text of a server, appended to others.
pub(crate) fn append_text(payload: &[u8], frames: &mut Vec<u8>) {
    FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() }
        .format(payload.len() as u64, frames)
        .expect("a Vec takes every write");
    frames.extend_from_slice(payload);
}

/// Splits the first whole frame off `bytes`: its first byte, its payload, and
/// what follows it. `None` means that the frame is not complete yet.
///
/// # Panics
/// If the frame is masked, which RFC 6455, 5.1 forbids a server.
#[inline]
pub(crate) fn split_frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, length], after) = bytes.split_first_chunk()?;
    assert!(length & MASKED == 0, "the server sent a masked frame");
    let (length, after) = payload_length(length, after)?;
    let (payload, rest) = after.split_at_checked(length)?;
    Some((first, payload, rest))
}

/// The same for a frame of this generator, whose mask changes nothing.
pub(crate) fn split_masked(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, length], after) = bytes.split_first_chunk()?;
    let (length, after) = payload_length(length & !MASKED, after)?;
    let (payload, rest) = after.split_at_checked(MASK.len() + length)?;
    Some((first, &payload[MASK.len()..], rest))
}

/// The bit beside the length that says that there is a mask (RFC 6455, 5.2).
const MASKED: u8 = 0x80;

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
