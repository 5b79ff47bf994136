use std::path::PathBuf;

/// What went wrong with a store. Every message says what to do; none says anything about a person.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is no consent store at {0}: `facialads consent grant` makes one")]
    Missing(PathBuf),
    #[error(
        "no place for the consent store: set FACIALADS_STATE to a folder, or HOME, or name the file with --store"
    )]
    NoPlace,
    #[error("the consent store is locked by another program: it is tried again until the lock is gone")]
    Locked,
    #[error(
        "the consent store is damaged ({0}): restore it or move it away, a new one is made by the next grant"
    )]
    Corrupt(String),
    #[error("{0} is a database of another program: name another file with --store")]
    Foreign(PathBuf),
    #[error(
        "the consent store has version {found}, this program knows up to {known}: install the newer facialads"
    )]
    Newer { found: i64, known: i64 },
    #[error("grant {digest}… is malformed ({what}): withdraw it or remove the row")]
    Malformed { digest: String, what: String },
    #[error("cannot use {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the system has no randomness to make a receipt: {0}")]
    Randomness(getrandom::Error),
    #[error("the consent store failed: {0}")]
    Other(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => Self::Locked,
            Some(DatabaseCorrupt | NotADatabase) => Self::Corrupt(error.to_string()),
            Some(CannotOpen) => Self::Other(format!("{error} (is the folder readable and writable?)")),
            _ => Self::Other(error.to_string()),
        }
    }
}

/// A grant that cannot be given as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrant {
    #[error("the screen needs a name")]
    NoScreen,
    #[error("the screen's name is longer than {0} characters")]
    LongScreen(usize),
    #[error("the screen's name has control characters in it")]
    OddScreen,
    #[error("no purpose is given; known are measurement, demographics, emotion, personalisation")]
    NoPurpose,
    #[error("consent has to last between 1 minute and {0} minutes")]
    Duration(u64),
    #[error(
        "{0} is empty, longer than 64 characters, or has characters other than letters, digits, '-', '_' and '.'"
    )]
    Text(&'static str),
}

/// Why nothing was granted.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    #[error(transparent)]
    Invalid(#[from] InvalidGrant),
    #[error(transparent)]
    Store(#[from] StoreError),
}
