//! The reasons together with the audience's attributes, for an audience that an operator typed in.

use super::{Basis, Outcome, Situation, decide, fit};
use crate::{Catalogue, NoProfile};
use serde::Serialize;

/// A decision with everything that led to it. Shows attributes of the audience: only for `facialads decide --explain`,
/// where they were typed in, never for people in front of a camera.
#[derive(Serialize)]
pub struct Explanation {
    /// Why people played no part, where they did not.
    pub no_profile: Option<&'static str>,
    /// In the order of the catalogue.
    pub campaigns: Vec<CampaignExplanation>,
}

#[derive(Serialize)]
pub struct CampaignExplanation {
    pub campaign: String,
    /// "chosen", "eligible" or "refused".
    pub outcome: &'static str,
    pub rank: Option<usize>,
    pub basis: Option<&'static str>,
    pub score: Option<f64>,
    pub weight: f64,
    /// What it asks of people, in words; empty where it asks nothing.
    pub wants: String,
    pub reasons: Vec<String>,
    /// How well each viewer fits, where it asks for people and there are any.
    pub viewers: Vec<ViewerExplanation>,
    /// How well the programme's subject fits, 0..=1, where it asks for one.
    pub subject_fit: Option<f64>,
}

/// Fits of one viewer, 0..=1; `None` where not asked for.
#[derive(Serialize)]
pub struct ViewerExplanation {
    /// Place in the audience, from 1.
    pub viewer: usize,
    pub age: Option<f64>,
    pub gender: Option<f64>,
    pub emotion: Option<f64>,
    /// 0 as soon as one of them is too unsure.
    pub total: f64,
    /// Share of the watched time, 0..=1.
    pub share: f64,
}

/// Decides and says how each viewer and the subject fitted each campaign.
pub fn explain(catalogue: &Catalogue, situation: &Situation<'_>) -> Explanation {
    let decision = decide(catalogue, situation);
    let campaigns = catalogue
        .campaigns
        .iter()
        .zip(&decision.verdicts)
        .map(|(campaign, verdict)| {
            let (outcome, rank, basis, score, reasons) = outcome(&verdict.outcome);
            CampaignExplanation {
                campaign: campaign.id.clone(),
                outcome,
                rank,
                basis: basis.map(Basis::name),
                score,
                weight: campaign.weight,
                wants: campaign.target.people_wanted(),
                reasons,
                viewers: viewers(campaign, situation),
                subject_fit: fit::subject(&campaign.target, situation.subject).ok().flatten().map(|m| m.fit),
            }
        })
        .collect();
    Explanation { no_profile: decision.no_profile.map(NoProfile::name), campaigns }
}

type Words = (&'static str, Option<usize>, Option<Basis>, Option<f64>, Vec<String>);

fn outcome(outcome: &Outcome) -> Words {
    match outcome {
        Outcome::Chosen { basis, score } => ("chosen", Some(1), Some(*basis), Some(score.0), Vec::new()),
        Outcome::Eligible { basis, score, rank } => {
            ("eligible", Some(*rank), Some(*basis), Some(score.0), Vec::new())
        }
        Outcome::Refused(reasons) => {
            ("refused", None, None, None, reasons.iter().map(ToString::to_string).collect())
        }
    }
}

fn viewers(campaign: &crate::Campaign, situation: &Situation<'_>) -> Vec<ViewerExplanation> {
    let Ok(audience) = situation.audience else { return Vec::new() };
    if !campaign.target.wants_people() {
        return Vec::new();
    }
    let watched: f64 = audience.viewers().iter().map(fit::weight).sum();
    audience
        .viewers()
        .iter()
        .enumerate()
        .map(|(index, viewer)| {
            let fits = fit::ViewerFit::of(&campaign.target, viewer);
            ViewerExplanation {
                viewer: index + 1,
                age: fits.age,
                gender: fits.gender,
                emotion: fits.emotion,
                total: fits.total(),
                share: if watched > 0.0 { fit::weight(viewer) / watched } else { 0.0 },
            }
        })
        .collect()
}
