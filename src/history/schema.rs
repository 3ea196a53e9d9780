//! The tables of a history, and the upgrade from older versions of the format.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::HistoryError;

/// Marks a SQLite file as a history of chinwag: `chwg`.
const APPLICATION_ID: i64 = 0x6368_7767;

/// Each statement upgrades a history by one version. The first starts with an empty file.
const UPGRADES: [&str; 4] = [
    "CREATE TABLE history (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        epoch TEXT NOT NULL,
        opened_in TEXT
     ) STRICT;
     CREATE TABLE room (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
     ) STRICT;
     CREATE TABLE message (
        number INTEGER PRIMARY KEY,
        room INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        time INTEGER NOT NULL,
        nick TEXT NOT NULL,
        text TEXT NOT NULL,
        id TEXT,
        kind INTEGER NOT NULL DEFAULT 0
     ) STRICT;
     CREATE UNIQUE INDEX message_of_room ON message (room, seq);
     INSERT INTO history (only, epoch) VALUES (1, lower(hex(randomblob(8))));",
    // Messages may be deleted: their numbers are not used again.
    "ALTER TABLE history ADD COLUMN last_number INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE room ADD COLUMN last_seq INTEGER NOT NULL DEFAULT 0;",
    // The file has a clock of its own.
    "ALTER TABLE history ADD COLUMN time INTEGER;
     ALTER TABLE history ADD COLUMN doubted INTEGER NOT NULL DEFAULT 0;
     CREATE TABLE doubt (
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        before INTEGER NOT NULL,
        since INTEGER
     ) STRICT;",
    // Nicknames are reserved for their sessions over a restart. The clock has a certain time.
    "ALTER TABLE history ADD COLUMN certain INTEGER;
     CREATE TABLE name (
        session BLOB PRIMARY KEY,
        nick TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;",
];

/// Version of the format that this program writes.
pub(super) const VERSION: i64 = UPGRADES.len() as i64;

/// Creates the tables in an empty file, or upgrades a history of an older version.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), HistoryError> {
    let sql = |error| HistoryError::of(path, error);
    let version = version_of(connection, path)?;
    if version == VERSION {
        return Ok(());
    }
    if version == 0 {
        // `auto_vacuum` can only be set while there are no tables.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;").map_err(sql)?;
    } else {
        log::info!("{}: upgrading the format from version {version} to {VERSION}", path.display());
    }
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    upgrade(&transaction, version, VERSION).map_err(sql)?;
    transaction.commit().map_err(sql)
}

/// Returns the version of a history, or 0 for an empty file.
pub(super) fn version_of(connection: &Connection, path: &Path) -> Result<i64, HistoryError> {
    let sql = |error| HistoryError::of(path, error);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id").map_err(sql)?;
    let version = pragma("user_version").map_err(sql)?;
    let count = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(count, [], |row| row.get(0)).map_err(sql)?;
    match (application, version, tables) {
        (0, 0, 0) => Ok(0),
        (APPLICATION_ID, 1..=VERSION, 1..) => Ok(version),
        (APPLICATION_ID, found, _) if found > VERSION => {
            Err(HistoryError::Newer { path: path.to_owned(), found, known: VERSION })
        }
        _ => Err(HistoryError::Foreign(path.to_owned())),
    }
}

/// Upgrades a history from a version to a later one.
pub(super) fn upgrade(transaction: &Transaction<'_>, from: i64, to: i64) -> rusqlite::Result<()> {
    let upgrades = (1..).zip(UPGRADES).filter(|(version, _)| (from + 1..=to).contains(version));
    for (version, upgrade) in upgrades {
        transaction.execute_batch(upgrade)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)
}
