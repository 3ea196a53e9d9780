//! The messages of the load generator in either dialect of the server.
//!
//! Each message has a number and a sender, as in `00000017-0003`: at the end of the text in plain,
//! as the `id` in JSON. That is at a fixed distance from the end of the frame, both when it is sent
//! and when it comes back. So a frame gets its number in place, and an echo is recognized by its
//! last bytes, without parsing.

use crate::{SUBPROTOCOL, frames};

/// The room of plain clients that name no room.
pub const LOBBY: &str = "lobby";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Plain,
    Json,
}

/// The text of every message. It is about as long as a line that a person types.
const TEXT: &str = "shall we meet at the usual place?";
/// Default length of a text for chinwag (bytes).
pub const TEXT_BYTES: usize = 50;
/// Length of a text that a server without nicknames sends back in a frame as long as chinwag's
/// plain frame with [`TEXT_BYTES`] and a nickname of average length (bytes).
pub const PLAIN_BYTES: usize = 62;
/// The same for a frame of the JSON dialect.
pub const JSON_BYTES: usize = 181;

const NUMBER_DIGITS: usize = 8;
const SENDER_DIGITS: usize = 4;
/// Length of a number, a hyphen and a sender.
const ID_BYTES: usize = NUMBER_DIGITS + 1 + SENDER_DIGITS;

impl Dialect {
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Json => "json",
        }
    }

    /// Returns the value of `Sec-WebSocket-Protocol`.
    pub fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Json => Some(SUBPROTOCOL),
        }
    }

    /// Returns the target of the upgrade request of a client that joins a room.
    pub fn target(self, room: &str) -> String {
        match self {
            Self::Plain => format!("/?room={room}"),
            Self::Json => "/".to_owned(),
        }
    }

    /// Returns the frames by which a connected client joins a room. A plain client is in it.
    pub fn greeting(self, room: &str) -> Vec<u8> {
        match self {
            Self::Plain => Vec::new(),
            Self::Json => {
                let hello = frames::zero_masked_text(r#"{"type":"hello"}"#);
                let join = format!(r#"{{"type":"join","room":"{room}"}}"#);
                [hello, frames::zero_masked_text(&join)].concat()
            }
        }
    }

    /// Returns how many frames the clients of a room receive in total until all are in it: a
    /// `welcome` and a `joined` each, and an `arrived` for each client that comes later.
    pub fn greeting_answers(self, clients: usize) -> usize {
        match self {
            Self::Plain => 0,
            Self::Json => 2 * clients + clients * clients.saturating_sub(1) / 2,
        }
    }

    /// Encodes a message to a room.
    pub fn message(self, room: &str, text_bytes: usize, number: u32, sender: usize) -> Vec<u8> {
        let id = format!("{number:0NUMBER_DIGITS$}-{sender:0SENDER_DIGITS$}");
        frames::zero_masked_text(&match self {
            Self::Plain => format!("{TEXT:<0$}{id}", text_bytes - ID_BYTES),
            Self::Json => {
                format!(
                    r#"{{"type":"say","room":"{room}","text":"{TEXT:<text_bytes$}","id":"{id}"}}"#
                )
            }
        })
    }

    /// Changes the number in a frame of [`message`](Self::message).
    pub fn renumber(self, frame: &mut [u8], number: u32) {
        let after_id = match self {
            Self::Plain => "",
            Self::Json => r#""}"#,
        };
        let start = frame.len() - after_id.len() - ID_BYTES;
        let mut rest = number;
        for digit in frame[start..start + NUMBER_DIGITS].iter_mut().rev() {
            *digit = b"0123456789"[rest as usize % 10];
            rest /= 10;
        }
    }

    /// Returns the end of the payload of every message of a sender.
    pub fn marker(self, sender: usize) -> Vec<u8> {
        format!("-{sender:0SENDER_DIGITS$}{}", self.after_id()).into_bytes()
    }

    /// Returns the number of a message, or `None` if the payload is another.
    pub fn number(self, payload: &[u8]) -> Option<u32> {
        let to_sender = payload.strip_suffix(self.after_id().as_bytes())?;
        let (_, id) = to_sender.split_at_checked(to_sender.len().checked_sub(ID_BYTES)?)?;
        std::str::from_utf8(&id[..NUMBER_DIGITS]).ok()?.parse().ok()
    }

    /// Returns the bytes that follow the number and the sender in a frame of the server.
    fn after_id(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Json => r#"","kind":"say"}"#,
        }
    }
}
