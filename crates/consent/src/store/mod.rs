//! The grants, in SQLite.

mod error;
mod grant;
mod receipt;
mod schema;

pub use error::{GrantError, InvalidGrant, StoreError};
pub(crate) use grant::CLOCK_TOLERANCE;
pub use grant::{DEFAULT_MINUTES, Grant, MAX_MINUTES, MAX_SCREEN, NewGrant, Notice, Standing, check_screen};
pub use receipt::ReceiptId;

use crate::{Purposes, WallClock};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The store of grants. Blocks on the disk: never for a streaming thread, which asks a [`Watcher`](crate::Watcher).
pub struct Store {
    connection: Connection,
}

const COLUMNS: &str = "number, digest, screen, purposes, adult, granted_at, expires_at, notice_version, \
                       notice_language, method, withdrawn_at";

/// `$FACIALADS_STATE/consent.db`, else `$XDG_STATE_HOME/facialads/consent.db`, else
/// `~/.local/state/facialads/consent.db`.
pub fn default_path() -> Result<PathBuf, StoreError> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    folder("FACIALADS_STATE")
        .or_else(|| folder("XDG_STATE_HOME").map(|f| f.join("facialads")))
        .or_else(|| folder("HOME").map(|f| f.join(".local/state/facialads")))
        .map(|f| f.join("consent.db"))
        .ok_or(StoreError::NoPlace)
}

