//! Messages of a room.

use std::sync::Arc;

use super::{Nickname, RoomName, Text};

/// The name that the sender gave to what it said, by which it knows its own words again: 1 to 64
/// visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id(Arc<str>);

impl Id {
    /// `None` for what is none.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        const BYTES_MAX: usize = 64;
        let fits = (1..=BYTES_MAX).contains(&id.len());
        let visible = id.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic());
        (fits && visible).then(|| Self(id.into()))
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

/// Something that was said in a room. The same for everybody, and shared by all who keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) room: RoomName,
    /// Its number in the room. Numbers only grow; a history that was imported may have holes.
    pub(crate) seq: u64,
    /// Unix time (ms).
    pub(crate) time: u64,
    pub(crate) nickname: Nickname,
    pub(crate) text: Text,
    /// `None` for the words of a plain client, who gives none.
    pub(crate) id: Option<Id>,
    pub(crate) kind: Kind,
}

/// The bytes that a text takes as a JSON string, with its quotation marks. No text, nickname or name
/// of a room has a control character but line feed and tab.
pub(super) fn string_bytes(text: &str) -> usize {
    text.len()
        + 2
        + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\t')).count()
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

impl Message {
    /// What it takes among the messages of a JSON answer (bytes), with the comma behind it.
    pub(crate) fn wire_bytes(&self) -> usize {
        const AROUND: usize =
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
        AROUND + room + digits(self.seq) + digits(self.time) + strings[0] + strings[1] + id + kind
    }

    /// What counts as being around a text (bytes).
    pub(crate) const AROUND: usize = 200;

    /// What it counts for (bytes): its text, and what is around that.
    pub(crate) fn weight(&self) -> usize {
        self.text.as_str().len() + Self::AROUND
    }
}
