//! The store: one SQLite file, in write-ahead mode, synced to the disk at every commit.
//!
//! | table | what |
//! |---|---|
//! | `log` | the chained log: each row carries a digest of its content and a hash over that and the row before |
//! | `anchor` | number and hash of the last row that was purged: where the chain begins now |
//! | `buckets` | people by band per hour, screen and creative |
//! | `receipt_links` | which receipt a log row's random link key belongs to; erased without touching the chain |

use crate::{
    buckets::Release,
    chain::{self, Content, Hash},
};
use facialads_campaign::CreativeRef;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};
use std::{path::Path, time::Duration};

/// "FADS": tells our files from other SQLite files.
const APPLICATION_ID: i64 = 0x4641_4453;
const VERSION: i64 = 1;
/// A lock that is held longer than this counts as a failed attempt; the writer tries again later.
const BUSY: Duration = Duration::from_millis(250);

const SCHEMA: &str = "
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    link TEXT NOT NULL,
    body TEXT,
    digest BLOB NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL
);
CREATE INDEX log_at ON log (at);
CREATE INDEX log_kind ON log (kind, at);
CREATE TABLE anchor (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL);
CREATE TABLE buckets (
    hour INTEGER NOT NULL,
    screen TEXT NOT NULL,
    campaign TEXT NOT NULL,
    creative TEXT NOT NULL,
    dimension TEXT NOT NULL,
    band TEXT NOT NULL,
    people INTEGER NOT NULL,
    PRIMARY KEY (hour, screen, campaign, creative, dimension, band)
) WITHOUT ROWID;
CREATE TABLE receipt_links (
    receipt TEXT NOT NULL,
    link TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (receipt, link)
) WITHOUT ROWID;
";

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("this is an SQLite file of another program")]
    Foreign,
    #[error("the store has version {0}, newer than this program knows")]
    Newer(i64),
    #[error("the file at this path was replaced")]
    Replaced,
    #[error("row {seq} cannot be read: {error}")]
    Row { seq: i64, error: String },
}

impl StoreError {
    /// What an operator can do.
    pub fn hint(&self) -> &'static str {
        use rusqlite::ErrorCode as Code;
        let code = match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        };
        match (self, code) {
            (_, Some(Code::DiskFull)) => {
                "free space on its disk, or raise the largest size; recording then goes on by itself"
            }
            (_, Some(Code::DatabaseBusy | Code::DatabaseLocked)) => {
                "another program holds the store; recording goes on when it lets go"
            }
            (_, Some(Code::DatabaseCorrupt | Code::NotADatabase)) | (Self::Foreign | Self::Row { .. }, _) => {
                "move the file away, or name another one; a new store is then made by itself"
            }
            (_, Some(Code::ReadOnly | Code::PermissionDenied)) => "make the file and its folder writable",
            (_, Some(Code::CannotOpen)) | (Self::Io(_), _) => {
                "check that the folder is there and may be written to"
            }
            (Self::Newer(_), _) => "use the program that wrote it, or name another file",
            (_, Some(Code::SystemIoFailure)) => "check the disk and the space left on it",
            _ => "recording is tried again by itself",
        }
    }
}

/// One row to be written.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Row { content: Content, receipts: Vec<String> },
    Bucket(Release),
}

pub(crate) struct Store {
    connection: Connection,
    inode: Option<(u64, u64)>,
    path: std::path::PathBuf,
}

