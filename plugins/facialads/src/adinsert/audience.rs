//! What was seen of the viewers: kept by running time, in memory only, for as long as a decision may need it, and
//! dropped at once when the consent that it rests on ends.

mod tally;
mod verdict;

pub(super) use tally::Tallied;
pub(super) use verdict::Judgement;

use crate::adinsert::messages::Label;
use facialads_campaign::{AgeEstimate, Viewer};
use facialads_consent::Stamp;
use facialads_meta::{Class, Face, Targeting, event::Gate};
use facialads_splice::{SECOND, SlotId, Time};
use std::collections::VecDeque;
use tally::Tally;

/// A clip that is analysed faster than its programme plays piles up observations: an hour at 25 frames a second.
const MOST: usize = 90_000;

/// One person on one frame. Nothing of this is printed or stored.
#[derive(Clone)]
pub(super) struct Seen {
    track: i32,
    /// Pixels of the face's box: the largest face counts first.
    area: u64,
    viewer: Viewer,
}

/// One buffer of the audience's camera.
#[derive(Clone)]
pub(super) struct Observation {
    pub at: Time,
    pub duration: Time,
    pub targeting: Targeting,
    pub faces: Vec<Seen>,
}

#[derive(Default)]
pub(super) struct Window {
    /// A camera is linked.
    linked: bool,
    observations: VecDeque<Observation>,
    /// The consent on the newest buffer.
    stamp: Option<Stamp>,
    /// Running time up to which the input has come.
    position: Time,
    ended: bool,
    /// Epochs below this are forgotten; and this one too, once the gate has closed.
    floor: u64,
    closed: bool,
    /// Counts how often something was dropped because consent ended: a decision that began before is void.
    forgotten: u64,
    tallies: Vec<Tally>,
}

impl Window {
    pub fn set_linked(&mut self, linked: bool) {
        self.linked = linked;
    }
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
    pub fn len(&self) -> usize {
        self.observations.len()
    }
    /// Whether a decision for running time `at` has all that it will get.
    pub fn has_reached(&self, at: Time) -> bool {
        !self.linked || self.ended || self.closed || self.position >= at
    }

    /// A buffer with what `faceanalyze` wrote on it. `verdict` is `None` where it wrote nothing.
    pub fn observe(
        &mut self,
        (at, duration): (Time, Time),
        verdict: Option<facialads_meta::Audience>,
        stamp: Option<Stamp>,
        faces: &[Face],
    ) -> Vec<Tallied> {
        self.ended = false;
        self.advance(at.saturating_add(duration));
        let epoch = verdict.as_ref().map(|v| v.epoch).or(stamp.as_ref().map(|s| s.epoch)).unwrap_or(0);
        if epoch < self.floor || (self.closed && epoch == self.floor) {
            // It was on its way when consent ended.
            return self.finished();
        }
        if epoch > self.floor {
            self.forget(epoch, false);
        }
        let agreed = stamp.is_some() && verdict.is_some();
        let observation = Observation {
            at,
            duration,
            targeting: verdict.map_or(Targeting::NotPermitted, |v| v.targeting),
            // Without consent on the buffer nobody is even counted.
            faces: if agreed { faces.iter().map(Seen::of).collect() } else { Vec::new() },
        };
        self.stamp = stamp;
        for tally in &mut self.tallies {
            tally.add(&observation);
        }
        self.observations.push_back(observation);
        if self.observations.len() > MOST {
            self.observations.pop_front();
        }
        self.finished()
    }

    /// Nobody is filmed until `until`: the gate is closed, or the camera has nothing.
    pub fn gap(&mut self, until: Time) -> Vec<Tallied> {
        self.advance(until);
        self.finished()
    }
    fn advance(&mut self, until: Time) {
        self.position = self.position.max(until);
    }
    pub fn end(&mut self) -> Vec<Tallied> {
        self.ended = true;
        self.finished()
    }
    /// The programme jumps to another time: what was seen so far is of no decision after that.
    pub fn rewind(&mut self) {
        self.observations.clear();
        self.tallies.clear();
    }
    /// A seek: running time starts again. What was seen belongs to another time.
    pub fn flush(&mut self) {
        self.rewind();
        self.position = 0;
        self.ended = false;
    }

    /// The gate opened or closed. `true` if something had to be forgotten.
    pub fn gate(&mut self, gate: &Gate) -> bool {
        if gate.epoch < self.floor {
            return false;
        }
        let newer = gate.epoch > self.floor;
        if newer || !gate.open {
            self.forget(gate.epoch, !gate.open);
            return true;
        }
        false
    }

    fn forget(&mut self, epoch: u64, closed: bool) {
        self.floor = epoch;
        self.closed = closed;
        self.stamp = None;
        self.observations.clear();
        self.tallies.iter_mut().for_each(Tally::forget);
        self.forgotten += 1;
    }

    /// What lies further back than a decision at or after `programme` can look is dropped.
    pub fn drop_before(&mut self, oldest: Time) {
        while self.observations.front().is_some_and(|o| o.at.saturating_add(o.duration) < oldest) {
            self.observations.pop_front();
        }
    }

    /// Begins to count who is in view while a creative is shown.
    pub fn open_tally(&mut self, slot: SlotId, from: Time, label: &Label) {
        if !self.linked {
            return;
        }
        let mut tally = Tally::new(slot, from, label);
        for observation in &self.observations {
            tally.add(observation);
        }
        self.tallies.push(tally);
    }
    /// The creative ended at `until`. In a file the camera may not have got there yet: then it is counted later.
    pub fn close_tally(&mut self, slot: SlotId, until: Time, at_once: bool) -> Vec<Tallied> {
        for tally in self.tallies.iter_mut().filter(|t| t.slot() == slot) {
            tally.close(until, at_once);
        }
        self.finished()
    }
    /// Everything is over: what was counted so far is all there is.
    pub fn close_all(&mut self) -> Vec<Tallied> {
        self.ended = true;
        let position = self.position;
        self.tallies.iter_mut().for_each(|t| t.close(position, true));
        self.finished()
    }

    fn finished(&mut self) -> Vec<Tallied> {
        let (position, ended) = (self.position, self.ended || self.closed);
        let (done, open) = self.tallies.drain(..).partition(|t| t.is_done(position, ended));
        self.tallies = open;
        Vec::into_iter(done).filter_map(Tally::finish).collect()
    }
}

impl Seen {
    fn of(face: &Face) -> Self {
        let gender = face.gender.as_ref().and_then(|label| {
            let gender = match label.value {
                facialads_meta::Gender::Female => facialads_campaign::Gender::Female,
                facialads_meta::Gender::Male => facialads_campaign::Gender::Male,
                facialads_meta::Gender::Unknown => return None,
            };
            Some((gender, label.confidence))
        });
        let emotion = face.emotion.as_ref().and_then(|label| {
            // The names are the same on both sides; "unknown" has none there.
            label.value.name().parse().ok().map(|emotion| (emotion, label.confidence))
        });
        let age = face.age.as_ref().map(|age| AgeEstimate {
            years: age.years,
            low: age.low,
            high: age.high,
            confidence: age.confidence,
        });
        Self {
            track: face.id,
            area: u64::from(face.width) * u64::from(face.height),
            viewer: Viewer { age, gender, emotion, weight: 0.0 },
        }
    }
}

fn seconds(time: Time) -> f64 {
    // A frame that stands for more than a second is a camera that stopped.
    time.min(SECOND) as f64 / SECOND as f64
}
