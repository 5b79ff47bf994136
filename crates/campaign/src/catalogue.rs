//! What an advertiser asked for.

use crate::{Emotion, Gender};
use jiff::{
    Zoned,
    civil::{Date, Time},
};
use std::{fmt, path::PathBuf, time::Duration};

/// All campaigns, ordered by id. Ids are unique among campaigns, and creative ids within a campaign.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    pub(crate) campaigns: Vec<Campaign>,
}

impl Catalogue {
    pub fn campaigns(&self) -> &[Campaign] {
        &self.campaigns
    }
    pub fn campaign(&self, id: &str) -> Option<&Campaign> {
        self.campaigns.iter().find(|c| c.id == id)
    }
}

/// One campaign of one advertiser.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    pub id: String,
    pub advertiser: String,
    pub name: String,
    /// Above zero; doubles the score when doubled.
    pub weight: f64,
    /// Fills a break only when nothing else can.
    pub house: bool,
    pub target: Target,
    /// Local times at which it may play; empty means always.
    pub dayparts: Vec<Daypart>,
    /// First and last local day, both included.
    pub start: Option<Date>,
    pub end: Option<Date>,
    pub frequency_cap: Option<FrequencyCap>,
    /// Never empty.
    pub creatives: Vec<Creative>,
    /// File that it was read from.
    pub file: PathBuf,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Creative {
    pub id: String,
    /// `file:///…` or another scheme, ready for `uridecodebin`.
    pub uri: String,
    /// The file, where the URI is one on this machine.
    pub path: Option<PathBuf>,
    /// As the advertiser states it; the medium itself has the last word.
    pub duration: Option<Duration>,
}

/// Whom and what a campaign is for. Empty or `None` means anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    pub age: Option<AgeRange>,
    pub gender: Option<WantedGender>,
    pub emotions: Vec<Emotion>,
    /// One of these must be what the programme is about.
    pub subjects: Vec<Subject>,
    pub exclude_subjects: Vec<Subject>,
    /// Brand-safety flags beside which it must not stand.
    pub exclude_safety: Vec<String>,
}

impl Target {
    /// Whether it asks anything about the people in front of the screen. Such a campaign needs their consent.
    pub fn wants_people(&self) -> bool {
        self.age.is_some() || self.gender.is_some() || !self.emotions.is_empty()
    }

    /// What it asks of people, in the advertiser's words: "female, age 20–45, happy or surprised"; empty where it asks nothing.
    pub fn people_wanted(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.gender.map(|g| g.name().to_owned()));
        parts.extend(self.age.map(|range| format!("age {range}")));
        if !self.emotions.is_empty() {
            parts.push(self.emotions.iter().map(|e| e.name()).collect::<Vec<_>>().join(" or "));
        }
        parts.join(", ")
    }
}

/// Whole years, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeRange {
    pub min: u8,
    pub max: u8,
}

impl fmt::Display for AgeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}–{}", self.min, self.max)
    }
}

/// The gender that a campaign wants; this is the advertiser's wish, not a person's attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedGender {
    Female,
    Male,
}

impl WantedGender {
    pub fn matches(self, gender: Gender) -> bool {
        matches!((self, gender), (Self::Female, Gender::Female) | (Self::Male, Gender::Male))
    }
    pub fn name(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
        }
    }
}

/// An IAB Content Taxonomy class as a campaign names it: its unique id or its name, in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(pub String);

impl Subject {
    pub fn matches(&self, id: &str, name: &str) -> bool {
        self.0 == id || self.0.to_lowercase() == name.to_lowercase()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A stretch of local time on some days of the week. `to` is not included. Where `to` is not after `from` it crosses
/// midnight, and what lies after midnight belongs to the day on which it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daypart {
    /// Never empty.
    pub days: Vec<Weekday>,
    pub from: Time,
    pub to: Time,
}

impl Daypart {
    pub fn contains(&self, now: &Zoned) -> bool {
        let (time, today) = (now.time(), now.weekday());
        let on = |day: jiff::civil::Weekday| self.days.contains(&Weekday::from(day));
        if self.from < self.to {
            return on(today) && self.from <= time && time < self.to;
        }
        (on(today) && time >= self.from) || (on(today.previous()) && time < self.to)
    }
}

/// At most `plays` in any stretch of time as long as `per`, on one screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrequencyCap {
    pub plays: u32,
    pub per: Duration,
}

impl Weekday {
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }
}

impl From<jiff::civil::Weekday> for Weekday {
    fn from(day: jiff::civil::Weekday) -> Self {
        match day {
            jiff::civil::Weekday::Monday => Self::Mon,
            jiff::civil::Weekday::Tuesday => Self::Tue,
            jiff::civil::Weekday::Wednesday => Self::Wed,
            jiff::civil::Weekday::Thursday => Self::Thu,
            jiff::civil::Weekday::Friday => Self::Fri,
            jiff::civil::Weekday::Saturday => Self::Sat,
            jiff::civil::Weekday::Sunday => Self::Sun,
        }
    }
}
