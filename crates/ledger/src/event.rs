//! What is recorded.
//!
//! Times called running time count from the start of the pipeline. Texts called reasons are for operators and reports:
//! they say nothing about a person.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};

/// 128 random bits as 32 hexadecimal digits: links records to each other without saying anything.
pub fn new_id() -> String {
    use fmt::Write;
    let mut bytes = [0u8; 16];
    // Where the system has no randomness, the clock and a counter at least keep ids apart.
    if getrandom::fill(&mut bytes).is_err() {
        static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = Timestamp::now().as_nanosecond().unsigned_abs();
        bytes = (now.rotate_left(64) ^ u128::from(count)).to_be_bytes();
    }
    bytes.iter().fold(String::with_capacity(32), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Decision(Decision),
    Impression(Impression),
    Skipped(Skipped),
    Gate(Gate),
    Consent(ConsentChange),
    Audience(Audience),
    /// Consent on a screen has changed: counts of its people that are not written yet are dropped. Writes nothing.
    Forget {
        screen: String,
    },
}

impl Event {
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Decision(_) => EventKind::Decision,
            Self::Impression(_) => EventKind::Impression,
            Self::Skipped(_) => EventKind::Skipped,
            Self::Gate(_) => EventKind::Gate,
            Self::Consent(_) => EventKind::Consent,
            Self::Audience(_) | Self::Forget { .. } => EventKind::Audience,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    Decision,
    Impression,
    Skipped,
    Gate,
    Consent,
    Audience,
}

impl EventKind {
    pub const ALL: [Self; 6] =
        [Self::Decision, Self::Impression, Self::Skipped, Self::Gate, Self::Consent, Self::Audience];

    pub fn name(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Impression => "impression",
            Self::Skipped => "skipped",
            Self::Gate => "gate",
            Self::Consent => "consent",
            Self::Audience => "audience",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What was decided for one place in a break.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// From [`new_id`]; impressions name it.
    pub id: String,
    pub screen: String,
    pub break_id: String,
    /// Place in the break, from 0.
    pub position: u32,
    pub at: Timestamp,
    /// Running time at which the break starts.
    pub running_time: Duration,
    /// How many people were in view; `None` where nobody was looked at.
    pub people: Option<u32>,
    /// "by profile", "by subject", "run of schedule", "house"; `None` where nothing was eligible.
    pub basis: Option<String>,
    /// Why people played no part, e.g. "possible minor"; `None` where they did.
    pub no_profile: Option<String>,
    /// The programme's subject, most probable first, as names.
    pub subject: Vec<String>,
    pub campaign: Option<String>,
    pub advertiser: Option<String>,
    pub creative: Option<String>,
    /// The reason in public words: `Choice::why` of the campaign crate.
    pub why: String,
    /// Digests of the receipts under which people were considered. Kept in a table of their own, never beside this
    /// record; leave empty where people played no part.
    #[serde(skip)]
    pub receipts: Vec<String>,
}

/// What left the element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Impression {
    /// [`Decision::id`].
    pub decision: String,
    pub screen: String,
    pub break_id: String,
    pub campaign: String,
    pub advertiser: String,
    pub creative: String,
    /// Wall clock of the first frame.
    pub at: Timestamp,
    /// Running time of the first frame and of the end of the last.
    pub start: Duration,
    pub end: Duration,
    /// Video frames shown, held ones included.
    pub frames: u64,
    /// Frames that were shown again because the decoder was late.
    pub held_frames: u64,
    /// Audio samples of the creative, per channel, on the first audio pad.
    pub samples: u64,
    /// Highest quartile that was shown: 0 (started), 25, 50, 75 or 100.
    pub quartile: u8,
    pub complete: bool,
    /// Why it ended: "complete", "break ended early", …
    pub end_reason: String,
}

/// An advertisement or a whole break that was not shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    pub screen: String,
    pub break_id: String,
    /// [`Decision::id`], where there was one.
    pub decision: Option<String>,
    pub at: Timestamp,
    pub running_time: Duration,
    pub campaign: Option<String>,
    pub creative: Option<String>,
    pub reason: String,
}

/// The consent gate opened or closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    pub screen: String,
    pub at: Timestamp,
    pub epoch: u64,
    pub open: bool,
    pub reason: String,
    /// "viewer-consent" or "published-content".
    pub basis: String,
    /// The operator's statement under which published content is analysed.
    pub statement: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentKind {
    Granted,
    Withdrawn,
    Expired,
}

impl ConsentKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// A grant came or went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsentChange {
    pub screen: String,
    pub at: Timestamp,
    pub change: ConsentKind,
    /// Names of the purposes.
    pub purposes: Vec<String>,
    /// Kept in a table of its own, never beside this record.
    #[serde(skip)]
    pub receipt: Option<String>,
}

/// Who was in view while a creative (or, with `None`, the programme) was on screen: counts only, each person once per
/// creative. Goes into the hourly buckets; see [`Ledger::record`](crate::Ledger::record).
#[derive(Clone, Default, PartialEq)]
pub struct Audience {
    pub screen: String,
    pub at: Timestamp,
    pub campaign: Option<String>,
    pub creative: Option<String>,
    pub people: u32,
    /// How many of them by band; people whose attributes were not computed are in none.
    pub ages: BTreeMap<AgeBand, u32>,
    /// By "female", "male".
    pub genders: BTreeMap<String, u32>,
    /// By the names of expressions. Only where emotion was consented to.
    pub emotions: BTreeMap<String, u32>,
}

/// Shows where and when, and nothing of anybody.
impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audience").field("screen", &self.screen).field("at", &self.at).finish_non_exhaustive()
    }
}

/// Age in the bands that advertising is bought in. There is none below 18: minors are only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AgeBand {
    #[serde(rename = "18-24")]
    From18,
    #[serde(rename = "25-34")]
    From25,
    #[serde(rename = "35-44")]
    From35,
    #[serde(rename = "45-54")]
    From45,
    #[serde(rename = "55-64")]
    From55,
    #[serde(rename = "65+")]
    From65,
}

impl AgeBand {
    pub const ALL: [Self; 6] =
        [Self::From18, Self::From25, Self::From35, Self::From45, Self::From55, Self::From65];

    /// The band of an age in years; `None` below 18 and for what is no number.
    pub fn of(years: f64) -> Option<Self> {
        Self::ALL.into_iter().rev().find(|band| years >= band.from())
    }

    fn from(self) -> f64 {
        match self {
            Self::From18 => 18.0,
            Self::From25 => 25.0,
            Self::From35 => 35.0,
            Self::From45 => 45.0,
            Self::From55 => 55.0,
            Self::From65 => 65.0,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::From18 => "18-24",
            Self::From25 => "25-34",
            Self::From35 => "35-44",
            Self::From45 => "45-54",
            Self::From55 => "55-64",
            Self::From65 => "65+",
        }
    }
}
