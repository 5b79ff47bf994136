//! Events for tests.
#![allow(dead_code, clippy::unwrap_used)]

use facialads_ledger::{Audience, Decision, Event, Gate, Impression, new_id};
use jiff::Timestamp;
use std::{collections::BTreeMap, time::Duration};

pub const WAIT: Duration = Duration::from_secs(60);

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + second).unwrap()
}

pub fn impression(screen: &str, campaign: &str, at: Timestamp) -> Impression {
    Impression {
        decision: new_id(),
        screen: screen.to_owned(),
        break_id: "break-1".to_owned(),
        campaign: campaign.to_owned(),
        advertiser: "ACME".to_owned(),
        creative: "a".to_owned(),
        at,
        start: Duration::from_secs(10),
        end: Duration::from_secs(15),
        frames: 150,
        held_frames: 0,
        samples: 240_000,
        quartile: 100,
        complete: true,
        end_reason: "complete".to_owned(),
    }
}

pub fn decision(screen: &str, campaign: &str, people: Option<u32>, receipts: &[&str]) -> Decision {
    Decision {
        id: new_id(),
        screen: screen.to_owned(),
        break_id: "break-1".to_owned(),
        position: 0,
        at: Timestamp::now(),
        running_time: Duration::from_secs(10),
        people,
        basis: Some("by profile".to_owned()),
        no_profile: None,
        subject: vec!["Sports".to_owned()],
        campaign: Some(campaign.to_owned()),
        advertiser: Some("ACME".to_owned()),
        creative: Some("a".to_owned()),
        why: "by profile".to_owned(),
        receipts: receipts.iter().map(|r| (*r).to_owned()).collect(),
    }
}

pub fn gate(epoch: u64) -> Event {
    Event::Gate(Gate {
        screen: "lobby".to_owned(),
        at: Timestamp::now(),
        epoch,
        open: true,
        reason: "granted".to_owned(),
        basis: "viewer-consent".to_owned(),
        statement: None,
    })
}

/// People of one gender and band in front of a creative.
pub fn audience(screen: &str, people: u32, gender: &str, years: f64, at: Timestamp) -> Audience {
    Audience {
        screen: screen.to_owned(),
        at,
        campaign: Some("spring".to_owned()),
        creative: Some("a".to_owned()),
        people,
        ages: facialads_ledger::AgeBand::of(years).map(|band| (band, people)).into_iter().collect(),
        genders: BTreeMap::from([(gender.to_owned(), people)]),
        emotions: BTreeMap::from([("happy".to_owned(), people)]),
    }
}
