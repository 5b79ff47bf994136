//! From grants to the stamp: the strictest reading of them all.

use crate::{Basis, Grant, Policy, Purpose, Purposes, Site, Stamp, Zone};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the operator of a gate has set.
#[derive(Clone, Debug, PartialEq)]
pub struct GateRules {
    pub screen: String,
    pub zone: Zone,
    pub site: Site,
    pub policy: Policy,
    /// What the pipeline wants to use at most. What is not asked for is not allowed, whatever was granted.
    pub purposes: Purposes,
}

/// Rules that no gate may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnlawfulRules {
    #[error(
        "emotion is asked for on a {0} site: inferring emotions at work and in education is prohibited \
         (EU AI Act, Regulation 2024/1689, Art. 5(1)(f)); take emotion out of the purposes"
    )]
    EmotionOnSite(Site),
    #[error(
        "published content is analysed only on a basis that the operator states (GDPR Art. 6 and 9(2)): say in \
         `statement` why these faces may be analysed and who decided it"
    )]
    NoStatement,
    #[error("nothing is asked for: every use of faces needs at least the purpose measurement")]
    NoMeasurement,
}

impl GateRules {
    /// Whether a gate may start with these rules.
    pub fn check(&self) -> Result<(), UnlawfulRules> {
        if !self.purposes.contains(Purpose::Measurement) {
            return Err(UnlawfulRules::NoMeasurement);
        }
        if self.site != Site::Public && self.purposes.contains(Purpose::Emotion) {
            return Err(UnlawfulRules::EmotionOnSite(self.site));
        }
        Ok(())
    }

    fn lawful(&self, purposes: Purposes) -> Purposes {
        let purposes = purposes.intersection(self.purposes);
        if self.site == Site::Public { purposes } else { purposes.without(Purpose::Emotion) }
    }
}

/// The stamp under which all these grants are kept: the purposes that they share and that are asked for, as many faces
/// as there are grants, adult only if all are, until the first of them ends. `None` where that allows nothing.
pub fn stamp_for(grants: &[Grant], rules: &GateRules, epoch: u64) -> Option<Stamp> {
    let shared = grants.iter().map(|grant| grant.purposes).reduce(Purposes::intersection)?;
    let purposes = rules.lawful(shared);
    if !purposes.contains(Purpose::Measurement) {
        return None;
    }
    Some(Stamp {
        purposes,
        epoch,
        max_faces: u32::try_from(grants.len()).unwrap_or(u32::MAX),
        adult: grants.iter().all(|grant| grant.adult),
        zone: rules.zone,
        basis: Basis::ViewerConsent,
        site: rules.site,
        policy: rules.policy,
        screen: rules.screen.clone(),
        expires: grants.iter().map(|grant| grant.expires_at).min()?,
        receipts: grants.iter().map(|grant| grant.digest.clone()).collect(),
    })
}

/// The stamp for faces that are part of the programme: as many as there are, nobody's age taken on trust, no end and no
/// receipts, because nobody was asked; the operator answers for it with the statement.
pub fn published_stamp(rules: &GateRules, statement: &str, epoch: u64) -> Result<Stamp, UnlawfulRules> {
    rules.check()?;
    if statement.trim().is_empty() {
        return Err(UnlawfulRules::NoStatement);
    }
    Ok(Stamp {
        purposes: rules.lawful(Purposes::all()),
        epoch,
        max_faces: u32::MAX,
        adult: false,
        zone: rules.zone,
        basis: Basis::PublishedContent,
        site: rules.site,
        policy: rules.policy,
        screen: rules.screen.clone(),
        expires: u64::MAX,
        receipts: Vec::new(),
    })
}

/// The next epoch of this process: higher than every one before, never the same for two gates.
pub fn next_epoch() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::SeqCst) + 1
}
