//! What the user sets, and what it means.

use super::types::{Basis, Policy, Purposes, Site};
use facialads_consent::{GateRules, Purpose, UnlawfulRules, Zone, check_screen, default_path};
use std::path::PathBuf;

pub const DEFAULT_SCREEN: &str = "default";
pub const DEFAULT_ZONE: &str = "0,0,1,1";

#[derive(Clone, Debug)]
pub struct Settings {
    pub screen: String,
    pub store: Option<String>,
    pub zone: String,
    pub site: Site,
    pub policy: Policy,
    pub purposes: Purposes,
    pub basis: Basis,
    pub statement: Option<String>,
    pub ledger: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            screen: DEFAULT_SCREEN.into(),
            store: None,
            zone: DEFAULT_ZONE.into(),
            site: Site::default(),
            policy: Policy::default(),
            purposes: Purposes::default(),
            basis: Basis::default(),
            statement: None,
            ledger: None,
        }
    }
}

/// Settings under which the element does not start.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("screen: {0}")]
    Screen(#[from] facialads_consent::InvalidGrant),
    #[error("zone: {0}")]
    Zone(String),
    #[error(transparent)]
    Rules(#[from] UnlawfulRules),
    #[error(transparent)]
    Store(#[from] facialads_consent::StoreError),
    #[error("cannot start the thread that watches the consent store: {0}")]
    Thread(#[from] std::io::Error),
}

impl Settings {
    pub fn rules(&self) -> Result<GateRules, Unusable> {
        check_screen(&self.screen)?;
        let rules = GateRules {
            screen: self.screen.clone(),
            zone: self.zone.parse::<Zone>().map_err(Unusable::Zone)?,
            site: self.site.into(),
            policy: self.policy.into(),
            purposes: self.asked_for(),
        };
        rules.check()?;
        Ok(rules)
    }

    /// Emotion is never asked for unless somebody asks for it, and faces of a programme choose no advertisement by
    /// profile unless somebody wants that.
    fn asked_for(&self) -> facialads_consent::Purposes {
        if !self.purposes.is_empty() {
            return self.purposes.into();
        }
        let default: &[Purpose] = match self.basis {
            Basis::ViewerConsent => &[Purpose::Measurement, Purpose::Demographics, Purpose::Personalisation],
            Basis::PublishedContent => &[Purpose::Measurement, Purpose::Demographics],
        };
        default.iter().copied().collect()
    }

    pub fn store_path(&self) -> Result<PathBuf, Unusable> {
        match self.store.as_deref().filter(|path| !path.is_empty()) {
            Some(path) => Ok(path.into()),
            None => Ok(default_path()?),
        }
    }

    pub fn ledger_path(&self) -> Option<PathBuf> {
        self.ledger.as_deref().filter(|path| !path.is_empty()).map(Into::into)
    }
}
