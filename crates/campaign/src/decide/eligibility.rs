//! Whether a campaign may play now, and everything that speaks against it.

use super::{Basis, CreativeRef, Reason, Score, Situation, fit};
use crate::{Campaign, Creative};
use jiff::{SignedDuration, Timestamp};

/// A campaign that nothing refuses.
pub(super) struct Candidate<'a> {
    pub campaign: &'a Campaign,
    pub basis: Basis,
    pub score: Score,
    /// Name of the programme's class that it asked for.
    pub matched_subject: Option<String>,
    /// Those that may play, in turn order. Never empty.
    pub creatives: Vec<&'a Creative>,
}

/// The candidate, or every reason against it.
pub(super) fn assess<'a>(
    campaign: &'a Campaign,
    situation: &Situation<'_>,
) -> Result<Candidate<'a>, Vec<Reason>> {
    let mut reasons = schedule(campaign, situation);
    reasons.extend(cap(campaign, situation));

    let audience_fit = fit::audience(&campaign.target, situation.audience).unwrap_or_else(|reason| {
        reasons.push(reason);
        0.0
    });
    let (subject_fit, matched_subject) = match fit::subject(&campaign.target, situation.subject) {
        Ok(matched) => matched.map_or((1.0, None), |m| (m.fit, Some(m.name))),
        Err(reason) => {
            reasons.push(reason);
            (0.0, None)
        }
    };
    reasons.extend(fit::exclusions(&campaign.target, situation.subject));

    let creatives = creatives(campaign, situation).unwrap_or_else(|reason| {
        reasons.push(reason);
        Vec::new()
    });
    if !reasons.is_empty() {
        return Err(reasons);
    }
    let score = campaign.weight * audience_fit * subject_fit * (1.0 + fit::specificity(&campaign.target));
    Ok(Candidate { campaign, basis: basis(campaign), score: Score(score), matched_subject, creatives })
}

fn basis(campaign: &Campaign) -> Basis {
    if campaign.target.wants_people() {
        Basis::Profile
    } else if campaign.house {
        Basis::House
    } else if campaign.target.subjects.is_empty() {
        Basis::Schedule
    } else {
        Basis::Subject
    }
}

fn schedule(campaign: &Campaign, situation: &Situation<'_>) -> Vec<Reason> {
    let today = situation.now.date();
    let mut reasons = Vec::new();
    if let Some(start) = campaign.start.filter(|start| today < *start) {
        reasons.push(Reason::NotYet { start });
    }
    if let Some(end) = campaign.end.filter(|end| today > *end) {
        reasons.push(Reason::Over { end });
    }
    if !campaign.dayparts.is_empty() && !campaign.dayparts.iter().any(|d| d.contains(situation.now)) {
        reasons.push(Reason::OutsideDaypart);
    }
    reasons
}

fn cap(campaign: &Campaign, situation: &Situation<'_>) -> Option<Reason> {
    let cap = campaign.frequency_cap?;
    let now = situation.now.timestamp();
    let since = SignedDuration::try_from(cap.per)
        .ok()
        .and_then(|per| now.checked_sub(per).ok())
        // A period that reaches back before time began counts everything.
        .unwrap_or(Timestamp::MIN);
    let planned = situation.planned.iter().filter(|p| p.campaign == campaign.id).count();
    let plays = situation
        .history
        .plays(&campaign.id, since)
        .saturating_add(u32::try_from(planned).unwrap_or(u32::MAX));
    (plays >= cap.plays).then_some(Reason::CapReached { cap })
}

/// The creatives that may play, those whose turn it is first: fewest times in this break, then longest not played,
/// then in the order of the file.
fn creatives<'a>(campaign: &'a Campaign, situation: &Situation<'_>) -> Result<Vec<&'a Creative>, Reason> {
    let named =
        |creative: &Creative| CreativeRef { campaign: campaign.id.clone(), creative: creative.id.clone() };
    let mut usable: Vec<&Creative> =
        campaign.creatives.iter().filter(|c| !situation.excluded.contains(&named(c))).collect();
    if usable.is_empty() {
        return Err(Reason::CreativesFailed);
    }
    if let Some(remaining) = situation.slot.remaining {
        usable.retain(|c| c.duration.is_none_or(|duration| duration <= remaining));
        if usable.is_empty() {
            return Err(Reason::TooLong { remaining });
        }
    }
    usable.sort_by_cached_key(|creative| {
        let name = named(creative);
        let planned = situation.planned.iter().filter(|p| **p == name).count();
        // `None`, never played, comes first.
        (planned, situation.history.last_play(&name))
    });
    Ok(usable)
}
