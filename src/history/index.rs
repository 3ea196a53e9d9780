//! The search index: for each message its words, its author and its room, in a file beside the
//! history. Everything in it can be made anew from the history, and is, whenever the two do not go
//! together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::file::{Use, beside, connect, open_private};
use crate::chat::{Nickname, Query, indexed};

/// The version of what is in the index. Another than this is made anew. It changes with the words
/// that [`indexed`] makes and with [`Nickname::lookalike_keys`].
const VERSION: i64 = 2;

/// Where the index is, and of which history it is to be.
#[derive(Clone, Debug)]
pub(super) struct Index {
    path: PathBuf,
    epoch: String,
}

/// A message, as far as it is searched.
pub(super) struct IndexEntry<'a> {
    pub(super) number: i64,
    pub(super) room: i64,
    pub(super) nickname: &'a str,
    pub(super) text: &'a str,
}

impl Index {
    pub(super) fn at(history: &Path, epoch: &str) -> Self {
        Self { path: beside(history, "-search"), epoch: epoch.to_owned() }
    }

    /// `None` where there is none yet that goes with the history.
    pub(super) fn connect(&self, purpose: Use) -> rusqlite::Result<Option<Connection>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let connection = connect(&self.path, purpose)?;
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        if version != Ok(VERSION) {
            return Ok(None);
        }
        let epoch: String = connection.query_row("SELECT epoch FROM state", [], |it| it.get(0))?;
        Ok((epoch == self.epoch).then_some(connection))
    }

    /// The index, made anew if it is none, or not of this history.
    pub(super) fn open(&self) -> io::Result<Connection> {
        let connection = match self.connect(Use::Write) {
            Ok(Some(connection)) => connection,
            _ => self.renew()?,
        };
        const PAGES: i64 = 1000;
        connection.pragma_update(None, "wal_autocheckpoint", PAGES).map_err(io::Error::other)?;
        Ok(connection)
    }

    /// An empty index in place of whatever is there.
    pub(super) fn renew(&self) -> io::Result<Connection> {
        for suffix in ["", "-wal", "-shm"] {
            match fs::remove_file(beside(&self.path, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        drop(open_private(&self.path)?);
        let connection = connect(&self.path, Use::Write).map_err(io::Error::other)?;
        self.fill_in(&connection).map_err(io::Error::other)?;
        Ok(connection)
    }

    /// `ascii` keeps every character that is not ASCII: folding is ours ([`indexed`]), and more than
    /// SQLite knows. It divides words at an apostrophe. Whole texts are not in the index, only where their words are.
    fn fill_in(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        // What is lost with the power is made anew.
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

/// Up to which message everything is in the index.
pub(super) fn up_to(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT up_to FROM state", [], |it| it.get(0))
}

/// Says up to which message everything is in the index.
pub(super) fn set_up_to(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    connection.execute("UPDATE state SET up_to = ?1", [number]).map(drop)
}

pub(super) fn add(connection: &Connection, entry: &IndexEntry<'_>) -> rusqlite::Result<()> {
    let IndexEntry { number, room, nickname, text } = *entry;
    let author = Nickname::recorded(nickname).map(|author| tag_of(&author)).unwrap_or_default();
    let (tags, words) = (format!("{} {author}", tag_of_room(room)), indexed(text));
    let mut insert =
        connection.prepare_cached("INSERT INTO entry (rowid, tags, words) VALUES (?1, ?2, ?3)")?;
    insert.execute(params![number, tags, words]).map(drop)
}

pub(super) fn remove(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM entry WHERE rowid = ?1")?.execute([number]).map(drop)
}

/// Up to `limit` numbers of messages that are in the index, after one.
pub(super) fn numbers(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<i64>> {
    let mut numbers = connection
        .prepare_cached("SELECT id FROM entry_docsize WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    numbers.query_map(params![after, limit], |row| row.get(0))?.collect()
}

/// Calls `each` with the number of every message that is found, the newest first, until it has
/// enough and returns false.
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

/// What FTS5 understands: <https://www.sqlite.org/fts5.html#full_text_query_syntax>.
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

/// As one word of letters and digits, whatever the nickname is made of.
fn tag_of(author: &Nickname) -> String {
    let [folded, _] = author.lookalike_keys();
    folded.bytes().fold(String::from("n"), |tag, byte| format!("{tag}{byte:02x}"))
}
