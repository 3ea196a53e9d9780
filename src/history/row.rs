//! Converts messages to rows and back.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Row, Statement};

use crate::chat::{Id, Kind, Message, Nickname, RoomName, Text};

/// Maximum number of messages in one statement. A full statement takes two thirds of the time of that
/// many single ones.
pub(super) const ROWS_MAX: usize = 16;

/// The columns of `message AS m` that [`message`] reads.
pub(super) const COLUMNS: &str = "m.seq, m.time, m.nick, m.text, m.id, m.kind";

/// Reads a message. An invalid one is an error: another program has written it.
pub(super) fn message(room: RoomName, row: &Row<'_>) -> rusqlite::Result<Arc<Message>> {
    let (nick, text): (_, _) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
    let id = row.get_ref(4)?.as_str_or_null()?;
    Ok(Arc::new(Message {
        room,
        seq: unsigned(row, 0)?,
        time: unsigned(row, 1)?,
        nickname: Nickname::recorded(nick).map_err(|error| unreadable(2, error))?,
        text: Text::parse(text, usize::MAX).map_err(|error| unreadable(3, error))?,
        id: id.map(|id| Id::parse(id).ok_or_else(|| unreadable(4, "no id"))).transpose()?,
        kind: kind(row.get(5)?).ok_or_else(|| unreadable(5, "no kind of message"))?,
    }))
}

/// Reads the name of a room.
pub(super) fn room(row: &Row<'_>, column: usize) -> rusqlite::Result<RoomName> {
    RoomName::recorded(row.get_ref(column)?.as_str()?).map_err(|error| unreadable(column, error))
}

/// Reads a number that is not negative.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column)
}

fn unreadable(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

/// Returns the number of a kind in the file. It must never change.
fn number_of(kind: Kind) -> i64 {
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

/// Reads the ids of all rooms.
pub(super) fn room_ids(connection: &Connection) -> rusqlite::Result<HashMap<RoomName, i64>> {
    let mut rooms = connection.prepare("SELECT name, id FROM room")?;
    let rows = rooms.query_map([], |it| Ok((room(it, 0)?, it.get(1)?)))?;
    rows.collect()
}

/// Returns the highest number that a message ever had.
pub(super) fn last_number(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT max(last_number, coalesce((SELECT max(number) FROM message), 0)) FROM history",
        [],
        |it| it.get(0),
    )
}

/// The statements that insert one message, and [`ROWS_MAX`].
static INSERTIONS: LazyLock<[String; 2]> = LazyLock::new(|| [insertion(1), insertion(ROWS_MAX)]);

/// Writes up to [`ROWS_MAX`] messages, and counts `last_number` up.
pub(super) fn insert(
    connection: &Connection,
    room_ids: &mut HashMap<RoomName, i64>,
    messages: &[Arc<Message>],
    last_number: &mut i64,
) -> rusqlite::Result<()> {
    let [one, many] = &*INSERTIONS;
    let (sql, step) = if messages.len() == ROWS_MAX { (many, ROWS_MAX) } else { (one, 1) };
    let mut statement = connection.prepare_cached(sql)?;
    for messages in messages.chunks(step) {
        for (index, message) in messages.iter().enumerate() {
            let room = find_or_insert_room(connection, room_ids, &message.room)?;
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

/// Returns the id of a room, and inserts the room if the file does not have it.
pub(super) fn find_or_insert_room(
    connection: &Connection,
    room_ids: &mut HashMap<RoomName, i64>,
    room: &RoomName,
) -> rusqlite::Result<i64> {
    if let Some(id) = room_ids.get(room) {
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
    room_ids.insert(room.clone(), id);
    Ok(id)
}
