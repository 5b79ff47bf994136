//! What is told on the bus. No attribute of any person is in any of it.

use facialads_splice::{BreakId, Quartile, Time};

/// What an application needs to recognise a creative.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Label {
    pub number: BreakId,
    pub position: u32,
    pub campaign: String,
    pub advertiser: String,
    pub creative: String,
    /// "by profile", "by subject", "run of schedule", "house".
    pub basis: String,
    pub why: String,
    /// Id of the decision in the ledger.
    pub decision: String,
    /// Chosen on the people in view: void when their consent ends before it is on air.
    pub by_profile: bool,
}

impl Label {
    pub fn creative_ref(&self) -> facialads_campaign::CreativeRef {
        facialads_campaign::CreativeRef { campaign: self.campaign.clone(), creative: self.creative.clone() }
    }
}

/// State of an advertisement, as it stands in the message `facialads-ad`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AdState {
    Reached(Quartile),
    Ended,
    Skipped,
}

impl AdState {
    fn name(self) -> &'static str {
        match self {
            Self::Reached(Quartile::Start) => "started",
            Self::Reached(Quartile::First) => "first-quartile",
            Self::Reached(Quartile::Midpoint) => "midpoint",
            Self::Reached(Quartile::Third) => "third-quartile",
            Self::Reached(Quartile::Complete) => "complete",
            Self::Ended => "ended",
            Self::Skipped => "skipped",
        }
    }
}

pub(super) const AD: &str = "facialads-ad";
pub(super) const DECISION: &str = "facialads-decision";

/// `frames`: how many of the creative's have left; `planned`: how many there are to be.
pub(super) fn ad(
    state: AdState,
    label: &Label,
    running: Time,
    frames: u64,
    planned: Option<u64>,
    reason: Option<&str>,
) -> gst::Structure {
    let creative = Some(label.creative.as_str()).filter(|c| !c.is_empty());
    gst::Structure::builder(AD)
        .field("state", state.name())
        .field("break", label.number)
        .field("position", label.position)
        .field_if_some("campaign", creative.map(|_| label.campaign.as_str()))
        .field_if_some("creative", creative)
        .field("running-time", running)
        .field("frames", frames)
        .field_if_some("planned-frames", planned)
        .field_if_some("reason", reason)
        .build()
}

/// What was decided, in public words.
pub(super) struct Decided<'a> {
    pub label: &'a Label,
    pub starts: Time,
    pub people: Option<u32>,
    pub no_profile: Option<String>,
    pub subject: &'a [String],
    pub candidates: usize,
}

pub(super) fn decision(decided: &Decided<'_>) -> gst::Structure {
    let label = decided.label;
    let chosen = decided.candidates > 0;
    gst::Structure::builder(DECISION)
        .field("break", label.number)
        .field("position", label.position)
        .field("running-time", decided.starts)
        .field("basis", if chosen { label.basis.as_str() } else { "none" })
        .field("why", &label.why)
        .field_if_some("people", decided.people)
        .field_if_some("no-profile", decided.no_profile.as_deref())
        .field("subject", gst::Array::new(decided.subject.iter().map(String::as_str)))
        .field("candidates", u32::try_from(decided.candidates).unwrap_or(u32::MAX))
        .field_if_some("campaign", chosen.then_some(label.campaign.as_str()))
        .field_if_some("creative", chosen.then_some(label.creative.as_str()))
        .build()
}
