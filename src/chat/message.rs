//! Messages of a room.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::nickname::Nickname;
use super::room_name::RoomName;
use super::text::Text;

/// The id that the sender gave to a message, by which it recognises its own: 1 to 64 visible ASCII
/// characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id(Arc<str>);

/// Maximum length of an [`Id`] (bytes).
const ID_BYTES_MAX: usize = 64;

impl Id {
    /// Parses an id. Returns `None` if the text is not valid.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let fits = (1..=ID_BYTES_MAX).contains(&id.len());
        let visible = id.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic());
        (fits && visible).then(|| Self(id.into()))
    }

    /// Returns the id of a message whose sender gave none.
    pub(crate) fn generated(prefix: &str, number: u64) -> Self {
        Self(format!("{prefix}-{number}").into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a message is meant to be shown. It is part of [`Event::Message`](crate::Event::Message).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// As a text of the sender.
    #[default]
    Say,
    /// As an action of the sender: `waves`, sent by `/me waves`.
    Me,
}

/// A message in a room, as the history has it. All members get the same, and share it in memory.
///
/// ```
/// use std::time::SystemTime;
/// use chinwag::{Message, MessageKind, Nickname, RoomName};
///
/// let nickname = Nickname::parse("ana")?;
/// let message = Message::new(RoomName::lobby(), 1, SystemTime::UNIX_EPOCH, nickname, "waves")
///     .with_kind(MessageKind::Me);
/// assert_eq!((message.seq(), message.text(), message.id()), (1, "waves", None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub(crate) room: RoomName,
    /// The number of the message in its room. Numbers only grow; an imported history may have gaps.
    pub(crate) seq: u64,
    /// Unix time (ms).
    pub(crate) time: u64,
    pub(crate) nickname: Nickname,
    pub(crate) text: Text,
    /// `None` for a message of a plain client, which gives no ids.
    pub(crate) id: Option<Id>,
    pub(crate) kind: Kind,
}

/// The text is not the id of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("id is 1 to 64 visible ASCII characters")]
pub struct InvalidId;

impl Message {
    /// Returns a message without an id, of the kind [`Kind::Say`]. Control characters of the text
    /// except line feed and tab are removed. The time is rounded down to milliseconds.
    pub fn new(room: RoomName, seq: u64, time: SystemTime, nickname: Nickname, text: &str) -> Self {
        let unix = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        Self { room, seq, time, nickname, text: Text::unlimited(text), id: None, kind: Kind::Say }
    }

    /// Sets the id.
    ///
    /// # Errors
    /// If it is not 1 to 64 visible ASCII characters.
    pub fn with_id(mut self, id: &str) -> Result<Self, InvalidId> {
        self.id = Some(Id::parse(id).ok_or(InvalidId)?);
        Ok(self)
    }

    /// Sets the kind.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Returns the room of the message.
    pub fn room(&self) -> &RoomName {
        &self.room
    }

    /// Returns the number of the message in its room. Numbers only grow. Those of new messages have
    /// no gaps; an imported history may have some.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns when the server took the message.
    pub fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.time)
    }

    /// Returns the nickname that the author had.
    pub fn nickname(&self) -> &Nickname {
        &self.nickname
    }

    /// Returns the text as JSON clients get it, without control characters but line feed and tab.
    pub fn text(&self) -> &str {
        self.text.as_str()
    }

    /// Returns the id that a JSON client gave to the message. `None` for a plain client and for the
    /// embedder.
    pub fn id(&self) -> Option<&str> {
        self.id.as_ref().map(Id::as_str)
    }

    /// Returns how the message is meant to be shown.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// A message that has no number yet.
pub(super) struct Draft {
    pub(super) nickname: Nickname,
    pub(super) text: Text,
    pub(super) id: Option<Id>,
    pub(super) kind: Kind,
}

impl Draft {
    pub(super) fn into_message(self, room: RoomName, seq: u64, time: u64) -> Message {
        let Self { nickname, text, id, kind } = self;
        Message { room, seq, time, nickname, text, id, kind }
    }
}

/// Returns the length of a text as a JSON string with its quotation marks (bytes). Texts, nicknames
/// and room names have no control characters except line feed and tab.
pub(super) fn string_bytes(text: &str) -> usize {
    text.len()
        + 2
        + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\t')).count()
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

impl Message {
    /// How much a message counts besides its text (bytes).
    pub(crate) const OVERHEAD_BYTES: usize = 200;

    /// Returns how much memory the message counts for (bytes).
    pub(crate) fn weight(&self) -> usize {
        self.text.as_str().len() + Self::OVERHEAD_BYTES
    }

    /// Returns the length of the message in a list of a JSON answer, with the comma after it (bytes).
    pub(crate) fn wire_bytes(&self) -> usize {
        const ENVELOPE: usize =
            r#"{"room":"","seq":,"time":,"nick":,"text":,"id":,"kind":""},"#.len();
        let id = match &self.id {
            Some(id) => string_bytes(id.as_str()),
            None => r#""plain-""#.len() + digits(self.seq),
        };
        let kind = match self.kind {
            Kind::Say => "say".len(),
            Kind::Me => "me".len(),
        };
        let strings = [self.nickname.as_str(), self.text.as_str()].map(string_bytes);
        let room = self.room.as_str().len();
        ENVELOPE + room + digits(self.seq) + digits(self.time) + strings[0] + strings[1] + id + kind
    }
}
