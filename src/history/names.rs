//! Nicknames of sessions, which are reserved for some time after the server starts again.

use rusqlite::{Connection, Transaction, params};

use crate::chat::{Digest, NameChange, Nickname};

/// Maximum number of nicknames that are restored at the start.
const NAMES_MAX: usize = 10_000;

/// Reads the nicknames that an earlier run left. Skips invalid ones.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Vec<(Digest, Nickname)>> {
    let mut names = connection.prepare("SELECT session, nick FROM name LIMIT ?1")?;
    let rows = names.query_map([NAMES_MAX], |row| {
        let session = row.get_ref(0)?.as_blob()?.try_into().ok().map(Digest);
        Ok(session.zip(Nickname::parse_any(row.get_ref(1)?.as_str()?).ok()))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// Writes the changes of a turn.
pub(super) fn write(transaction: &Transaction<'_>, changes: &[NameChange]) -> rusqlite::Result<()> {
    for NameChange { session, nickname } in changes {
        match nickname {
            Some(nickname) => insert(transaction, session, nickname)?,
            None => {
                let delete = "DELETE FROM name WHERE session = ?1";
                transaction.prepare_cached(delete)?.execute([&session.0[..]])?;
            }
        }
    }
    Ok(())
}

/// Replaces all nicknames in the file by these.
pub(super) fn replace<'a>(
    transaction: &Transaction<'_>,
    names: impl Iterator<Item = (Digest, &'a Nickname)>,
) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM name", [])?;
    for (session, nickname) in names {
        insert(transaction, &session, nickname)?;
    }
    Ok(())
}

fn insert(
    transaction: &Transaction<'_>,
    session: &Digest,
    nickname: &Nickname,
) -> rusqlite::Result<()> {
    let insert = "INSERT OR REPLACE INTO name (session, nick) VALUES (?1, ?2)";
    transaction.prepare_cached(insert)?.execute(params![&session.0[..], nickname.as_str()])?;
    Ok(())
}
