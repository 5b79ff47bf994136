//! Catalogues, people and situations for tests.
#![allow(dead_code, clippy::unwrap_used)]

use facialads_campaign::{
    AgeEstimate, Catalogue, ConsentedAudience, CreativeRef, Emotion, Gender, History, NoProfile, Situation,
    Slot, SubjectClass, SubjectView, Viewer,
};
use facialads_consent::{Basis, Policy, Purposes, Site, Stamp, Zone, permit};
use jiff::{Timestamp, Zoned};

pub fn catalogue(toml: &str) -> Catalogue {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("campaigns.toml");
    std::fs::write(&file, toml).unwrap();
    Catalogue::load(&[file]).unwrap_or_else(|error| panic!("{error}"))
}

/// A campaign with one creative and whatever else.
pub fn campaign(id: &str, rest: &str) -> String {
    format!(
        "[[campaign]]\nid = \"{id}\"\nadvertiser = \"of {id}\"\n{rest}\n[[campaign.creative]]\nid = \"a\"\n\
         uri = \"https://example.org/{id}.mp4\"\n"
    )
}

pub fn stamp(grants: u32, policy: Policy) -> Stamp {
    Stamp {
        purposes: Purposes::all(),
        epoch: 7,
        max_faces: grants,
        adult: true,
        zone: Zone::FULL,
        basis: Basis::ViewerConsent,
        site: Site::Public,
        policy,
        screen: "lobby".to_owned(),
        expires: u64::MAX,
        receipts: Vec::new(),
    }
}

pub fn consented(viewers: Vec<Viewer>) -> ConsentedAudience {
    let grants = u32::try_from(viewers.len()).unwrap().max(1);
    let permit = permit(Some(&stamp(grants, Policy::Strict)), viewers.len(), 0).unwrap();
    ConsentedAudience::new(&permit, viewers)
}

pub fn age(low: f64, high: f64) -> Option<AgeEstimate> {
    Some(AgeEstimate { years: f64::midpoint(low, high), low, high, confidence: 0.9 })
}

pub fn viewer(gender: Gender, low: f64, high: f64) -> Viewer {
    Viewer { age: age(low, high), gender: Some((gender, 0.95)), emotion: None, weight: 5.0 }
}

pub fn happy(mut viewer: Viewer) -> Viewer {
    viewer.emotion = Some((Emotion::Happy, 0.8));
    viewer
}

pub fn subject(classes: &[(&str, f64)], safety: &[&str]) -> SubjectView {
    SubjectView {
        classes: classes
            .iter()
            .enumerate()
            .map(|(index, (name, confidence))| SubjectClass {
                id: format!("id-{index}"),
                name: (*name).to_owned(),
                confidence: *confidence,
            })
            .collect(),
        safety: safety.iter().map(|flag| (*flag).to_owned()).collect(),
    }
}

/// Owns what a situation borrows.
#[derive(Debug)]
pub struct Scene {
    pub audience: Result<ConsentedAudience, NoProfile>,
    pub subject: Option<SubjectView>,
    pub slot: Slot,
    pub now: Zoned,
    pub history: Played,
    pub excluded: Vec<CreativeRef>,
    pub planned: Vec<CreativeRef>,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            audience: Err(NoProfile::NoCamera),
            subject: None,
            slot: Slot::default(),
            // A Monday evening.
            now: at("2026-11-23T20:00:00+01:00[+01:00]"),
            history: Played::default(),
            excluded: Vec::new(),
            planned: Vec::new(),
        }
    }
}

impl Scene {
    pub fn people(viewers: Vec<Viewer>) -> Self {
        Self { audience: Ok(consented(viewers)), ..Self::default() }
    }
    pub fn about(classes: &[(&str, f64)]) -> Self {
        Self { subject: Some(subject(classes, &[])), ..Self::default() }
    }
    pub fn situation(&self) -> Situation<'_> {
        Situation {
            audience: self.audience.as_ref().map_err(|reason| *reason),
            subject: self.subject.as_ref(),
            slot: &self.slot,
            now: &self.now,
            history: &self.history,
            excluded: &self.excluded,
            planned: &self.planned,
        }
    }
}

pub fn at(time: &str) -> Zoned {
    time.parse().unwrap()
}

pub fn creative(campaign: &str, creative: &str) -> CreativeRef {
    CreativeRef { campaign: campaign.to_owned(), creative: creative.to_owned() }
}

/// Plays by campaign, creative and second since 1970.
#[derive(Debug, Default)]
pub struct Played(pub Vec<(CreativeRef, i64)>);

impl History for Played {
    fn plays(&self, campaign: &str, since: Timestamp) -> u32 {
        let since = since.as_second();
        self.0.iter().filter(|(c, at)| c.campaign == campaign && *at >= since).count() as u32
    }
    fn last_play(&self, creative: &CreativeRef) -> Option<Timestamp> {
        let last = self.0.iter().filter(|(c, _)| c == creative).map(|(_, at)| *at).max();
        last.map(|second| Timestamp::from_second(second).unwrap())
    }
}
