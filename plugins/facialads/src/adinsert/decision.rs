//! Which creative is to be shown: on a thread of its own, never on a streaming thread.

use super::{
    audience::Judgement,
    messages::{self, Label},
    session::{Job, Prepared, Session, State, lock},
    stats,
};
use facialads_campaign::{Basis, Situation, Slot, SubjectView, decide};
use facialads_splice::Time;
use jiff::{Timestamp, Zoned};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// One creative to try, best first.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub uri: String,
    pub label: Label,
    /// Index in the list `ads`.
    pub listed: Option<usize>,
}

/// What a decision rests on, and what came out.
pub(super) struct Decided {
    pub candidates: Vec<Candidate>,
    /// The entry of the list `ads` that comes first, taken out of turn for other decisions.
    pub reserved: Option<usize>,
    /// See [`super::audience::Window::forgotten`]: choices by profile hold only while this stays the same.
    pub forgotten: u64,
}

impl Session {
    /// Waits for the decisions before this one. The turn goes on when what this returns is dropped.
    pub(super) fn take_turn(self: &Arc<Self>, job: &Job) -> Turn {
        while self.look(|s| s.serving < job.ticket) && !self.stopped() {
            std::thread::sleep(Duration::from_millis(2));
        }
        Turn { session: self.clone() }
    }

    /// Waits, in a file pipeline, until audience and programme have come to the time of the decision; not for ever.
    pub(super) fn wait_for_inputs(&self, job: &Job, wanted: impl Fn() -> bool) {
        let begun = Instant::now();
        let limit = Duration::from_nanos(self.settings.audience_timeout);
        while !self.live() && begun.elapsed() < limit && wanted() {
            let picture = self.look(|s| s.picture >= job.at || s.picture_ended);
            let ready = picture && self.format_is_complete();
            let audience = lock(&self.audience);
            if ready && audience.has_reached(job.at) {
                break;
            }
            // The picture moves without a word to us: hence the short wait.
            let _ = self.audience_moved.wait_timeout(audience, Duration::from_millis(10));
        }
        stats::Counters::add_time(&self.stats.audience_waited, begun.elapsed());
    }

    /// Decides, records, tells.
    pub(super) fn decide(self: &Arc<Self>, job: &Job) -> Decided {
        stats::Counters::add(&self.stats.decisions, 1);
        let subject = self.subject_at(job.at);
        // Consent may end while a decision is being taken: then it is taken again without what was learned from it.
        loop {
            let judgement =
                lock(&self.audience).judge(job.at, self.settings.window, facialads_consent::wall_clock());
            let candidates = self.candidates(job, &judgement, subject.as_ref());
            let forgotten = judgement.forgotten;
            let audience = lock(&self.audience);
            if audience.forgotten() == forgotten {
                drop(audience);
                let reserved = candidates.first().and_then(|c| c.listed);
                self.change(|s| {
                    s.next_ad = reserved.map_or(s.next_ad, |index| index + 1);
                    let chosen = candidates.first().filter(|c| c.listed.is_none());
                    s.choosing.extend(chosen.map(|c| (job.slot, c.label.creative_ref())));
                });
                self.tell(job, &judgement, subject.as_ref(), &candidates);
                return Decided { candidates, reserved, forgotten };
            }
        }
    }

    fn candidates(
        self: &Arc<Self>,
        job: &Job,
        judgement: &Judgement,
        subject: Option<&SubjectView>,
    ) -> Vec<Candidate> {
        let (log, next_ad, planned) =
            self.look(|s| (s.log.get(&job.number).cloned().unwrap_or_default(), s.next_ad, s.planned()));
        let id = facialads_ledger::new_id();
        let slot = Slot {
            duration: None,
            remaining: job.room.map(Duration::from_nanos),
            position: job.position,
            previous_advertiser: log.previous_advertiser.clone(),
        };
        let now = Zoned::now();
        let situation = Situation {
            audience: judgement.audience.as_ref().map_err(|reason| *reason),
            subject,
            slot: &slot,
            now: &now,
            history: &self.plays,
            excluded: &log.used,
            planned: &planned,
        };
        let decision = decide(&self.catalogue, &situation);
        let label = |campaign: String, advertiser, creative, basis: Basis, why| Label {
            number: job.number,
            position: job.position,
            campaign,
            advertiser,
            creative,
            basis: basis.name().to_owned(),
            why,
            decision: id.clone(),
            by_profile: basis == Basis::Profile,
        };
        let mut candidates: Vec<_> = decision
            .choices
            .into_iter()
            .map(|choice| Candidate {
                label: label(
                    choice.campaign,
                    choice.advertiser,
                    choice.creative.id.clone(),
                    choice.basis,
                    // Whom the campaign asks for would describe the people in view, in the log and on the bus.
                    if choice.basis == Basis::Profile { choice.basis.name().to_owned() } else { choice.why },
                ),
                uri: choice.creative.uri,
                listed: None,
            })
            .collect();
        // The list is played in order, from where it was left; each once in a break.
        let count = self.ads.len();
        for index in (0..count).map(|i| (next_ad + i) % count) {
            if log.used_ads.contains(&index) {
                continue;
            }
            let uri = self.ads[index].clone();
            let why = "next of the list given as ads".to_owned();
            candidates.push(Candidate {
                label: label(String::new(), String::new(), file_name(&uri), Basis::Schedule, why),
                uri,
                listed: Some(index),
            });
        }
        candidates
    }

