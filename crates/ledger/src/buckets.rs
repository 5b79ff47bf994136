//! Hourly buckets: how many people of which band saw what, never who.
//!
//! Counts are held in memory and leave it only in groups: as soon as three people have come together they are released
//! with their bands; what is fewer than that when the hour is over is released as a number of people without bands; what
//! is fewer than that when the program ends, or when consent is withdrawn on the screen, is forgotten. So with one viewer
//! only no band is ever written, and two states of the store never differ by one person's bands.

use crate::{AgeBand, Audience};
use facialads_campaign::{Emotion, Gender};
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;

/// How many people must come together before their bands are written.
pub(crate) const GROUP: u32 = 3;

/// What a bucket counts. Campaign and creative are empty while the programme itself is on screen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub hour: Timestamp,
    pub screen: String,
    pub campaign: String,
    pub creative: String,
}

#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub people: u32,
    ages: BTreeMap<AgeBand, u32>,
    genders: BTreeMap<&'static str, u32>,
    emotions: BTreeMap<&'static str, u32>,
}

impl std::fmt::Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counts(not shown)")
    }
}

impl Counts {
    fn add(&mut self, audience: &Audience) {
        self.people = self.people.saturating_add(audience.people);
        for (band, people) in &audience.ages {
            bump(&mut self.ages, *band, *people);
        }
        // Known words only: no text of any other kind can get into the store this way.
        for gender in Gender::NAMES {
            bump(&mut self.genders, gender, audience.genders.get(*gender).copied().unwrap_or(0));
        }
        for emotion in Emotion::NAMES {
            bump(&mut self.emotions, emotion, audience.emotions.get(*emotion).copied().unwrap_or(0));
        }
    }

    /// Dimension, band, people; empty bands left out.
    pub fn cells(&self) -> impl Iterator<Item = (&'static str, &'static str, u32)> + '_ {
        std::iter::once(("people", "", self.people))
            .chain(self.ages.iter().map(|(band, n)| ("age", band.name(), *n)))
            .chain(self.genders.iter().map(|(gender, n)| ("gender", *gender, *n)))
            .chain(self.emotions.iter().map(|(emotion, n)| ("emotion", *emotion, *n)))
            .filter(|(_, _, people)| *people > 0)
    }
}

fn bump<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K, people: u32) {
    if people > 0 {
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(people);
    }
}

/// Counts that may be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Release {
    pub key: Key,
    pub counts: Counts,
}

#[derive(Default)]
pub(crate) struct Buckets {
    held: BTreeMap<Key, Counts>,
}

impl Buckets {
    /// Adds people; gives back what has become large enough to be written.
    pub fn add(&mut self, audience: &Audience) -> Option<Release> {
        if audience.people == 0 {
            return None;
        }
        let key = Key {
            hour: hour(audience.at),
            screen: audience.screen.clone(),
            campaign: audience.campaign.clone().unwrap_or_default(),
            creative: audience.creative.clone().unwrap_or_default(),
        };
        let held = self.held.entry(key.clone()).or_default();
        held.add(audience);
        if held.people < GROUP {
            return None;
        }
        self.held.remove(&key).map(|counts| Release { key, counts })
    }

    /// What remains of the hours that are over, as numbers of people alone.
    pub fn over(&mut self, now: Timestamp) -> Vec<Release> {
        let this_hour = hour(now);
        let over: Vec<Key> = self.held.keys().filter(|key| key.hour < this_hour).cloned().collect();
        over.into_iter()
            .filter_map(|key| {
                let people = self.held.remove(&key)?.people;
                Some(Release { key, counts: Counts { people, ..Counts::default() } })
            })
            .collect()
    }

    /// Forgets what was not yet released of a screen where somebody withdrew.
    pub fn forget(&mut self, screen: &str) {
        self.held.retain(|key, _| key.screen != screen);
    }
}

/// The full hour before, in UTC. Buckets of one length everywhere, whatever the zone's daylight saving does.
fn hour(at: Timestamp) -> Timestamp {
    let into = at.as_millisecond().rem_euclid(3_600_000);
    at.checked_sub(into.milliseconds())
        .and_then(|at| Timestamp::from_millisecond(at.as_millisecond()))
        .unwrap_or(at)
}
