//! People by band and creative, few of them withheld.

use super::suppress::Grid;
use crate::{AgeBand, records::PeopleCell};
use facialads_campaign::{Emotion, Gender};
use serde::Serialize;
use std::collections::BTreeSet;

/// People by the bands of one dimension.
#[derive(Clone, Debug, Serialize)]
pub struct AudienceTable {
    /// "age", "gender" or "emotion".
    pub dimension: String,
    /// Names of the bands; the last is "unknown".
    pub bands: Vec<String>,
    /// One per creative, then "all".
    pub rows: Vec<AudienceRow>,
}

#[derive(Clone, Debug, Serialize)]
pub struct AudienceRow {
    /// `None` for the programme itself, and in the row of all.
    pub campaign: Option<String>,
    pub creative: Option<String>,
    /// Whether this is the row of all.
    pub all: bool,
    /// In the order of the bands; `None` where withheld.
    pub people: Vec<Option<u64>>,
    pub total: Option<u64>,
}

type Key<'a> = (&'a str, &'a str);

/// Tables of the dimensions of which something is known. They share the totals of their rows, so a total that one of
/// them must withhold is withheld in all.
pub(super) fn tables(cells: &[PeopleCell], k: u64) -> Vec<AudienceTable> {
    let keys: Vec<Key<'_>> = cells.iter().map(key).collect::<BTreeSet<_>>().into_iter().collect();
    let ages: Vec<&str> = AgeBand::ALL.iter().map(|band| band.name()).collect();
    let dimensions: Vec<(&str, &[&str])> =
        [("age", ages.as_slice()), ("gender", Gender::NAMES), ("emotion", Emotion::NAMES)]
            .into_iter()
            .filter(|(dimension, _)| cells.iter().any(|cell| cell.dimension == *dimension))
            .collect();
    // Where no bands are known at all there still is a number of people.
    let dimensions =
        if dimensions.is_empty() && !keys.is_empty() { vec![("people", &[][..])] } else { dimensions };

    let mut hidden = vec![false; keys.len() + 1];
    loop {
        let grids: Vec<Grid> = dimensions
            .iter()
            .map(|(dimension, bands)| Grid::new(counts(cells, &keys, dimension, bands), &hidden, k).protect())
            .collect();
        let before = hidden.clone();
        for grid in &grids {
            hidden.iter_mut().zip(grid.hidden_totals()).for_each(|(all, one)| *all |= one);
        }
        if hidden == before {
            let table = |((dimension, bands), grid)| table(dimension, bands, &keys, grid);
            return dimensions.iter().copied().zip(&grids).map(table).collect();
        }
    }
}

fn key(cell: &PeopleCell) -> Key<'_> {
    (&cell.campaign, &cell.creative)
}

/// One row per key: the bands, then those of whom it is not known.
fn counts(cells: &[PeopleCell], keys: &[Key<'_>], dimension: &str, bands: &[&str]) -> Vec<Vec<u64>> {
    let people = |wanted: Key<'_>, dimension: &str, band: &str| {
        let mut found =
            cells.iter().filter(|c| key(c) == wanted && c.dimension == dimension && c.band == band);
        found.next().map_or(0, |cell| cell.people)
    };
    keys.iter()
        .map(|key| {
            let mut row: Vec<u64> = bands.iter().map(|band| people(*key, dimension, band)).collect();
            let unknown = people(*key, "people", "").saturating_sub(row.iter().sum());
            row.push(unknown);
            row
        })
        .collect()
}

fn table(dimension: &str, bands: &[&str], keys: &[Key<'_>], grid: &Grid) -> AudienceTable {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let row = |index: usize| {
        let key = keys.get(index);
        AudienceRow {
            campaign: key.and_then(|(campaign, _)| some(campaign)),
            creative: key.and_then(|(_, creative)| some(creative)),
            all: key.is_none(),
            people: (0..=bands.len()).map(|band| grid.get(index, band)).collect(),
            total: grid.get(index, bands.len() + 1),
        }
    };
    AudienceTable {
        dimension: dimension.to_owned(),
        bands: bands.iter().map(|band| (*band).to_owned()).chain(["unknown".to_owned()]).collect(),
        rows: (0..=keys.len()).map(row).collect(),
    }
}
