//! Messages as rows, and rows as messages.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Row, Statement};

use crate::chat::{Id, Kind, Message, Nickname, RoomName, Text};

/// Maximum number of messages in one statement, which takes two thirds of the time of as many.
pub(super) const ROWS_MAX: usize = 16;

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

/// The rooms that the history knows, with their ids.
pub(super) fn ids(connection: &Connection) -> rusqlite::Result<HashMap<RoomName, i64>> {
    let mut rooms = connection.prepare("SELECT name, id FROM room")?;
    let rows = rooms.query_map([], |it| Ok((room(it, 0)?, it.get(1)?)))?;
    rows.collect()
}

/// The largest number that a message ever had.
pub(super) fn last_number(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT max(last_number, coalesce((SELECT max(number) FROM message), 0)) FROM history",
        [],
        |it| it.get(0),
    )
}

/// For one message, and for [`ROWS_MAX`].
static INSERTIONS: LazyLock<[String; 2]> = LazyLock::new(|| [insertion(1), insertion(ROWS_MAX)]);

/// Writes up to [`ROWS_MAX`] messages.
pub(super) fn insert(
    connection: &Connection,
    rooms: &mut HashMap<RoomName, i64>,
    messages: &[Arc<Message>],
    last_number: &mut i64,
) -> rusqlite::Result<()> {
    let [one, many] = &*INSERTIONS;
    let (sql, step) = if messages.len() == ROWS_MAX { (many, ROWS_MAX) } else { (one, 1) };
    let mut statement = connection.prepare_cached(sql)?;
    for messages in messages.chunks(step) {
        for (index, message) in messages.iter().enumerate() {
            let room = id_of(connection, rooms, &message.room)?;
            *last_number = last_number
                .checked_add(1)
                .ok_or(Error::IntegralValueOutOfRange(0, *last_number))?;
            bind(&mut statement, index, *last_number, room, message)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

fn insertion(rows: usize) -> String {
    let rows = vec!["(?,?,?,?,?,?,?,?)"; rows].join(",");
    format!("INSERT INTO message (number, room, seq, time, nick, text, id, kind) VALUES {rows}")
}

fn bind(
    statement: &mut Statement<'_>,
    index: usize,
    number: i64,
    room: i64,
    message: &Message,
) -> rusqlite::Result<()> {
    let first = index * 8;
    statement.raw_bind_parameter(first + 1, number)?;
    statement.raw_bind_parameter(first + 2, room)?;
    statement.raw_bind_parameter(first + 3, message.seq)?;
    statement.raw_bind_parameter(first + 4, message.time)?;
    statement.raw_bind_parameter(first + 5, message.nickname.as_str())?;
    statement.raw_bind_parameter(first + 6, message.text.as_str())?;
    statement.raw_bind_parameter(first + 7, message.id.as_ref().map(Id::as_str))?;
    statement.raw_bind_parameter(first + 8, number_of(message.kind))
}

/// The id of a room, which gets one if it has none.
pub(super) fn id_of(
    connection: &Connection,
    rooms: &mut HashMap<RoomName, i64>,
    room: &RoomName,
) -> rusqlite::Result<i64> {
    if let Some(id) = rooms.get(room) {
        return Ok(*id);
    }
    let name = room.as_str();
    let mut find = connection.prepare_cached("SELECT id FROM room WHERE name = ?1")?;
    let id = match find.query_row([name], |it| it.get(0)).optional()? {
        Some(id) => id,
        None => {
            connection.execute("INSERT INTO room (name) VALUES (?1)", [name])?;
            connection.last_insert_rowid()
        }
    };
    rooms.insert(room.clone(), id);
    Ok(id)
}
