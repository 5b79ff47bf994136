//! Who was in view while a creative was shown: counts by band, each person once.

use super::Observation;
use crate::adinsert::messages::Label;
use facialads_campaign::Viewer;
use facialads_ledger::AgeBand;
use facialads_splice::{SlotId, Time};
use std::collections::{BTreeMap, HashMap};

struct Counted {
    /// The camera may be ahead of the programme: who came only after the creative's end does not count.
    first: Time,
    viewer: Viewer,
}

pub(super) struct Tally {
    slot: SlotId,
    from: Time,
    until: Option<Time>,
    at_once: bool,
    campaign: String,
    creative: String,
    /// By track id; gone as soon as the counts are made.
    people: HashMap<i32, Counted>,
    /// Whether anybody was looked at at all.
    looked: bool,
}

/// The counts, ready for the ledger's hourly buckets.
#[derive(Debug, PartialEq)]
pub(in crate::adinsert) struct Tallied {
    pub campaign: String,
    pub creative: String,
    pub people: u32,
    pub ages: BTreeMap<AgeBand, u32>,
    pub genders: BTreeMap<String, u32>,
    pub emotions: BTreeMap<String, u32>,
}

impl Tally {
    pub fn new(slot: SlotId, from: Time, label: &Label) -> Self {
        Self {
            slot,
            from,
            until: None,
            at_once: false,
            campaign: label.campaign.clone(),
            creative: label.creative.clone(),
            people: HashMap::new(),
            looked: false,
        }
    }
    pub fn slot(&self) -> SlotId {
        self.slot
    }

    pub fn add(&mut self, observation: &Observation) {
        let over = self.until.is_some_and(|until| observation.at >= until);
        if observation.at.saturating_add(observation.duration) <= self.from || over {
            return;
        }
        self.looked = true;
        for face in &observation.faces {
            let known = &mut self
                .people
                .entry(face.track)
                .or_insert_with(|| Counted { first: observation.at, viewer: Viewer::default() })
                .viewer;
            known.age = face.viewer.age.or(known.age);
            known.gender = face.viewer.gender.or(known.gender);
            known.emotion = face.viewer.emotion.or(known.emotion);
        }
    }

    /// Consent ended: nothing learned from faces leaves after that, not even a count.
    pub fn forget(&mut self) {
        self.people.clear();
        self.looked = false;
    }

    pub fn close(&mut self, until: Time, at_once: bool) {
        self.until = Some(self.until.map_or(until, |u| u.min(until)));
        self.at_once |= at_once;
    }
    pub fn is_done(&self, position: Time, ended: bool) -> bool {
        self.until.is_some_and(|until| self.at_once || ended || position >= until)
    }

    pub fn finish(self) -> Option<Tallied> {
        if !self.looked {
            return None;
        }
        let until = self.until.unwrap_or(Time::MAX);
        let people: Vec<_> =
            self.people.into_values().filter(|c| c.first < until).map(|c| c.viewer).collect();
        let mut tallied = Tallied {
            campaign: self.campaign,
            creative: self.creative,
            people: u32::try_from(people.len()).unwrap_or(u32::MAX),
            ages: BTreeMap::new(),
            genders: BTreeMap::new(),
            emotions: BTreeMap::new(),
        };
        for viewer in people {
            if let Some(band) = viewer.age.and_then(|age| AgeBand::of(age.years)) {
                *tallied.ages.entry(band).or_default() += 1;
            }
            if let Some((gender, _)) = viewer.gender {
                *tallied.genders.entry(gender.name().to_owned()).or_default() += 1;
            }
            if let Some((emotion, _)) = viewer.emotion {
                *tallied.emotions.entry(emotion.name().to_owned()).or_default() += 1;
            }
        }
        Some(tallied)
    }
}
