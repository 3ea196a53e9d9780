//! Messages as rows, and rows as messages.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Error, Row};

use crate::chat::{Id, Kind, Message, Nickname, RoomName, Text};

/// The columns from which [`message`] reads, of `message AS m`.
pub(super) const COLUMNS: &str = "m.seq, m.time, m.nick, m.text, m.id, m.kind";

/// Reads a message. What cannot be one is an error: somebody else has written it.
pub(super) fn message(room: RoomName, row: &Row<'_>) -> rusqlite::Result<Arc<Message>> {
    let (nick, text): (_, _) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
    let id = row.get_ref(4)?.as_str_or_null()?;
    Ok(Arc::new(Message {
        room,
        seq: whole(row, 0)?,
        time: whole(row, 1)?,
        nickname: Nickname::recorded(nick).map_err(|error| unreadable(2, error))?,
        text: Text::parse(text, usize::MAX).map_err(|error| unreadable(3, error))?,
        id: id.map(|id| Id::parse(id).ok_or_else(|| unreadable(4, "no id"))).transpose()?,
        kind: kind(row.get(5)?).ok_or_else(|| unreadable(5, "no kind of message"))?,
    }))
}

/// The name of a room.
pub(super) fn room(row: &Row<'_>, column: usize) -> rusqlite::Result<RoomName> {
    RoomName::recorded(row.get_ref(column)?.as_str()?).map_err(|error| unreadable(column, error))
}

/// A number that is not negative. SQLite knows no others than 63 bits and a sign.
pub(super) fn whole(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column)
}

fn unreadable(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

/// Small, and never changed.
pub(super) fn number_of(kind: Kind) -> i64 {
    match kind {
        Kind::Say => 0,
        Kind::Me => 1,
    }
}

fn kind(number: i64) -> Option<Kind> {
    match number {
        0 => Some(Kind::Say),
        1 => Some(Kind::Me),
        _ => None,
    }
}
