//! What the preparation of creatives reports, and what it is told to do next.

use crate::{
    action::Reason,
    breaks::{SlotId, Source, Stage},
    machine::Machine,
    time::Time,
};

/// What to do after a step of the preparation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Open the candidate of this rank.
    Open(usize),
    /// The candidate is taken: keep it.
    Taken,
    /// Nothing is left to try.
    Exhausted,
    /// Nobody waits for it any more: drop everything.
    Cancelled,
}

impl Machine {
    /// Whether a preparation still makes sense.
    pub fn wanted(&self, slot: SlotId) -> bool {
        !self.stopped()
            && self.slot_index(slot).is_some_and(|(at, slot)| {
                matches!(self.breaks[at].slots[slot].stage, Stage::Deciding | Stage::Preparing { .. })
            })
    }

    /// A decision was taken: there are so many candidates, best first.
    pub fn decided(&mut self, slot: SlotId, candidates: usize) -> Next {
        if !self.wanted(slot) {
            return Next::Cancelled;
        }
        let (stage, next) = if candidates == 0 {
            (Stage::Spent(Reason::NoCandidate), Next::Exhausted)
        } else {
            (Stage::Preparing { current: 0, count: candidates }, Next::Open(0))
        };
        self.set_stage(slot, stage);
        next
    }

    /// The candidate that is being opened will not be ready.
    pub fn failed(&mut self, slot: SlotId, reason: Reason) -> Next {
        if !self.wanted(slot) {
            return Next::Cancelled;
        }
        let (stage, next) = match self.stage(slot) {
            Some(Stage::Preparing { current, count }) if current + 1 < *count => {
                (Stage::Preparing { current: current + 1, count: *count }, Next::Open(current + 1))
            }
            _ => (Stage::Spent(reason), Next::Exhausted),
        };
        self.set_stage(slot, stage);
        next
    }

    /// The candidate that was opened has its first frame ready and is so long. One that does not fit is refused with
    /// the reason, and the next is to be opened.
    pub fn prepared(&mut self, slot: SlotId, length: Option<Time>) -> (Next, Option<Reason>) {
        let (true, Some((at, index))) = (self.wanted(slot), self.slot_index(slot)) else {
            return (Next::Cancelled, None);
        };
        match self.fit(at, length) {
            Ok(frames) => {
                let slot = &mut self.breaks[at].slots[index];
                if let Stage::Preparing { current, .. } = slot.stage {
                    slot.source = Source::Candidate(current);
                }
                slot.stage = Stage::Ready { frames };
                (Next::Taken, None)
            }
            Err(reason) => (self.failed(slot, reason.clone()), Some(reason)),
        }
    }

    /// A creative on air has nothing to show: back to the programme.
    pub fn failed_on_air(&mut self, slot: SlotId, what: String) {
        if let Some((at, _)) = self.slot_index(slot)
            && self.breaks[at].end.is_none()
        {
            self.cut(at, Reason::Failed(what));
        }
    }

    /// How many frames a creative of this length gets in the room that break `at` has left.
    pub(crate) fn fit(&self, at: usize, length: Option<Time>) -> Result<u64, Reason> {
        let Some(rate) = self.rate.flatten() else { return Err(Reason::NoFrameRate) };
        let b = &self.breaks[at];
        // Not on the grid yet: the duration is all that is known.
        let room = b.room().or(b.cue.duration.map(|d| rate.frames(d).max(1)));
        match (length.map(|l| rate.frames(l).max(1)), room) {
            (None, None) => Err(Reason::UnknownLength),
            (Some(frames), Some(room)) if frames > room.saturating_add(rate.frames(self.config.overrun)) => {
                let milliseconds = |frames| rate.time(frames) / 1_000_000;
                Err(Reason::TooLong { length_ms: milliseconds(frames), room_ms: milliseconds(room) })
            }
            (Some(frames), Some(room)) => Ok(frames.min(room)),
            (frames, room) => frames.or(room).ok_or(Reason::UnknownLength),
        }
    }

    fn stage(&self, slot: SlotId) -> Option<&Stage> {
        let (at, slot) = self.slot_index(slot)?;
        Some(&self.breaks[at].slots[slot].stage)
    }

    fn set_stage(&mut self, slot: SlotId, stage: Stage) {
        if let Some((at, slot)) = self.slot_index(slot) {
            self.breaks[at].slots[slot].stage = stage;
        }
    }
}
