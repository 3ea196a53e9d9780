//! What the generator says and hears, in either dialect of the server.
//!
//! Every message carries its number and its sender, as in `00000017-0003`: at
//! the end of its text in plain, as its `id` in JSON. Either way that stands
//! at a fixed distance from the end of what is sent and of what comes back. So
//! a frame is numbered anew in its place, and an echo is known by its last
//! bytes, without anything being parsed.

use crate::frames;

/// The room of those who name none.
pub(crate) const LOBBY: &str = "lobby";

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Plain,
    Json,
}

/// What is said in every message: about what a person types in one line.
const WORDS: &str = "shall we meet at the usual place?";
/// Bytes of the text of a message to chinwag, in both dialects, if nobody says.
pub(crate) const TEXT_BYTES: usize = 50;
/// Bytes of a text that comes back as it is, in frames as long as chinwag's are with a text of
/// [`TEXT_BYTES`]: on the average of the nicknames that it gives.
pub(crate) const PLAIN_BYTES: usize = 62;
/// The same beside the JSON dialect.
pub(crate) const JSON_BYTES: usize = 181;

const NUMBER_DIGITS: usize = 8;
const SENDER_DIGITS: usize = 4;
/// Bytes of a number and a sender, and the hyphen between the two.
const ID_BYTES: usize = NUMBER_DIGITS + 1 + SENDER_DIGITS;

impl Dialect {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Json => "json",
        }
    }

    /// What a client asks for in `Sec-WebSocket-Protocol`.
    pub(crate) fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Json => Some("chinwag.v1"),
        }
    }

    /// Where a client connects, to be in a room at once or by its [greeting](Self::greeting).
    pub(crate) fn path(self, room: &str) -> String {
        match self {
            Self::Plain => format!("/?room={room}"),
            Self::Json => "/".to_owned(),
        }
    }

    /// What a client sends first, to be in a room. In plain it is there.
    pub(crate) fn greeting(self, room: &str) -> Vec<u8> {
        match self {
            Self::Plain => Vec::new(),
            Self::Json => {
                let hello = frames::masked_text(r#"{"type":"hello"}"#);
                let join = format!(r#"{{"type":"join","room":"{room}"}}"#);
                [hello, frames::masked_text(&join)].concat()
            }
        }
    }

    /// How many frames the `clients` of a room hear, all together, until each of them is in it:
    /// `welcome`, `joined`, and `arrived` for each who came later.
    pub(crate) fn welcomes(self, clients: usize) -> usize {
        match self {
            Self::Plain => 0,
            Self::Json => 2 * clients + clients * clients.saturating_sub(1) / 2,
        }
    }

    /// A frame that says a text of so many bytes in a room.
    pub(crate) fn message(
        self,
        room: &str,
        text_bytes: usize,
        number: u32,
        sender: usize,
    ) -> Vec<u8> {
        let id = format!("{number:0NUMBER_DIGITS$}-{sender:0SENDER_DIGITS$}");
        frames::masked_text(&match self {
            Self::Plain => format!("{WORDS:<0$}{id}", text_bytes - ID_BYTES),
            Self::Json => format!(
                r#"{{"type":"say","room":"{room}","text":"{WORDS:<text_bytes$}","id":"{id}"}}"#
            ),
        })
    }

    /// Gives a frame of [`message`](Self::message) another number.
    pub(crate) fn renumber(self, frame: &mut [u8], number: u32) {
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

    /// What the payload of every message of this sender ends with.
    pub(crate) fn marker(self, sender: usize) -> Vec<u8> {
        format!("-{sender:0SENDER_DIGITS$}{}", self.after_id()).into_bytes()
    }

    /// The number of a message, from its payload; `None` if it is none.
    pub(crate) fn number(self, payload: &[u8]) -> Option<u32> {
        let to_sender = payload.strip_suffix(self.after_id().as_bytes())?;
        let (_, id) = to_sender.split_at_checked(to_sender.len().checked_sub(ID_BYTES)?)?;
        std::str::from_utf8(&id[..NUMBER_DIGITS]).ok()?.parse().ok()
    }

    /// What follows the number and the sender in what comes back.
    fn after_id(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Json => r#"","kind":"say"}"#,
        }
    }
}