impl Store {
    /// Opens the store for writing, making it where there is none.
    pub fn open(path: &Path, largest: Option<u64>) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        check(&connection)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        // What is purged or erased must not linger in free pages.
        connection.pragma_update(None, "secure_delete", true)?;
        if let Some(bytes) = largest {
            let page: u64 =
                connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?.unsigned_abs();
            let pages = i64::try_from(bytes / page.max(1)).unwrap_or(i64::MAX);
            connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        }
        let mut store = Self { connection, inode: inode(path), path: path.to_owned() };
        store.prepare()?;
        Ok(store)
    }

    fn prepare(&mut self) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if version(&transaction)? == 0 {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
        self.inode = inode(&self.path);
        Ok(())
    }

    /// Writes all of it or nothing; on disk when this returns.
    pub fn write(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        // Someone who moves the file away would otherwise get no further records.
        if inode(&self.path) != self.inode {
            return Err(StoreError::Replaced);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read inside the transaction: another process may have written meanwhile.
        let (mut seq, mut prev) = tail(&transaction)?;
        for write in writes {
            match write {
                Write::Row { content, receipts } => {
                    seq += 1;
                    prev = insert(&transaction, seq, &prev, content)?;
                    link(&transaction, content, receipts)?;
                }
                Write::Bucket(release) => add(&transaction, release)?,
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Plays at or after `since`: screen, creative, when.
    pub fn plays(&self, since: Timestamp) -> Result<Vec<(String, CreativeRef, Timestamp)>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT seq, body FROM log WHERE kind = 'impression' AND at >= ?1 AND body IS NOT NULL",
        )?;
        let rows = statement.query_map([since.as_millisecond()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        let mut plays = Vec::new();
        for row in rows {
            let (seq, body) = row?;
            let shown: crate::Impression = serde_json::from_str(&body)
                .map_err(|error| StoreError::Row { seq, error: error.to_string() })?;
            if shown.frames > 0 || shown.samples > 0 {
                let creative = CreativeRef { campaign: shown.campaign, creative: shown.creative };
                plays.push((shown.screen, creative, shown.at));
            }
        }
        Ok(plays)
    }

    /// Forgets everything older than `cutoff`. Rows of the log are emptied down to their digest, so that the chain still
    /// holds, and those at its beginning are removed altogether.
    pub fn purge(&mut self, cutoff: Timestamp) -> Result<u64, StoreError> {
        let cutoff = cutoff.as_millisecond();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut purged = transaction.execute(
            "UPDATE log SET body = NULL, kind = 'purged', link = '', at = 0 WHERE at < ?1 AND body IS NOT NULL",
            [cutoff],
        )?;
        let last = transaction
            .query_row(
                "SELECT seq, hash FROM log WHERE body IS NULL
                 AND seq < coalesce((SELECT min(seq) FROM log WHERE body IS NOT NULL), 9223372036854775807)
                 ORDER BY seq DESC LIMIT 1",
                [],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Hash>(1)?)),
            )
            .optional()?;
        if let Some((seq, hash)) = last {
            transaction.execute("INSERT OR REPLACE INTO anchor VALUES (1, ?1, ?2)", params![seq, hash])?;
            transaction.execute("DELETE FROM log WHERE seq <= ?1", [seq])?;
        }
        purged += transaction.execute("DELETE FROM buckets WHERE hour < ?1", [cutoff])?;
        purged += transaction.execute("DELETE FROM receipt_links WHERE at < ?1", [cutoff])?;
        transaction.commit()?;
        if purged > 0 {
            checkpoint(&self.connection);
        }
        Ok(purged as u64)
    }
}

/// Moves the write-ahead file into the store and empties it, so that purged content is in neither. Readers may keep it
/// from happening now; the next checkpoint does it then.
fn checkpoint(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

/// Opens a store for reading. It must exist.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    check(&connection)?;
    if version(&connection)? == 0 {
        return Err(StoreError::Foreign);
    }
    Ok(connection)
}

/// Deletes what links a receipt (by its digest) to records, and says how many links there were. Doing it again finds
/// none. The chain stays whole: it never held the receipt.
pub fn erase_links(path: &Path, receipt: &str) -> Result<usize, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    check(&connection)?;
    if version(&connection)? == 0 {
        return Err(StoreError::Foreign);
    }
    connection.pragma_update(None, "secure_delete", true)?;
    let erased = connection.execute("DELETE FROM receipt_links WHERE receipt = ?1", [receipt])?;
    if erased > 0 {
        checkpoint(&connection);
    }
    Ok(erased)
}

/// Everything that is linked to a receipt, as JSON: what a viewer gets who asks what is known.
pub fn linked_records(path: &Path, receipt: &str) -> Result<Vec<serde_json::Value>, StoreError> {
    let connection = open_to_read(path)?;
    let mut statement = connection.prepare(
        "SELECT log.seq, log.kind, log.body FROM log JOIN receipt_links ON log.link = receipt_links.link
         WHERE receipt_links.receipt = ?1 AND log.body IS NOT NULL ORDER BY log.seq",
    )?;
    let rows = statement.query_map([receipt], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut records = Vec::new();
    for row in rows {
        let (seq, kind, body) = row?;
        let mut record: serde_json::Value =
            serde_json::from_str(&body).map_err(|error| StoreError::Row { seq, error: error.to_string() })?;
        if let Some(record) = record.as_object_mut() {
            record.insert("record".to_owned(), kind.into());
        }
        records.push(record);
    }
    Ok(records)
}

fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Refuses files of other programs and of newer versions; an empty file is fine.
fn check(connection: &Connection) -> Result<(), StoreError> {
    let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id != APPLICATION_ID && (id != 0 || tables > 0) {
        return Err(StoreError::Foreign);
    }
    match version(connection)? {
        newer if newer > VERSION => Err(StoreError::Newer(newer)),
        _ => Ok(()),
    }
}

/// Number and hash of the last row.
fn tail(connection: &Connection) -> Result<(i64, Hash), StoreError> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let last =
        connection.query_row("SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1", [], read).optional()?;
    match last {
        Some(last) => Ok(last),
        None => anchor(connection),
    }
}

/// Where the chain begins.
pub(crate) fn anchor(connection: &Connection) -> Result<(i64, Hash), StoreError> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let anchor = connection.query_row("SELECT seq, hash FROM anchor", [], read).optional()?;
    Ok(anchor.unwrap_or((0, chain::GENESIS)))
}

fn insert(connection: &Connection, seq: i64, prev: &Hash, content: &Content) -> Result<Hash, StoreError> {
    let digest = content.digest();
    let hash = chain::hash(prev, seq, &digest);
    connection
        .prepare_cached(
            "INSERT INTO log (seq, at, kind, link, body, digest, prev, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![seq, content.at, content.kind, content.link, content.body, digest, prev, hash])?;
    Ok(hash)
}

fn link(connection: &Connection, content: &Content, receipts: &[String]) -> Result<(), StoreError> {
    for receipt in receipts {
        connection
            .prepare_cached("INSERT OR IGNORE INTO receipt_links (receipt, link, at) VALUES (?1, ?2, ?3)")?
            .execute(params![receipt, content.link, content.at])?;
    }
    Ok(())
}

fn add(connection: &Connection, release: &Release) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO buckets (hour, screen, campaign, creative, dimension, band, people)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET people = people + excluded.people",
    )?;
    for (dimension, band, people) in release.counts.cells() {
        let key = &release.key;
        statement.execute(params![
            key.hour.as_millisecond(),
            key.screen,
            key.campaign,
            key.creative,
            dimension,
            band,
            people
        ])?;
    }
    Ok(())
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