    fn tell(
        self: &Arc<Self>,
        job: &Job,
        judgement: &Judgement,
        subject: Option<&SubjectView>,
        candidates: &[Candidate],
    ) {
        let subjects: Vec<_> =
            subject.map(|s| s.classes.iter().map(|c| c.name.clone()).collect()).unwrap_or_default();
        let nothing = Label {
            number: job.number,
            position: job.position,
            why: match self.settings.house_ad() {
                Some(_) => "nothing is eligible: the house ad, else the programme".to_owned(),
                None => "nothing is eligible: the programme goes on".to_owned(),
            },
            ..Label::default()
        };
        let label = candidates.first().map_or(&nothing, |c| &c.label);
        let no_profile = judgement.audience.as_ref().err().map(ToString::to_string);
        let structure = messages::decision(&messages::Decided {
            label,
            starts: job.starts,
            people: judgement.people,
            no_profile: no_profile.clone(),
            subject: &subjects,
            candidates: candidates.len(),
        });
        let chosen = candidates.first().map(|c| &c.label);
        let text = |text: fn(&Label) -> &String| chosen.map(|c| text(c).clone()).filter(|t| !t.is_empty());
        let record = facialads_ledger::Decision {
            id: if label.decision.is_empty() { facialads_ledger::new_id() } else { label.decision.clone() },
            screen: self.settings.screen().to_owned(),
            break_id: super::records::break_id(label),
            position: job.position,
            at: Timestamp::now(),
            running_time: Duration::from_nanos(job.starts),
            people: judgement.people,
            basis: text(|l| &l.basis),
            no_profile,
            subject: subjects.clone(),
            campaign: text(|l| &l.campaign),
            advertiser: text(|l| &l.advertiser),
            creative: text(|l| &l.creative),
            why: label.why.clone(),
            receipts: if chosen.is_some_and(|c| c.by_profile) {
                judgement.receipts.clone()
            } else {
                Vec::new()
            },
        };
        // With nothing eligible the house ad is next, and records itself when it goes on air.
        let open = candidates.is_empty() && self.settings.house_ad().is_some();
        self.change(|s| {
            Self::queue_message(s, structure);
            if !open {
                Self::queue_record(s, facialads_ledger::Event::Decision(record));
            }
            Self::queue_decided(s, label, subjects, job.at);
        });
    }

    /// A candidate is not to be tried again in its break.
    pub(super) fn mark_used(state: &mut State, candidate: &Candidate) {
        let log = state.log.entry(candidate.label.number).or_default();
        match candidate.listed {
            Some(index) => log.used_ads.push(index),
            None => log.used.push(candidate.label.creative_ref()),
        }
    }

    /// What was prepared and never on air, because the caps or the consent changed, may be chosen again.
    pub(super) fn unmark_used(state: &mut State, prepared: &Prepared) {
        let log = state.log.entry(prepared.label.number).or_default();
        match prepared.listed {
            Some(index) => log.used_ads.retain(|used| *used != index),
            None => {
                let creative = prepared.label.creative_ref();
                log.used.retain(|used| *used != creative);
            }
        }
    }
}

/// The right to decide.
pub(super) struct Turn {
    session: Arc<Session>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.session.change(|s| s.serving += 1);
    }
}

/// What an operator calls a creative that has no other name.
pub(super) fn file_name(uri: &str) -> String {
    let last = Path::new(uri).file_name().map(|name| name.to_string_lossy().into_owned());
    last.filter(|name| !name.is_empty()).unwrap_or_else(|| uri.to_owned())
}

/// Time that is left until a creative has to be ready.
pub(super) fn time_left(starts: Time, picture: Time) -> Duration {
    Duration::from_nanos(starts.saturating_sub(picture))
}
