//! Reading a store back.

use crate::{
    ChainState, ConsentChange, Decision, Gate, Impression, Skipped, StoreError, chain::verify,
    store::open_to_read,
};
use jiff::Timestamp;
use rusqlite::params;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Which records to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub screen: Option<String>,
    pub since: Option<Timestamp>,
}

/// What a store holds, oldest first.
#[derive(Debug)]
pub struct Records {
    pub decisions: Vec<Decision>,
    pub impressions: Vec<Impression>,
    pub skipped: Vec<Skipped>,
    pub gates: Vec<Gate>,
    pub consents: Vec<ConsentChange>,
    /// Cells of the hourly buckets, summed over the hours.
    pub people: Vec<PeopleCell>,
    pub chain: ChainState,
}

/// How many people of a band saw a creative. Below the threshold of a report this is not for showing.
#[derive(Clone, PartialEq, Eq)]
pub struct PeopleCell {
    /// Empty where the programme itself was on screen.
    pub campaign: String,
    pub creative: String,
    /// "people", "age", "gender" or "emotion".
    pub dimension: String,
    /// Empty for "people".
    pub band: String,
    pub people: u64,
}

impl std::fmt::Debug for PeopleCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PeopleCell({}/{}, not shown)", self.campaign, self.creative)
    }
}

impl Records {
    pub fn read(path: &Path, filter: &Filter) -> Result<Self, StoreError> {
        let mut connection = open_to_read(path)?;
        // One transaction, so that all tables are read as of one moment.
        let connection = connection.transaction()?;
        Ok(Self {
            decisions: rows(&connection, "decision", filter)?,
            impressions: rows(&connection, "impression", filter)?,
            skipped: rows(&connection, "skipped", filter)?,
            gates: rows(&connection, "gate", filter)?,
            consents: rows(&connection, "consent", filter)?,
            people: people(&connection, filter)?,
            chain: verify(&connection)?,
        })
    }
}

fn rows<T: DeserializeOwned>(
    connection: &rusqlite::Connection,
    kind: &str,
    filter: &Filter,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT seq, body FROM log WHERE kind = ?1 AND at >= ?2 AND body IS NOT NULL
         AND (?3 IS NULL OR json_extract(body, '$.screen') = ?3) ORDER BY at, seq",
    )?;
    let found = statement
        .query_map(params![kind, since(filter), filter.screen], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?
        .map(|row| {
            let (seq, body) = row?;
            serde_json::from_str(&body).map_err(|error| StoreError::Row { seq, error: error.to_string() })
        });
    found.collect()
}

fn people(connection: &rusqlite::Connection, filter: &Filter) -> Result<Vec<PeopleCell>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT campaign, creative, dimension, band, sum(people) FROM buckets
         WHERE hour >= ?1 AND (?2 IS NULL OR screen = ?2) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
    )?;
    let cells = statement.query_map(params![since(filter), filter.screen], |row| {
        Ok(PeopleCell {
            campaign: row.get(0)?,
            creative: row.get(1)?,
            dimension: row.get(2)?,
            band: row.get(3)?,
            people: row.get::<_, i64>(4)?.unsigned_abs(),
        })
    })?;
    Ok(cells.collect::<Result<_, _>>()?)
}

fn since(filter: &Filter) -> i64 {
    filter.since.map_or(i64::MIN, Timestamp::as_millisecond)
}
