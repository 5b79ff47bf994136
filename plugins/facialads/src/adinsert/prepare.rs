//! Opening the creatives that were chosen, one after the other until one is ready: on a thread per place in a break.

use super::{
    creative::{Creative, Readiness},
    decision::{Candidate, Decided, file_name, time_left},
    messages::Label,
    session::{Job, Playing, Prepared, Session, lock},
    stats,
};
use crate::analysis::report::warn;
use facialads_splice::{Next, Reason, Time};
use gst::ClockTime;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

/// How often a creative that is being opened is asked whether it is ready.
const POLL: Duration = Duration::from_millis(5);

impl Session {
    /// Takes a decision and prepares it, beside the stream.
    pub(super) fn decide_beside(self: &Arc<Self>, job: Job) {
        let session = self.clone();
        let run = move || {
            // Whatever happens in there, the programme must not be left waiting.
            if catch_unwind(AssertUnwindSafe(|| session.serve(&job))).is_err() {
                session.give_up(&job, "an internal error while it was being prepared (please report it)");
            }
            session.change(|s| s.choosing.remove(&job.slot));
        };
        if let Err(error) = std::thread::Builder::new().name("ad-decision".into()).spawn(run) {
            self.change(|s| s.serving += 1);
            self.give_up(&job, &format!("no thread to decide on: {error}"));
        }
    }

    fn give_up(self: &Arc<Self>, job: &Job, why: &str) {
        self.change(|s| {
            s.machine.decided(job.slot, 0);
            while let Next::Open(_) = s.machine.failed(job.slot, Reason::Creative(why.to_owned())) {}
        });
    }

    fn wanted(&self, job: &Job) -> bool {
        self.look(|s| s.machine.wanted(job.slot))
    }

    fn serve(self: &Arc<Self>, job: &Job) {
        let turn = self.take_turn(job);
        self.wait_for_inputs(job, || self.wanted(job));
        if !self.wanted(job) {
            return;
        }
        let mut decided = self.decide(job);
        drop(turn);
        let mut next = self.change(|s| s.machine.decided(job.slot, decided.candidates.len()));
        while let Next::Open(rank) = next {
            let Some(candidate) = decided.candidates.get(rank).cloned() else {
                return self.give_up(job, "no such candidate");
            };
            if candidate.label.by_profile && lock(&self.audience).forgotten() != decided.forgotten {
                // Consent ended meanwhile. The order of the candidates rests on it: choose again.
                decided = self.decide(job);
                next = self.change(|s| s.machine.decided(job.slot, decided.candidates.len()));
                continue;
            }
            next = self.try_candidate(job, &decided, &candidate);
        }
    }

    fn try_candidate(self: &Arc<Self>, job: &Job, decided: &Decided, candidate: &Candidate) -> Next {
        let (format, pads) = self.format();
        let timeout = self.preroll_timeout(job);
        let creative = self.source.open(&candidate.uri, &format, timeout);
        match wait_until_ready(&*creative, timeout, || self.wanted(job)) {
            Ok(()) => {}
            Err(Unready::Cancelled) => {
                creative.cancel();
                return Next::Cancelled;
            }
            Err(Unready::Failed(reason)) => {
                creative.cancel();
                return self.refuse(job, candidate, Reason::Creative(reason));
            }
        }
        // Live, waiting for the last sample's place is not worth the break.
        let patience = if self.live() { EXACT_LIVE } else { EXACT_FILE };
        wait_until_exact(&*creative, patience, || self.wanted(job));
        let length = creative.duration().map(ClockTime::nseconds);
        let prepared = Prepared {
            creative: creative.clone(),
            format: Arc::new(format),
            pads: pads.into(),
            label: candidate.label.clone(),
            listed: candidate.listed,
        };
        let (next, refusal) = self.change(|s| {
            let (next, refusal) = s.machine.prepared(job.slot, length);
            if next == Next::Taken {
                s.playing.insert(job.slot, Playing::new(prepared));
                s.choosing.remove(&job.slot);
                Self::mark_used(s, candidate);
                match candidate.listed {
                    // The first of the list was counted when it was chosen.
                    Some(index) if decided.reserved == Some(index) => {}
                    Some(index) => s.next_ad = index + 1,
                    None => {}
                }
            }
            (next, refusal)
        });
        if next != Next::Taken {
            creative.cancel();
        }
        if let Some(reason) = refusal {
            self.tell_refusal(candidate, &reason);
        }
        // Consent may have ended between the decision and this moment.
        if candidate.label.by_profile && lock(&self.audience).forgotten() != decided.forgotten {
            self.forget_profiles();
        }
        next
    }

    fn refuse(self: &Arc<Self>, job: &Job, candidate: &Candidate, reason: Reason) -> Next {
        self.tell_refusal(candidate, &reason);
        self.change(|s| s.machine.failed(job.slot, reason))
    }