impl Store {
    /// Opens a store, which is made, with its folder, where there is none. A new one is readable by its owner alone.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        create_private(path).map_err(io)?;
        let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        schema::create(&mut connection, path)?;
        // A withdrawal must outlive a power cut, and a forgotten one must not come back.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", true)?;
        Ok(Self { connection })
    }

    /// Opens a store that is there, waiting no longer than `wait` for locks. Makes nothing.
    pub fn open_existing(path: &Path, wait: Duration) -> Result<Self, StoreError> {
        match std::fs::metadata(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Missing(path.to_owned()));
            }
            Err(source) => return Err(StoreError::Io { path: path.to_owned(), source }),
            Ok(_) => {}
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(wait)?;
        schema::check(&connection, path)?;
        Ok(Self { connection })
    }

    /// Writes a grant down, starting at `now`. The receipt is the viewer's; nobody can find it out again.
    pub fn grant(&self, new: &NewGrant, now: WallClock) -> Result<(ReceiptId, Grant), GrantError> {
        new.check()?;
        let id = ReceiptId::random()?;
        let duration = WallClock::try_from(new.duration.as_nanos()).unwrap_or(WallClock::MAX);
        let grant = Grant {
            number: 0,
            digest: id.digest(),
            screen: new.screen.clone(),
            purposes: new.purposes,
            adult: new.adult,
            granted_at: now,
            expires_at: now.saturating_add(duration),
            notice: new.notice.clone(),
            method: new.method.clone(),
            withdrawn_at: None,
        };
        let number = self.insert(&grant).map_err(StoreError::from)?;
        Ok((id, Grant { number, ..grant }))
    }

    fn insert(&self, grant: &Grant) -> rusqlite::Result<i64> {
        self.connection.execute(
            "INSERT INTO grants (digest, screen, purposes, adult, granted_at, expires_at, notice_version,
             notice_language, method) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                grant.digest,
                grant.screen,
                grant.purposes.to_string(),
                grant.adult,
                to_stored(grant.granted_at),
                to_stored(grant.expires_at),
                grant.notice.version,
                grant.notice.language,
                grant.method,
            ],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Withdraws the grant of a receipt and says what was withdrawn, `None` where there was nothing to withdraw: no such
    /// receipt, or withdrawn before. Whoever asks must be given the same answer in all cases, so that guessing teaches
    /// nothing.
    pub fn withdraw(&self, receipt: &str, now: WallClock) -> Result<Option<Grant>, StoreError> {
        let Some(id) = ReceiptId::parse(receipt) else { return Ok(None) };
        let digest = id.digest();
        let changed = self.connection.execute(
            "UPDATE grants SET withdrawn_at = ?2 WHERE digest = ?1 AND withdrawn_at IS NULL",
            params![digest, to_stored(now)],
        )?;
        if changed == 0 {
            return Ok(None);
        }
        let sql = format!("SELECT {COLUMNS} FROM grants WHERE digest = ?1");
        let row = self.connection.query_row(&sql, [digest], |row| Ok(parse(row))).optional()?;
        // A malformed grant is withdrawn like any other; there is nothing to tell about it.
        Ok(row.and_then(Result::ok))
    }

    /// All grants, of one screen or of all, oldest first, whatever their standing.
    pub fn list(&self, screen: Option<&str>) -> Result<Vec<Grant>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM grants WHERE ?1 IS NULL OR screen = ?1 ORDER BY number");
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map([screen], |row| Ok(parse(row)))?;
        rows.map(|row| row?).collect()
    }

    /// The grants that hold on a screen at `now`, oldest first. One malformed row makes it an error: if it is unclear
    /// what somebody agreed to, nobody has agreed.
    pub fn active(&self, screen: &str, now: WallClock) -> Result<Vec<Grant>, StoreError> {
        let mut grants = self.unexpired(screen, now)?;
        grants.retain(|grant| grant.standing(now) == Standing::Active);
        Ok(grants)
    }

    /// Like [`active`](Self::active), with those whose start lies ahead.
    pub(crate) fn unexpired(&self, screen: &str, now: WallClock) -> Result<Vec<Grant>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM grants WHERE screen = ?1 AND withdrawn_at IS NULL AND expires_at > ?2 ORDER BY number"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![screen, to_stored(now)], |row| Ok(parse(row)))?;
        let grants = rows.map(|row| row?).collect::<Result<Vec<_>, StoreError>>()?;
        match grants.iter().find(|grant| grant.screen != screen) {
            Some(_) => Err(StoreError::Corrupt("an index points at a grant of another screen".into())),
            None => Ok(grants),
        }
    }

    /// The last grant given on a screen, whatever its standing.
    pub(crate) fn last(&self, screen: &str) -> Result<Option<Grant>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM grants WHERE screen = ?1 ORDER BY number DESC LIMIT 1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_row([screen], |row| Ok(parse(row))).optional()?.transpose()
    }

    /// Number of the last grant of all.
    pub(crate) fn last_number(&self) -> Result<i64, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT coalesce(max(number), 0) FROM grants")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Number of the last grant whose start lies ahead of `now` by more than clocks may disagree; 0 where none does.
    pub(crate) fn last_ahead_of(&self, now: WallClock) -> Result<i64, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT coalesce(max(number), 0) FROM grants WHERE granted_at > ?1")?;
        let limit = to_stored(now.saturating_add(CLOCK_TOLERANCE));
        Ok(statement.query_row([limit], |row| row.get(0))?)
    }

    /// Writes what is in the journal into the store and empties it, as far as nobody else is in the way.
    pub(crate) fn empty_journal(&self) {
        // Fails where the store is beyond help; whatever is read next is checked anew.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// Changes whenever another connection has changed the store.
    pub(crate) fn data_version(&self) -> Result<i64, StoreError> {
        Ok(self.connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }
}

/// Makes the file before SQLite does, because SQLite makes it readable by all; its journals take over the mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

fn to_stored(time: WallClock) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// Reads a row without believing it: whoever can write the file can write anything into it.
fn parse(row: &Row<'_>) -> Result<Grant, StoreError> {
    let digest: String = row.get("digest").unwrap_or_default();
    let known = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    let prefix: String = digest.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let malformed = |what: &str| StoreError::Malformed { digest: prefix.clone(), what: what.to_owned() };
    let text = |column: &'static str| row.get::<_, String>(column).map_err(|_| malformed(column));
    let time = |column: &'static str| {
        row.get::<_, i64>(column)
            .ok()
            .and_then(|t| WallClock::try_from(t).ok())
            .ok_or_else(|| malformed(column))
    };
    if !known {
        return Err(malformed("digest"));
    }
    let grant = Grant {
        number: row.get("number").map_err(|_| malformed("number"))?,
        screen: text("screen")?,
        purposes: text("purposes")?.parse::<Purposes>().map_err(|_| malformed("purposes"))?,
        adult: match row.get::<_, i64>("adult") {
            Ok(0) => false,
            Ok(1) => true,
            _ => return Err(malformed("adult")),
        },
        granted_at: time("granted_at")?,
        expires_at: time("expires_at")?,
        notice: Notice { version: text("notice_version")?, language: text("notice_language")? },
        method: text("method")?,
        withdrawn_at: match row.get::<_, Option<i64>>("withdrawn_at") {
            Ok(None) => None,
            _ => Some(time("withdrawn_at")?),
        },
        digest,
    };
    let longest = MAX_MINUTES * 60 * 1_000_000_000;
    match grant.expires_at.checked_sub(grant.granted_at) {
        Some(1..) if grant.expires_at - grant.granted_at <= longest => Ok(grant),
        _ => Err(malformed("expires_at")),
    }
}
