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

/// A client must mask, but the choice of mask matters to nobody here.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Bytes of every text that is sent: about what a person types in one line.
const TEXT_BYTES: usize = 50;

/// Digits at the very end of a text that name its sender.
const SENDER_DIGITS: usize = 4;
/// Digits that number the message; one space stands between the two numbers.
const NUMBER_DIGITS: usize = 8;

/// A text frame of [`TEXT_BYTES`] that carries its number and its sender.
///
/// Both stand at the end, in fixed places, because the server puts a nickname
/// of unknown length in front.
pub(crate) fn numbered_text(number: u32, sender: usize) -> Vec<u8> {
    let filler = TEXT_BYTES - NUMBER_DIGITS - 1 - SENDER_DIGITS;
    let words = "shall we meet at the usual place?";
    masked_text(&format!("{words:<filler$}{number:0NUMBER_DIGITS$} {sender:0SENDER_DIGITS$}"))
}

/// What the payload of every text of this sender ends with.
pub(crate) fn marker(sender: usize) -> [u8; SENDER_DIGITS] {
    let digits = format!("{sender:0SENDER_DIGITS$}").into_bytes();
    digits.try_into().expect("there are fewer than 10,000 senders")
}

/// The number that [`numbered_text`] put into this payload.
pub(crate) fn number(payload: &[u8]) -> Option<u32> {
    let end = payload.len().checked_sub(SENDER_DIGITS + 1)?;
    let digits = payload.get(end.checked_sub(NUMBER_DIGITS)?..end)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The answer to a ping, which must carry the same payload.
pub(crate) fn masked_pong(payload: &[u8]) -> Vec<u8> {
    masked(Frame::pong(payload.to_vec()))
}

fn masked_text(text: &str) -> Vec<u8> {
    let opcode = OpCode::Data(Data::Text);
    masked(Frame::message(text.to_owned(), opcode, true))
}

fn masked(frame: Frame) -> Vec<u8> {
    let header = FrameHeader { mask: Some(MASK), ..frame.header().clone() };
    let mut bytes = Vec::with_capacity(frame.len() + MASK.len());
    Frame::from_payload(header, frame.into_payload())
        .format(&mut bytes)
        .expect("a Vec takes every write");
    bytes
}

/// Splits the first whole frame off `bytes`: its first byte, its payload, and
/// what follows it. `None` means that the frame is not complete yet.
///
/// # Panics
/// If the frame is masked, which RFC 6455, 5.1 forbids a server.
#[inline]
pub(crate) fn split_frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, length], after) = bytes.split_first_chunk()?;
    let (length, after) = match length {
        0..=125 => (usize::from(length), after),
        126 => {
            let (length, after) = after.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), after)
        }
        127 => {
            let (length, after) = after.split_first_chunk()?;
            (u64::from_be_bytes(*length).try_into().ok()?, after)
        }
        _ => panic!("the server sent a masked frame"),
    };
    let (payload, rest) = after.split_at_checked(length)?;
    Some((first, payload, rest))
}
