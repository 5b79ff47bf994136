use super::StoreError;
use rusqlite::Connection;
use std::path::Path;

/// "FADC" in the file's header: a store of ours.
const APPLICATION: i32 = 0x4641_4443;
/// The newest layout that this program knows.
pub const VERSION: i64 = 1;

const CREATE: &str = "
CREATE TABLE grants (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL UNIQUE,
    screen TEXT NOT NULL,
    purposes TEXT NOT NULL,
    adult INTEGER NOT NULL,
    granted_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    notice_version TEXT NOT NULL,
    notice_language TEXT NOT NULL,
    method TEXT NOT NULL,
    withdrawn_at INTEGER
) STRICT;
CREATE INDEX grants_by_screen ON grants (screen, withdrawn_at, expires_at);
CREATE INDEX grants_by_start ON grants (granted_at);
";

/// Makes an empty database a store. Safe against another program doing the same at the same time.
pub fn create(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if state(&transaction)? == State::Empty {
        transaction.execute_batch(CREATE)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    check(connection, path)
}

/// Refuses what is no store, or one of a newer layout.
pub fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match state(connection)? {
        State::Ours(VERSION) => Ok(()),
        State::Ours(found) if found > VERSION => Err(StoreError::Newer { found, known: VERSION }),
        State::Ours(found) => Err(StoreError::Corrupt(format!("there never was a version {found}"))),
        State::Empty => Err(StoreError::Missing(path.to_owned())),
        State::Foreign => Err(StoreError::Foreign(path.to_owned())),
    }
}

#[derive(PartialEq, Eq)]
enum State {
    Empty,
    Ours(i64),
    Foreign,
}

fn state(connection: &Connection) -> Result<State, StoreError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if number("application_id")? == i64::from(APPLICATION) {
        return Ok(State::Ours(number("user_version")?));
    }
    Ok(if tables == 0 { State::Empty } else { State::Foreign })
}
