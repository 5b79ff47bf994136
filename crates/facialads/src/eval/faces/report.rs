//! All figures of one run, and what they are made of.

use super::{AgeReport, Case, EmotionReport, MinorsReport, gender::GenderReport, look::Looked};
use crate::eval::metrics::share::Share;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct FacesReport {
    pub counts: Counts,
    /// Of readable pictures, those with a face found.
    pub found: Share,
    /// Nothing where no picture has such a label.
    pub gender: Option<GenderReport>,
    pub age: Option<AgeReport>,
    pub emotion: Option<EmotionReport>,
    pub minors: Option<MinorsReport>,
}

#[derive(Default, Serialize, Deserialize)]
pub struct Counts {
    /// Rows or names that say something unreadable.
    pub bad_rows: u64,
    /// Not looked at because of `--only` or `--limit`.
    pub left_out: u64,
    /// Files that are missing or no pictures.
    pub unreadable: u64,
    /// Pictures without a face found.
    pub not_found: u64,
    /// Faces seen too badly to be described.
    pub rejected: u64,
    pub described: u64,
    /// Pictures on which more than one face was found.
    pub several: u64,
}

/// The product's settings.
pub struct Thresholds {
    pub gender: f64,
    pub emotion: f64,
}

impl FacesReport {
    pub fn new(looked: &Looked, thresholds: &Thresholds, seed: u64) -> Self {
        let cases: &[Case] = &looked.cases;
        let described = cases.len() as u64;
        let found = described + looked.rejected;
        Self {
            counts: Counts {
                unreadable: looked.unreadable,
                not_found: looked.not_found,
                rejected: looked.rejected,
                described,
                several: looked.several,
                ..Counts::default()
            },
            found: Share::new(found, found + looked.not_found),
            gender: GenderReport::new(cases, thresholds.gender, seed),
            age: AgeReport::new(cases, seed),
            emotion: EmotionReport::new(cases, thresholds.emotion),
            minors: MinorsReport::new(cases),
        }
    }
}