    fn tell_refusal(self: &Arc<Self>, candidate: &Candidate, reason: &Reason) {
        stats::Counters::add(&self.stats.refused, 1);
        if let (Reason::Creative(reason), Some(element)) = (reason, self.element()) {
            // Once for each: a broken file may be tried in every break of a day.
            if self.change(|s| s.warned.insert(candidate.uri.clone())) {
                warn(&element, gst::ResourceError::OpenRead, "creative", &format!("not shown: {reason}"));
            }
        }
        self.change(|s| {
            Self::mark_used(s, candidate);
            self.queue_skip(s, &candidate.label, &reason.to_string());
        });
    }

    /// Live, the second choice needs time too: the first gets half of what is left.
    fn preroll_timeout(&self, job: &Job) -> ClockTime {
        let limit = Duration::from_nanos(self.settings.preroll_timeout);
        let limit = if self.live() {
            let left = time_left(job.starts, self.look(|s| s.picture));
            limit.min((left / 2).max(Duration::from_millis(200)))
        } else {
            limit
        };
        ClockTime::try_from(limit).unwrap_or(ClockTime::from_seconds(5))
    }

    /// Opens the house ad, beside the stream, as soon as the caps are known, and again when it was used.
    pub(super) fn prepare_house(self: &Arc<Self>) {
        let Some(uri) = self.settings.house_ad().map(str::to_owned) else { return };
        if self.stopped() || !self.format_is_complete() {
            return;
        }
        let turn = self.next_house_turn();
        let session = self.clone();
        let run = move || {
            let opened = catch_unwind(AssertUnwindSafe(|| session.open_house(&uri, turn)));
            let Err(reason) = opened.unwrap_or_else(|_| Err("an internal error (please report it)".into()))
            else {
                return;
            };
            session.give_up_house(turn);
            if let Some(element) = session.element() {
                let text = format!("house-ad {uri}: {reason}; live breaks without lead are skipped");
                warn(&element, gst::ResourceError::OpenRead, "house-ad", &text);
            }
        };
        // Without a thread there is no house ad; a break that would have needed it says so.
        if std::thread::Builder::new().name("ad-house".into()).spawn(run).is_err() {
            self.give_up_house(turn);
        }
    }

    fn open_house(self: &Arc<Self>, uri: &str, turn: u64) -> Result<(), String> {
        let (format, pads) = self.format();
        let timeout = ClockTime::from_nseconds(self.settings.preroll_timeout);
        let creative = self.source.open(uri, &format, timeout);
        match wait_until_ready(&*creative, timeout, || self.house_turn() == turn) {
            Ok(()) => {}
            Err(Unready::Cancelled) => {
                creative.cancel();
                return Ok(());
            }
            Err(Unready::Failed(reason)) => {
                creative.cancel();
                return Err(reason);
            }
        }
        let length: Time = creative.duration().map(ClockTime::nseconds).ok_or("its length is not known")?;
        let label = Label {
            campaign: "house".to_owned(),
            creative: file_name(uri),
            basis: facialads_campaign::Basis::House.name().to_owned(),
            why: "the house ad: nothing else was ready".to_owned(),
            ..Label::default()
        };
        let prepared = Prepared {
            creative: creative.clone(),
            format: Arc::new(format),
            pads: pads.into(),
            label,
            listed: None,
        };
        if !self.set_house(turn, prepared, length) {
            creative.cancel();
        }
        Ok(())
    }
}

/// How long a creative that is ready may still be read to know its length to the frame; then its container is believed.
const EXACT_FILE: Duration = Duration::from_secs(1);
const EXACT_LIVE: Duration = Duration::from_millis(200);

fn wait_until_exact(creative: &dyn Creative, patience: Duration, wanted: impl Fn() -> bool) {
    let begun = Instant::now();
    while !creative.duration_is_exact() && begun.elapsed() < patience && wanted() {
        std::thread::sleep(POLL);
    }
}

enum Unready {
    Failed(String),
    Cancelled,
}

fn wait_until_ready(
    creative: &dyn Creative,
    timeout: ClockTime,
    wanted: impl Fn() -> bool,
) -> Result<(), Unready> {
    let begun = Instant::now();
    // The creative watches its own deadline; this one is for a source that does not.
    let limit = Duration::from(timeout) + Duration::from_millis(500);
    loop {
        match creative.readiness() {
            Readiness::Ready => return Ok(()),
            Readiness::Failed(reason) => return Err(Unready::Failed(reason)),
            Readiness::Preparing if !wanted() => return Err(Unready::Cancelled),
            Readiness::Preparing if begun.elapsed() > limit => {
                let reason = format!("not ready after {} ms", begun.elapsed().as_millis());
                return Err(Unready::Failed(reason));
            }
            Readiness::Preparing => std::thread::sleep(POLL),
        }
    }
}
