//! Proof of play: what each creative was shown, and how far.

use crate::Records;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, Serialize)]
pub struct CampaignRow {
    pub campaign: String,
    pub advertiser: String,
    pub creative: String,
    pub impressions: u64,
    pub frames: u64,
    pub held_frames: u64,
    pub seconds: f64,
    /// Impressions that reached a quarter, half, three quarters and the end.
    pub first_quartile: u64,
    pub midpoint: u64,
    pub third_quartile: u64,
    pub complete: u64,
    /// Times it was chosen or about to be shown and was not.
    pub skipped: u64,
}

pub(super) fn rows(records: &Records) -> Vec<CampaignRow> {
    let mut rows: BTreeMap<(&str, &str), CampaignRow> = BTreeMap::new();
    for impression in &records.impressions {
        let row = rows.entry((&impression.campaign, &impression.creative)).or_default();
        row.advertiser.clone_from(&impression.advertiser);
        row.impressions += 1;
        row.frames += impression.frames;
        row.held_frames += impression.held_frames;
        row.seconds += impression.end.saturating_sub(impression.start).as_secs_f64();
        row.first_quartile += u64::from(impression.quartile >= 25);
        row.midpoint += u64::from(impression.quartile >= 50);
        row.third_quartile += u64::from(impression.quartile >= 75);
        row.complete += u64::from(impression.complete);
    }
    for skip in &records.skipped {
        if let (Some(campaign), Some(creative)) = (&skip.campaign, &skip.creative) {
            rows.entry((campaign, creative)).or_default().skipped += 1;
        }
    }
    rows.into_iter()
        .map(|((campaign, creative), row)| CampaignRow {
            campaign: campaign.to_owned(),
            creative: creative.to_owned(),
            ..row
        })
        .collect()
}
