//! The chain: each row's hash covers its content and the hash of the row before, so that nothing can be changed, taken
//! out or put in between without it showing. Rows taken off the end do not show; for that a hash must be kept elsewhere.

use crate::store::{StoreError, anchor, open_to_read};
use sha2::{Digest, Sha256};
use std::path::Path;

pub(crate) type Hash = [u8; 32];

/// What the first row follows.
pub(crate) const GENESIS: Hash = [0; 32];

/// What a row says.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub kind: String,
    /// Wall clock, milliseconds since 1970.
    pub at: i64,
    /// Random key by which other tables name this row.
    pub link: String,
    /// JSON with its fields in the order of the type's declaration, without spaces.
    pub body: String,
}

impl Content {
    /// SHA-256 over kind, time, link and body, separated by zero bytes.
    pub fn digest(&self) -> Hash {
        let mut hasher = Sha256::new();
        for part in [self.kind.as_str(), &self.at.to_string(), &self.link, &self.body] {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
        hasher.finalize().into()
    }
}

/// SHA-256 over the hash before, the row's number (8 bytes, big endian) and the digest of its content.
pub(crate) fn hash(prev: &Hash, seq: i64, digest: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(prev);
    hasher.update(seq.to_be_bytes());
    hasher.update(digest);
    hasher.finalize().into()
}

/// What [`verify_chain`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainState {
    /// All rows fit. `purged` of them, and `before` more at the beginning, are past their retention.
    Whole { rows: u64, purged: u64, before: u64 },
    /// The first row that does not fit, and why.
    Broken { seq: i64, why: String },
}

/// Checks every row of a store's log.
pub fn verify_chain(path: &Path) -> Result<ChainState, StoreError> {
    verify(&open_to_read(path)?)
}

pub(crate) fn verify(connection: &rusqlite::Connection) -> Result<ChainState, StoreError> {
    let (start, mut last) = anchor(connection)?;
    let mut seq_before = start;
    let (mut rows_seen, mut purged) = (0, 0);
    let mut statement =
        connection.prepare("SELECT seq, at, kind, link, body, digest, prev, hash FROM log ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let broken = |why: &str| Ok(ChainState::Broken { seq, why: why.to_owned() });
        // A hash of the wrong length cannot be read as one.
        let (Ok(digest), Ok(prev), Ok(own)) =
            (row.get::<_, Hash>(5), row.get::<_, Hash>(6), row.get::<_, Hash>(7))
        else {
            return broken("its hashes cannot be read");
        };
        if seq != seq_before + 1 {
            return broken("rows before it are missing");
        }
        if prev != last {
            return broken("it does not follow the row before");
        }
        match row.get::<_, Option<String>>(4)? {
            None => purged += 1,
            Some(body) => {
                let content = Content { at: row.get(1)?, kind: row.get(2)?, link: row.get(3)?, body };
                if content.digest() != digest {
                    return broken("its content was changed");
                }
            }
        }
        if hash(&prev, seq, &digest) != own {
            return broken("its hash does not fit");
        }
        (seq_before, last) = (seq, own);
        rows_seen += 1;
    }
    Ok(ChainState::Whole { rows: rows_seen, purged, before: start.unsigned_abs() })
}
