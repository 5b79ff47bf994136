//! Permits for evaluations. Pictures and clips with labels show nobody who stands before a screen: whoever runs an
//! evaluation has them under the terms of the data set. The same check as everywhere makes the permits nevertheless, so that
//! no inference in this program goes without one.

use anyhow::{Context, Result};
use facialads_consent::{
    Basis, Demographics, Emotion, Measurement, Permit, Policy, Purposes, Site, Stamp, Zone, permit,
    wall_clock,
};
use facialads_vision::Allowed;

/// Everything allowed for an hour from now, of as many faces as there are.
pub fn stamp(adult_declared: bool) -> Stamp {
    Stamp {
        purposes: Purposes::all(),
        epoch: 1,
        max_faces: u32::MAX,
        adult: adult_declared,
        zone: Zone::FULL,
        basis: Basis::PublishedContent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "eval".into(),
        expires: wall_clock().saturating_add(3_600_000_000_000),
        receipts: Vec::new(),
    }
}

/// The permits for one picture.
pub struct Permits {
    pub measurement: Permit<Measurement>,
    demographics: Permit<Demographics>,
    emotion: Option<Permit<Emotion>>,
    adult_declared: bool,
}

impl Permits {
    pub fn new(adult_declared: bool, with_emotion: bool) -> Result<Self> {
        let (stamp, now) = (stamp(adult_declared), wall_clock());
        let refused = "the evaluation has no permit";
        Ok(Self {
            measurement: permit(Some(&stamp), 0, now).context(refused)?,
            demographics: permit(Some(&stamp), 1, now).context(refused)?,
            emotion: if with_emotion { Some(permit(Some(&stamp), 1, now).context(refused)?) } else { None },
            adult_declared,
        })
    }

    pub fn allowed(&self) -> Allowed<'_> {
        Allowed {
            demographics: Some(&self.demographics),
            emotion: self.emotion.as_ref(),
            adult_declared: self.adult_declared,
        }
    }
}
