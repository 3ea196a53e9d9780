//! A message as a line of JSON, as an export of a history has it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::chat::{Id, InvalidId, Kind, Message, Nickname, RoomName, Text};

/// Maximum `seq` of a record. From here a room can count on for ever within the numbers that
/// JavaScript represents exactly.
const SEQ_MAX: u64 = 1 << 52;
/// Maximum time (ms of Unix time): the largest number that JavaScript represents exactly.
pub(crate) const TIME_MAX: u64 = (1 << 53) - 1;

/// The text is not a message, for the reason that it displays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRecord(String);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<'a> {
    #[serde(borrow)]
    room: Cow<'a, str>,
    seq: u64,
    time: u64,
    #[serde(borrow)]
    nick: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(default)]
    kind: RecordKind,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RecordKind {
    #[default]
    Say,
    Me,
}

impl Message {
    /// Returns the message as a JSON object without line breaks, as a line of `chinwag history
    /// export`.
    ///
    /// ```
    /// use chinwag::Message;
    ///
    /// let line = r#"{"room":"lobby","seq":1,"time":1750000000000,"nick":"ana","text":"hello","kind":"say"}"#;
    /// let message = Message::from_json(line)?;
    /// assert_eq!((message.nickname().as_str(), message.text()), ("ana", "hello"));
    /// assert_eq!(message.to_json(), line);
    /// # Ok::<(), chinwag::store::InvalidRecord>(())
    /// ```
    pub fn to_json(&self) -> String {
        let record = serde_json::to_string(&Record::of(self));
        record.expect("a record has string keys, and memory takes all")
    }

    /// Parses a JSON object as [`Message::to_json`] returns it.
    ///
    /// # Errors
    /// If it is not one. HISTORY.md has the rules; here the length of the text is not limited.
    pub fn from_json(object: &str) -> Result<Self, InvalidRecord> {
        parse(object, usize::MAX).map_err(InvalidRecord)
    }
}

/// Parses a line with a text of at most `text_bytes_max` bytes. Returns the reason if it is invalid.
pub(crate) fn parse(line: &str, text_bytes_max: usize) -> Result<Message, String> {
    // serde would also accept an array of the values.
    if !line.trim_start().starts_with('{') {
        return Err("expected an object, as in {\"room\": ...}".to_owned());
    }
    let record: Record<'_> = serde_json::from_str(line).map_err(|error| {
        // serde sees a single line and always says line 1. The caller adds the right number.
        error.to_string().replace(" at line 1 column ", " at column ")
    })?;
    if !(1..=SEQ_MAX).contains(&record.seq) || record.time > TIME_MAX {
        return Err(format!("seq is 1 to {SEQ_MAX}, and time 0 to {TIME_MAX}"));
    }
    let id = |id: Cow<'_, str>| Id::parse(&id).ok_or_else(|| InvalidId.to_string());
    Ok(Message {
        room: RoomName::recorded(&record.room)
            .map_err(|error| format!("{:?} is no room: {error}", record.room))?,
        seq: record.seq,
        time: record.time,
        nickname: Nickname::recorded(&record.nick)
            .map_err(|error| format!("{:?} is no nickname: {error}", record.nick))?,
        text: Text::parse(&record.text, text_bytes_max).map_err(|error| error.to_string())?,
        id: record.id.map(id).transpose()?,
        kind: match record.kind {
            RecordKind::Say => Kind::Say,
            RecordKind::Me => Kind::Me,
        },
    })
}

impl<'a> Record<'a> {
    fn of(message: &'a Message) -> Self {
        Self {
            room: message.room.as_str().into(),
            seq: message.seq,
            time: message.time,
            nick: message.nickname.as_str().into(),
            text: message.text.as_str().into(),
            id: message.id.as_ref().map(|id| id.as_str().into()),
            kind: match message.kind {
                Kind::Say => RecordKind::Say,
                Kind::Me => RecordKind::Me,
            },
        }
    }
}
