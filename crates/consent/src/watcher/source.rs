//! The store as the watcher sees it: opened, looked at, and opened again when it is not the same any more.

use crate::{Grant, Standing, Store, StoreError, WallClock};
use std::{path::PathBuf, time::Duration};

/// Longest wait for a lock: within the heartbeat's limit, so that a short lock does not close the gate.
const LOCK_WAIT: Duration = Duration::from_millis(30);

pub struct Source {
    path: PathBuf,
    screen: String,
    open: Option<Open>,
}

struct Open {
    store: Store,
    files: Files,
    version: i64,
    rows: Rows,
}

impl Open {
    /// Leaves a store that lies elsewhere now. Its journal may lie beside the new one still, and SQLite would take it for
    /// the new one's, which would bring old grants back: so it is emptied into the store that it belongs to.
    fn let_go(self) -> Trouble {
        self.store.empty_journal();
        Trouble::Replaced
    }
}

/// What was read last.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Grants on the screen that are not withdrawn and had not expired when read.
    pub grants: Vec<Grant>,
    pub last: Option<Grant>,
    pub last_number: i64,
    /// Number of the last grant whose start lay ahead when read: it and those before it were given under another clock.
    pub last_ahead: i64,
}

impl Rows {
    pub fn last_standing(&self, now: WallClock) -> Option<Standing> {
        self.last.as_ref().map(|grant| grant.standing(now))
    }
}

#[derive(Debug)]
pub enum Trouble {
    /// Another file lies there now, or none.
    Replaced,
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Source {
    pub fn new(path: PathBuf, screen: String) -> Self {
        Self { path, screen, open: None }
    }

    /// What the store holds now. After any trouble the next call starts afresh.
    pub fn look(&mut self, now: WallClock) -> Result<&Rows, Trouble> {
        let open = match self.open.take() {
            None => self.reopen(now)?,
            Some(open) => self.renew(open, now)?,
        };
        Ok(&self.open.insert(open).rows)
    }

    fn renew(&self, mut open: Open, now: WallClock) -> Result<Open, Trouble> {
        match Files::look(&self.path) {
            None => return Err(open.let_go()),
            Some(files) if files.store != open.files.store => return Err(open.let_go()),
            // Written to behind SQLite's back, a checkpoint, or a journal that was taken away: what the connection
            // has cached may not be what is there.
            Some(files) if !open.files.accept(&files) => {
                return match self.reopen(now) {
                    Ok(again) if again.files.store == open.files.store => Ok(again),
                    Ok(_) | Err(Trouble::Replaced | Trouble::Store(StoreError::Missing(_))) => {
                        Err(open.let_go())
                    }
                    Err(other) => Err(other),
                };
            }
            Some(_) => {}
        }
        let version = open.store.data_version()?;
        if version != open.version {
            open.rows = self.read(&open.store, now)?;
            open.version = version;
        }
        Ok(open)
    }

    fn reopen(&self, now: WallClock) -> Result<Open, Trouble> {
        // Looked at before it is opened: a change in between is seen the next time.
        let before = Files::look(&self.path);
        let store = Store::open_existing(&self.path, LOCK_WAIT)?;
        let version = store.data_version()?;
        let rows = self.read(&store, now)?;
        let mut files = before.ok_or(Trouble::Replaced)?;
        // Opening may have made the journal.
        files.journal = files.journal.or_else(|| Files::look(&self.path)?.journal);
        Ok(Open { store, files, version, rows })
    }

    fn read(&self, store: &Store, now: WallClock) -> Result<Rows, StoreError> {
        Ok(Rows {
            grants: store.unexpired(&self.screen, now)?,
            // Only explains; a malformed one that no longer holds closes nothing.
            last: match store.last(&self.screen) {
                Err(StoreError::Malformed { .. }) => None,
                other => other?,
            },
            last_number: store.last_number()?,
            last_ahead: store.last_ahead_of(now)?,
        })
    }
}

/// Which files these are, and whether they were touched.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    store: Identity,
    size: u64,
    modified: Option<std::time::SystemTime>,
    /// The write-ahead log. SQLite makes it, and removes it when the last connection closes.
    journal: Option<Identity>,
}

/// Device and inode where there are such, else when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

impl Files {
    fn look(path: &std::path::Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok()?;
        let mut journal = path.as_os_str().to_owned();
        journal.push("-wal");
        Some(Self {
            store: identity(&data),
            size: data.len(),
            modified: data.modified().ok(),
            journal: std::fs::metadata(&journal).ok().as_ref().map(identity),
        })
    }

    /// Takes over a journal that has appeared; `false` for every other change.
    fn accept(&mut self, now: &Self) -> bool {
        self.journal = self.journal.or(now.journal);
        self == now
    }
}

#[cfg(unix)]
fn identity(data: &std::fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity(data.dev(), data.ino())
}

#[cfg(not(unix))]
fn identity(data: &std::fs::Metadata) -> Identity {
    let made = data.created().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    Identity(0, made.map_or(0, |d| d.as_nanos() as u64))
}
