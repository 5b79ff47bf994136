//! Which advertisement fits, and why.
//!
//! A campaign is eligible when nothing refuses it. Eligible campaigns are ranked: ordinary campaigns before house
//! campaigns, campaigns of another advertiser than the one just before first, then by
//!
//! `score = weight × audience fit × subject fit × (1 + number of things that it targets)`
//!
//! (age, gender, emotion and subject are one thing each; a fit that is not asked for is 1), then by weight, then by id.
//! How fits are computed stands in `fit.rs` and in docs/campaigns.md.

mod eligibility;
mod explanation;
mod fit;
mod reason;
mod situation;

pub use explanation::{CampaignExplanation, Explanation, ViewerExplanation, explain};
pub use reason::Reason;
pub use situation::{CreativeRef, History, NoHistory, Situation, Slot, SubjectClass, SubjectView};

use crate::{Campaign, Catalogue, Creative, NoProfile};
use eligibility::{Candidate, assess};
use std::{cmp::Ordering, fmt};

/// What a choice rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The people in view, with their consent.
    Profile,
    /// What the programme is about.
    Subject,
    /// The campaign asks for nothing: run of schedule.
    Schedule,
    /// Nothing else was eligible.
    House,
}

impl Basis {
    pub const ALL: [Self; 4] = [Self::Profile, Self::Subject, Self::Schedule, Self::House];

    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "by profile",
            Self::Subject => "by subject",
            Self::Schedule => "run of schedule",
            Self::House => "house",
        }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How well a campaign fits. Depends on the people in view, so `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct Score(pub(crate) f64);

impl Score {
    pub fn value(self) -> f64 {
        self.0
    }
}

impl fmt::Debug for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Score(not shown)")
    }
}

/// The answer: what to try, best first, and a verdict on every campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Best first; the next one is for when a creative fails. Empty: nothing is eligible, the programme goes on.
    pub choices: Vec<Choice>,
    /// Why people played no part, where they did not.
    pub no_profile: Option<NoProfile>,
    /// Exactly one for every campaign, in the order of the catalogue.
    pub verdicts: Vec<Verdict>,
}

impl Decision {
    pub fn best(&self) -> Option<&Choice> {
        self.choices.first()
    }
}

/// One creative to try.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub campaign: String,
    pub campaign_name: String,
    pub advertiser: String,
    pub creative: Creative,
    pub basis: Basis,
    /// For ledger, bus and screen: names what the campaign wants and the programme's subject, nothing seen of a person.
    pub why: String,
}

impl Choice {
    pub fn creative_ref(&self) -> CreativeRef {
        CreativeRef { campaign: self.campaign.clone(), creative: self.creative.id.clone() }
    }
}

/// What became of one campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub campaign: String,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Ranked first.
    Chosen { basis: Basis, score: Score },
    /// Could have played; `rank` counts from 2.
    Eligible { basis: Basis, score: Score, rank: usize },
    /// Never empty; every reason that applies.
    Refused(Vec<Reason>),
}

/// Decides. Pure: depends on its arguments alone.
pub fn decide(catalogue: &Catalogue, situation: &Situation<'_>) -> Decision {
    let no_profile = no_profile(situation);
    let mut candidates = Vec::new();
    let mut verdicts = Vec::with_capacity(catalogue.campaigns.len());
    for (index, campaign) in catalogue.campaigns.iter().enumerate() {
        // Replaced below once the ranks are known.
        let mut refused = Vec::new();
        match assess(campaign, situation) {
            Ok(candidate) => candidates.push((index, candidate)),
            Err(reasons) => refused = reasons,
        }
        verdicts.push(Verdict { campaign: campaign.id.clone(), outcome: Outcome::Refused(refused) });
    }
    candidates.sort_by(|(_, a), (_, b)| rank_order(a, b, situation.slot));

    let mut choices = Vec::new();
    for (rank, (index, candidate)) in candidates.iter().enumerate() {
        let (basis, score) = (candidate.basis, candidate.score);
        if let Some(verdict) = verdicts.get_mut(*index) {
            verdict.outcome = match rank {
                0 => Outcome::Chosen { basis, score },
                _ => Outcome::Eligible { basis, score, rank: rank + 1 },
            };
        }
        choices.extend(candidate.creatives.iter().map(|creative| choice(candidate, creative, no_profile)));
    }
    Decision { choices, no_profile, verdicts }
}

fn no_profile(situation: &Situation<'_>) -> Option<NoProfile> {
    match situation.audience {
        Ok(audience) if audience.people() > 0 => None,
        Ok(_) => Some(NoProfile::Nobody),
        Err(reason) => Some(reason),
    }
}

fn rank_order(a: &Candidate<'_>, b: &Candidate<'_>, slot: &Slot) -> Ordering {
    let repeats = |c: &Campaign| slot.previous_advertiser.as_ref() == Some(&c.advertiser);
    let (ca, cb) = (a.campaign, b.campaign);
    (ca.house.cmp(&cb.house))
        .then_with(|| repeats(ca).cmp(&repeats(cb)))
        .then_with(|| b.score.0.total_cmp(&a.score.0))
        .then_with(|| cb.weight.total_cmp(&ca.weight))
        .then_with(|| ca.id.cmp(&cb.id))
}

fn choice(candidate: &Candidate<'_>, creative: &Creative, no_profile: Option<NoProfile>) -> Choice {
    let campaign = candidate.campaign;
    Choice {
        campaign: campaign.id.clone(),
        campaign_name: campaign.name.clone(),
        advertiser: campaign.advertiser.clone(),
        creative: creative.clone(),
        basis: candidate.basis,
        why: reason::why(candidate, no_profile),
    }
}
