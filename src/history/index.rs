//! The search index: the words, the author and the room of each message, in a separate file.
//!
//! It is rebuilt from the history whenever the two do not match.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::open::{Access, connect, open_private, sibling};
use crate::chat::{Nickname, Query, indexed};

/// Version of the content of the index. An index of another version is rebuilt. Change it together
/// with the result of [`indexed`] or of [`Nickname::lookalike_keys`].
const VERSION: i64 = 2;

/// The path of an index, and the epoch of its history.
#[derive(Clone, Debug)]
pub(super) struct Index {
    path: PathBuf,
    epoch: String,
}

/// The parts of a message that are indexed.
pub(super) struct IndexEntry<'a> {
    pub(super) number: i64,
    pub(super) room: i64,
    pub(super) nickname: &'a str,
    pub(super) text: &'a str,
}

impl Index {
    pub(super) fn new(history: &Path, epoch: &str) -> Self {
        Self { path: sibling(history, "-search"), epoch: epoch.to_owned() }
    }

    /// Opens a connection, or returns `None` if there is no index that matches the history.
    pub(super) fn connect(&self, access: Access) -> rusqlite::Result<Option<Connection>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let connection = connect(&self.path, access)?;
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        if version != Ok(VERSION) {
            return Ok(None);
        }
        let epoch: String = connection.query_row("SELECT epoch FROM state", [], |it| it.get(0))?;
        Ok((epoch == self.epoch).then_some(connection))
    }

    /// Opens a connection for writing. Creates an empty index if there is none that matches.
    pub(super) fn open(&self) -> io::Result<Connection> {
        let connection = match self.connect(Access::Write) {
            Ok(Some(connection)) => connection,
            _ => self.recreate()?,
        };
        /// Length of the WAL above which SQLite moves it into the index (pages).
        const PAGES: i64 = 1000;
        connection.pragma_update(None, "wal_autocheckpoint", PAGES).map_err(io::Error::other)?;
        Ok(connection)
    }

    /// Creates an empty index in place of any other.
    pub(super) fn recreate(&self) -> io::Result<Connection> {
        for suffix in ["", "-wal", "-shm"] {
            match fs::remove_file(sibling(&self.path, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        drop(open_private(&self.path)?);
        let connection = connect(&self.path, Access::Write).map_err(io::Error::other)?;
        self.create_tables(&connection).map_err(io::Error::other)?;
        Ok(connection)
    }

    /// Creates the tables. The tokenizer `ascii` leaves all characters that are not ASCII as they are,
    /// because [`indexed`] has folded them, and more of them than SQLite could. The table has no
    /// texts, only the places of their words.
    fn create_tables(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        // Messages that a power failure takes out of the index are added again.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(
            "BEGIN;
             CREATE TABLE state (epoch TEXT NOT NULL, up_to INTEGER NOT NULL) STRICT;
             CREATE VIRTUAL TABLE entry USING fts5(
                tags, words, content = '', contentless_delete = 1, prefix = '1 2',
                tokenize = 'ascii');",
        )?;
        connection.execute("INSERT INTO state VALUES (?1, 0)", [&self.epoch])?;
        connection.pragma_update(None, "user_version", VERSION)?;
        connection.execute_batch("COMMIT")
    }
}

/// Returns the number of the message up to which all are indexed.
pub(super) fn up_to(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT up_to FROM state", [], |it| it.get(0))
}

/// Sets the number of the message up to which all are indexed.
pub(super) fn set_up_to(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    connection.execute("UPDATE state SET up_to = ?1", [number]).map(drop)
}

/// Adds a message to the index.
pub(super) fn add(connection: &Connection, entry: &IndexEntry<'_>) -> rusqlite::Result<()> {
    let IndexEntry { number, room, nickname, text } = *entry;
    let author = Nickname::recorded(nickname).map(|author| tag_of(&author)).unwrap_or_default();
    let (tags, words) = (format!("{} {author}", tag_of_room(room)), indexed(text));
    let mut insert =
        connection.prepare_cached("INSERT INTO entry (rowid, tags, words) VALUES (?1, ?2, ?3)")?;
    insert.execute(params![number, tags, words]).map(drop)
}

/// Removes a message from the index.
pub(super) fn remove(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM entry WHERE rowid = ?1")?.execute([number]).map(drop)
}

/// Returns the numbers of up to `limit` indexed messages, starting after the number `after`.
pub(super) fn numbers(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<i64>> {
    let mut numbers = connection
        .prepare_cached("SELECT id FROM entry_docsize WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    numbers.query_map(params![after, limit], |row| row.get(0))?.collect()
}

/// Calls `each` with the number of each message that matches, newest first, until it returns false.
pub(super) fn find(
    connection: &Connection,
    query: &Query,
    room: Option<i64>,
    before: Option<u64>,
    mut each: impl FnMut(u64) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let mut found = connection.prepare_cached(
        "SELECT rowid FROM entry WHERE entry MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC",
    )?;
    let before = before.unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs());
    let mut rows = found.query(params![expression(query, room), before])?;
    while let Some(row) = rows.next()? {
        if !each(row.get(0)?)? {
            break;
        }
    }
    Ok(())
}

/// Returns the query in the language of FTS5: <https://www.sqlite.org/fts5.html#full_text_query_syntax>.
fn expression(query: &Query, room: Option<i64>) -> String {
    let phrases = query.phrases.iter().map(|phrase| {
        let words = phrase.words.join(" ").replace('"', " ");
        format!("words : \"{words}\"{}", if phrase.is_open { " *" } else { "" })
    });
    let authors = query.authors.iter().map(|names| {
        let names: Vec<_> = names.iter().map(tag_of).collect();
        format!("tags : ({})", names.join(" OR "))
    });
    let room = room.map(|room| format!("tags : {}", tag_of_room(room)));
    phrases.chain(authors).chain(room).collect::<Vec<_>>().join(" AND ")
}

fn tag_of_room(room: i64) -> String {
    format!("r{room}")
}

/// Returns one word of letters and digits for a nickname of any characters.
fn tag_of(author: &Nickname) -> String {
    let [folded, _] = author.lookalike_keys();
    folded.bytes().fold(String::from("n"), |tag, byte| format!("{tag}{byte:02x}"))
}
