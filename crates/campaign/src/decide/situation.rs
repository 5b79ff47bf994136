//! What a decision is made from.

use crate::{ConsentedAudience, NoProfile};
use jiff::{Timestamp, Zoned};
use std::time::Duration;

/// Everything that a decision may depend on; nothing else does it see.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// The people, or why they play no part.
    pub audience: Result<&'a ConsentedAudience, NoProfile>,
    /// What the programme is about, where known.
    pub subject: Option<&'a SubjectView>,
    pub slot: &'a Slot,
    /// Local time at the screen.
    pub now: &'a Zoned,
    pub history: &'a dyn History,
    /// Creatives that failed or were refused and must not be chosen again.
    pub excluded: &'a [CreativeRef],
    /// Already chosen for this break but not yet in the history; each counts as one play.
    pub planned: &'a [CreativeRef],
}

/// The stretch of time to be filled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slot {
    /// Length of the whole break; `None` where it lasts as long as its creative.
    pub duration: Option<Duration>,
    /// What of it is still to be filled. A creative that is known to be longer is refused.
    pub remaining: Option<Duration>,
    /// How many advertisements of this break come before.
    pub position: u32,
    /// Advertiser of the one just before, who should not follow itself.
    pub previous_advertiser: Option<String>,
}

/// The programme's subject, most probable class first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubjectView {
    pub classes: Vec<SubjectClass>,
    /// Brand-safety flags, e.g. "weapons".
    pub safety: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SubjectClass {
    /// IAB unique id.
    pub id: String,
    pub name: String,
    /// 0..=1.
    pub confidence: f64,
}

/// Names a creative: campaign id and creative id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CreativeRef {
    pub campaign: String,
    pub creative: String,
}

/// What was played on this screen. Answered from memory: a decision never waits.
pub trait History {
    /// Plays of a campaign at or after `since`.
    fn plays(&self, campaign: &str, since: Timestamp) -> u32;
    /// When a creative was last played, for taking turns. `None` where never or not known.
    fn last_play(&self, _creative: &CreativeRef) -> Option<Timestamp> {
        None
    }
}

/// Nothing was ever played.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHistory;

impl History for NoHistory {
    fn plays(&self, _campaign: &str, _since: Timestamp) -> u32 {
        0
    }
}
