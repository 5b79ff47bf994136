//! What goes into the ledger, and what was played where there is none.

use super::{
    audience::Tallied,
    messages::Label,
    session::{Playing, Session, lock},
};
use facialads_campaign::{CreativeRef, History};
use facialads_ledger::{Audience, Decision, Event, Impression, Ledger, Skipped};
use facialads_splice::{Quartile, Time};
use jiff::Timestamp;
use std::{sync::Mutex, time::Duration};

/// Plays on this screen: the ledger's memory, or, without a ledger, what this element has shown itself.
pub(super) enum Plays {
    Ledger(facialads_ledger::History),
    Own(Mutex<Vec<(CreativeRef, Timestamp)>>),
}

impl Plays {
    pub fn new(ledger: Option<&Ledger>, screen: &str) -> Self {
        ledger.map_or_else(|| Self::Own(Mutex::default()), |l| Self::Ledger(l.history(screen)))
    }
    fn add(&self, impression: &Impression) {
        if let Self::Own(plays) = self {
            let creative =
                CreativeRef { campaign: impression.campaign.clone(), creative: impression.creative.clone() };
            lock(plays).push((creative, impression.at));
        }
    }
}

impl History for Plays {
    fn plays(&self, campaign: &str, since: Timestamp) -> u32 {
        match self {
            Self::Ledger(history) => history.plays(campaign, since),
            Self::Own(plays) => {
                let count =
                    lock(plays).iter().filter(|(c, at)| c.campaign == campaign && *at >= since).count();
                u32::try_from(count).unwrap_or(u32::MAX)
            }
        }
    }
    fn last_play(&self, creative: &CreativeRef) -> Option<Timestamp> {
        match self {
            Self::Ledger(history) => history.last_play(creative),
            Self::Own(plays) => lock(plays).iter().filter(|(c, _)| c == creative).map(|(_, at)| *at).max(),
        }
    }
}

/// The house ad goes on air: nobody was considered, and nothing else was there.
pub(super) fn house(screen: &str, label: &Label, at: Time, subject: Vec<String>) -> Event {
    Event::Decision(Decision {
        id: label.decision.clone(),
        screen: screen.to_owned(),
        break_id: break_id(label),
        position: label.position,
        at: Timestamp::now(),
        running_time: Duration::from_nanos(at),
        people: None,
        basis: Some(label.basis.clone()),
        no_profile: None,
        subject,
        campaign: Some(label.campaign.clone()),
        advertiser: None,
        creative: Some(label.creative.clone()),
        why: label.why.clone(),
        receipts: Vec::new(),
    })
}

impl Session {
    /// Never waits.
    pub(super) fn record(&self, event: Event) {
        if let Event::Impression(impression) = &event {
            self.plays.add(impression);
        }
        if let Some(ledger) = &self.ledger {
            // What is dropped is counted and told by the ledger itself.
            let _ = ledger.record(event);
        }
    }

    pub(super) fn record_audience(&self, tallied: Vec<Tallied>) {
        for tallied in tallied {
            self.record(Event::Audience(Audience {
                screen: self.settings.screen().to_owned(),
                at: Timestamp::now(),
                campaign: Some(tallied.campaign),
                creative: Some(tallied.creative),
                people: tallied.people,
                ages: tallied.ages,
                genders: tallied.genders,
                emotions: tallied.emotions,
            }));
        }
    }
}

pub(super) fn break_id(label: &Label) -> String {
    label.number.to_string()
}

pub(super) fn skipped(screen: &str, label: &Label, running: Time, reason: &str) -> Event {
    let known = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    Event::Skipped(Skipped {
        screen: screen.to_owned(),
        break_id: break_id(label),
        decision: known(&label.decision),
        at: Timestamp::now(),
        running_time: Duration::from_nanos(running),
        campaign: known(&label.campaign),
        creative: known(&label.creative),
        reason: reason.to_owned(),
    })
}

pub(super) fn impression(screen: &str, playing: &Playing, reason: Option<String>) -> Event {
    let label = &playing.prepared.label;
    Event::Impression(Impression {
        decision: label.decision.clone(),
        screen: screen.to_owned(),
        break_id: break_id(label),
        campaign: label.campaign.clone(),
        advertiser: label.advertiser.clone(),
        creative: label.creative.clone(),
        at: playing.begun_at.unwrap_or_else(Timestamp::now),
        start: Duration::from_nanos(playing.start.unwrap_or(0)),
        end: Duration::from_nanos(playing.end),
        frames: playing.frames,
        held_frames: playing.held,
        samples: playing.samples,
        quartile: match playing.quartile {
            None | Some(Quartile::Start) => 0,
            Some(Quartile::First) => 25,
            Some(Quartile::Midpoint) => 50,
            Some(Quartile::Third) => 75,
            Some(Quartile::Complete) => 100,
        },
        complete: playing.quartile == Some(Quartile::Complete),
        end_reason: reason.unwrap_or_else(|| "complete".to_owned()),
    })
}
