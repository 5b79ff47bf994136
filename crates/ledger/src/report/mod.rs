//! Reports: what was shown, why, and how many people saw it, with counts of few people withheld.

mod audience;
mod breaks;
mod campaigns;
mod csv;
mod html;
mod suppress;
mod table;

pub use audience::{AudienceRow, AudienceTable};
pub use breaks::{BreakRow, People};
pub use campaigns::CampaignRow;

use crate::{ChainState, ConsentKind, Records};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use std::collections::BTreeMap;

/// The threshold in force unless another is asked for.
pub const DEFAULT_K: u64 = 10;

/// How a report is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Counts of people below this are withheld, and others with them so that they cannot be computed back.
    pub k: u64,
    pub screen: Option<String>,
    pub since: Option<Timestamp>,
    /// What each campaign asks of people, by its id. The ledger says "by profile" and no more, since beside few people the rest
    /// would describe them; the reader's own campaign files may say it where the count is not withheld.
    pub wants: BTreeMap<String, String>,
    /// When the report is made, and the zone in which times are written.
    pub now: Timestamp,
    pub zone: TimeZone,
}

/// Everything that a report says. Counts of people that are withheld are not in it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub generated: Timestamp,
    pub zone: String,
    pub k: u64,
    /// Said at the top where k is lower than it should be.
    pub warning: Option<String>,
    pub screen: Option<String>,
    pub since: Option<Timestamp>,
    /// First and last record.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub summary: Summary,
    pub breaks: Vec<BreakRow>,
    pub campaigns: Vec<CampaignRow>,
    /// People by band: age, gender, emotion; those of which something is known.
    pub audience: Vec<AudienceTable>,
    #[serde(skip)]
    zoned: TimeZone,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub decisions: u64,
    pub impressions: u64,
    /// Impressions that ran to their end.
    pub complete: u64,
    pub frames: u64,
    pub held_frames: u64,
    pub skipped: u64,
    pub screens: u64,
    /// Decisions by what they rest on.
    pub by_basis: BTreeMap<String, u64>,
    /// Decisions by why people played no part in them.
    pub no_profile: BTreeMap<String, u64>,
    /// `None` where withheld.
    pub consents_granted: Option<u64>,
    pub consents_withdrawn: Option<u64>,
    pub chain: String,
    pub chain_whole: bool,
}

impl Report {
    pub fn new(records: &Records, options: &Options) -> Self {
        let k = options.k.max(1);
        let breaks = breaks::rows(records, k, &options.wants);
        let times = || {
            let decided = records.decisions.iter().map(|d| d.at);
            decided
                .chain(records.impressions.iter().map(|i| i.at))
                .chain(records.skipped.iter().map(|s| s.at))
        };
        Self {
            generated: options.now,
            zone: zone_name(options),
            k,
            warning: (k < DEFAULT_K).then(|| {
                format!(
                    "Counts are shown from k = {k} up, below the recommended {DEFAULT_K}: \
                     for demonstrations and tests, not for handing out."
                )
            }),
            screen: options.screen.clone(),
            since: options.since,
            from: times().min(),
            to: times().max(),
            summary: summary(records, &breaks, k),
            campaigns: campaigns::rows(records),
            audience: audience::tables(&records.people, k),
            breaks,
            zoned: options.zone.clone(),
        }
    }

    /// A page that needs nothing but itself: no scripts, no fonts, no pictures from elsewhere.
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// One line per break, for a terminal.
    pub fn table(&self) -> String {
        table::breaks(self)
    }

    /// Three tables for a spreadsheet: breaks, campaigns, audience.
    pub fn csv(&self) -> [(&'static str, String); 3] {
        [
            ("breaks", csv::breaks(self)),
            ("campaigns", csv::campaigns(self)),
            ("audience", csv::audience(self)),
        ]
    }

    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// Local time to the second.
    fn local(&self, at: Timestamp) -> String {
        at.to_zoned(self.zoned.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// "Europe/Berlin", or "UTC+01:00" where the zone has no name.
fn zone_name(options: &Options) -> String {
    let offset = || options.now.to_zoned(options.zone.clone()).strftime("UTC%:z").to_string();
    options.zone.iana_name().map_or_else(offset, str::to_owned)
}

fn summary(records: &Records, breaks: &[BreakRow], k: u64) -> Summary {
    let consents = |kind| {
        let count = records.consents.iter().filter(|c| c.change == kind).count() as u64;
        (count == 0 || count >= k).then_some(count)
    };
    let mut summary = Summary {
        decisions: records.decisions.len() as u64,
        impressions: records.impressions.len() as u64,
        complete: records.impressions.iter().filter(|i| i.complete).count() as u64,
        frames: records.impressions.iter().map(|i| i.frames).sum(),
        held_frames: records.impressions.iter().map(|i| i.held_frames).sum(),
        skipped: records.skipped.len() as u64,
        consents_granted: consents(ConsentKind::Granted),
        consents_withdrawn: consents(ConsentKind::Withdrawn),
        ..Summary::default()
    };
    let screens: std::collections::BTreeSet<&str> = breaks.iter().map(|row| row.screen.as_str()).collect();
    summary.screens = screens.len() as u64;
    for decision in &records.decisions {
        let basis = decision.basis.clone().unwrap_or_else(|| "nothing eligible".to_owned());
        *summary.by_basis.entry(basis).or_default() += 1;
        if let Some(reason) = &decision.no_profile {
            *summary.no_profile.entry(reason.clone()).or_default() += 1;
        }
    }
    (summary.chain, summary.chain_whole) = match &records.chain {
        ChainState::Whole { rows, purged, before } => {
            let gone = purged + before;
            let gone =
                if gone > 0 { format!("; {gone} more are past their retention") } else { String::new() };
            (format!("whole: {} rows checked{gone}", rows - purged), true)
        }
        ChainState::Broken { seq, why } => (format!("BROKEN at row {seq}: {why}"), false),
    };
    summary
}
