//! One row for each decision: what was decided, why, and what was then shown.

use crate::{Decision, Impression, Records, Skipped};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// People in view when a decision was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum People {
    /// Nobody was looked at.
    NotCounted,
    Count(u64),
    /// Fewer than the threshold.
    Withheld,
}

impl People {
    fn new(people: Option<u32>, k: u64) -> Self {
        match people.map(u64::from) {
            None => Self::NotCounted,
            Some(people) if (1..k).contains(&people) => Self::Withheld,
            Some(people) => Self::Count(people),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct BreakRow {
    pub at: Timestamp,
    pub screen: String,
    pub break_id: String,
    /// Place in the break, from 0.
    pub position: u32,
    /// Running time of the first frame, or of the decision where nothing was shown; seconds.
    pub running_time: f64,
    pub people: People,
    pub no_profile: Option<String>,
    pub subject: Vec<String>,
    pub basis: Option<String>,
    pub why: String,
    /// What was shown; where nothing was, what was chosen.
    pub campaign: Option<String>,
    pub advertiser: Option<String>,
    pub creative: Option<String>,
    pub shown: bool,
    pub frames: u64,
    pub held_frames: u64,
    pub seconds: f64,
    /// Highest quartile that was shown; `None` where nothing was.
    pub quartile: Option<u8>,
    pub complete: bool,
    /// How it ended, or why nothing was shown.
    pub ended: String,
}

pub(super) fn rows(records: &Records, k: u64, wants: &BTreeMap<String, String>) -> Vec<BreakRow> {
    let mut shown: HashMap<&str, Vec<&Impression>> = HashMap::new();
    for impression in &records.impressions {
        shown.entry(&impression.decision).or_default().push(impression);
    }
    let mut skipped: HashMap<&str, Vec<&Skipped>> = HashMap::new();
    for skip in &records.skipped {
        skipped.entry(skip.decision.as_deref().unwrap_or_default()).or_default().push(skip);
    }
    let decided: HashSet<&str> = records.decisions.iter().map(|d| d.id.as_str()).collect();

    let mut rows = Vec::new();
    for decision in &records.decisions {
        let skips = skipped.get(decision.id.as_str()).map_or(&[][..], Vec::as_slice);
        match shown.get(decision.id.as_str()) {
            Some(impressions) => {
                rows.extend(impressions.iter().map(|i| of_impression(Some(decision), i, (k, wants))))
            }
            None => rows.push(of_nothing(decision, skips, (k, wants))),
        }
    }
    // Their decision is past its retention, was lost, or there was none.
    let orphans = records.impressions.iter().filter(|i| !decided.contains(i.decision.as_str()));
    rows.extend(orphans.map(|impression| of_impression(None, impression, (k, wants))));
    let undecided = records.skipped.iter().filter(|s| {
        s.decision
            .as_deref()
            .is_none_or(|decision| !decided.contains(decision) && !shown.contains_key(decision))
    });
    rows.extend(undecided.map(of_skip));
    rows.sort_by_key(|row| row.at);
    rows
}

/// The threshold of counts, and what each campaign asks of people.
type Shown<'a> = (u64, &'a BTreeMap<String, String>);

fn of_decision(decision: &Decision, (k, wants): Shown<'_>) -> BreakRow {
    let people = People::new(decision.people, k);
    let by_profile = decision.basis.as_deref() == Some("by profile");
    BreakRow {
        at: decision.at,
        screen: decision.screen.clone(),
        break_id: decision.break_id.clone(),
        position: decision.position,
        running_time: decision.running_time.as_secs_f64(),
        people,
        no_profile: decision.no_profile.clone(),
        subject: decision.subject.clone(),
        basis: decision.basis.clone(),
        // Beside a count that is withheld, whom the campaign wanted would describe those few.
        why: match decision.campaign.as_ref().and_then(|id| wants.get(id)) {
            _ if by_profile && people == People::Withheld => {
                "by profile (details withheld: few people)".to_owned()
            }
            Some(wanted) if by_profile => format!("by profile: wants {wanted}"),
            _ => decision.why.clone(),
        },
        campaign: decision.campaign.clone(),
        advertiser: decision.advertiser.clone(),
        creative: decision.creative.clone(),
        shown: false,
        frames: 0,
        held_frames: 0,
        seconds: 0.0,
        quartile: None,
        complete: false,
        ended: String::new(),
    }
}

fn of_nothing(decision: &Decision, skips: &[&Skipped], shown: Shown<'_>) -> BreakRow {
    let reasons: Vec<&str> = skips.iter().map(|skip| skip.reason.as_str()).collect();
    let ended = match (reasons.is_empty(), &decision.creative) {
        (false, _) => format!("not shown: {}", reasons.join("; ")),
        (true, None) => "nothing eligible: programme".to_owned(),
        (true, Some(_)) => "not shown".to_owned(),
    };
    BreakRow { ended, ..of_decision(decision, shown) }
}

fn of_impression(decision: Option<&Decision>, impression: &Impression, shown: Shown<'_>) -> BreakRow {
    let mut row = match decision {
        Some(decision) => of_decision(decision, shown),
        None => BreakRow { why: "no decision on record".to_owned(), ..blank(impression) },
    };
    // The first choice failed and another of the ranking was shown.
    if let Some(first) = row.campaign.as_deref().filter(|first| *first != impression.campaign) {
        row.why = format!("next in the ranking: {first} could not be shown");
        row.basis = None;
    }
    BreakRow {
        at: impression.at,
        running_time: impression.start.as_secs_f64(),
        campaign: Some(impression.campaign.clone()).filter(|id| !id.is_empty()),
        advertiser: Some(impression.advertiser.clone()).filter(|name| !name.is_empty()),
        creative: Some(impression.creative.clone()),
        shown: true,
        frames: impression.frames,
        held_frames: impression.held_frames,
        seconds: impression.end.saturating_sub(impression.start).as_secs_f64(),
        quartile: Some(impression.quartile),
        complete: impression.complete,
        ended: impression.end_reason.clone(),
        ..row
    }
}

fn blank(impression: &Impression) -> BreakRow {
    let skip = Skipped {
        screen: impression.screen.clone(),
        break_id: impression.break_id.clone(),
        decision: None,
        at: impression.at,
        running_time: impression.start,
        campaign: None,
        creative: None,
        reason: String::new(),
    };
    of_skip(&skip)
}

fn of_skip(skip: &Skipped) -> BreakRow {
    BreakRow {
        at: skip.at,
        screen: skip.screen.clone(),
        break_id: skip.break_id.clone(),
        position: 0,
        running_time: skip.running_time.as_secs_f64(),
        people: People::NotCounted,
        no_profile: None,
        subject: Vec::new(),
        basis: None,
        why: String::new(),
        campaign: skip.campaign.clone(),
        advertiser: None,
        creative: skip.creative.clone(),
        shown: false,
        frames: 0,
        held_frames: 0,
        seconds: 0.0,
        quartile: None,
        complete: false,
        ended: format!("not shown: {}", skip.reason),
    }
}
