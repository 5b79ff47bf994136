//! How breaks end: cut, over, flushed, stopped; and what is told and forgotten then.

use crate::{
    action::{Action, Reason},
    breaks::Break,
    cue::When,
    machine::{Machine, Pad, PadId, VIDEO},
};

/// A creative counts as complete although the programme lacked this many frames at its very end.
const MISSING_AT_END: u64 = 2;

impl Machine {
    /// A pad that is gone holds nobody up.
    pub fn remove_pad(&mut self, pad: PadId) {
        self.end_of_stream(pad);
    }

    /// Cuts the break that is on air, or cancels the one that is being prepared. `false`: there is none.
    pub fn end_break(&mut self) -> bool {
        let open = |b: &Break| b.opened && b.end.is_none();
        let on_air = self.breaks.iter().position(|b| open(b) && b.aired());
        let now = |b: &Break| open(b) || (b.cue.when == When::Now && b.end.is_none());
        match on_air.or_else(|| self.breaks.iter().position(now)) {
            Some(at) => {
                self.cut(at, Reason::EndBreak);
                true
            }
            None => false,
        }
    }

    /// A flush: running time starts again, so cues in stream time are there again, others only if they lie ahead.
    pub fn flush(&mut self) {
        let ahead: Vec<_> =
            self.breaks.iter().filter(|b| !b.opened && b.end.is_none()).map(|b| b.id).collect();
        self.end_everything(&Reason::Flushed);
        self.breaks.clear();
        for pad in &mut self.pads {
            *pad = Pad::default();
        }
        self.grid = None;
        let again: Vec<_> = self
            .scheduled
            .iter()
            .filter(|(id, cue)| matches!(cue.when, When::Stream(_)) || ahead.contains(id))
            .copied()
            .collect();
        for (id, cue) in again {
            self.add(id, cue);
        }
    }

    /// This pad has ended. With the picture everything ends: sound alone opens no break.
    pub fn end_of_stream(&mut self, pad: PadId) {
        let Some(state) = self.pads.get_mut(pad.0) else { return };
        state.ended = true;
        if pad.0 == VIDEO {
            self.end_everything(&Reason::ProgrammeEnded);
        }
        self.collect();
    }

    /// Nothing is shown any more, nothing waits.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.end_everything(&Reason::Stopped);
    }
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    pub(crate) fn end_everything(&mut self, reason: &Reason) {
        for at in 0..self.breaks.len() {
            if self.breaks[at].end.is_none() {
                // A break that a stop or a seek keeps from coming at all is no news.
                let quiet = !self.breaks[at].opened && *reason != Reason::ProgrammeEnded;
                if quiet {
                    self.breaks[at].end = Some(0);
                } else {
                    self.cut(at, reason.clone());
                }
            }
            for slot in 0..self.breaks[at].slots.len() {
                let shown = &mut self.breaks[at].slots[slot];
                if shown.on_air() && shown.shown < shown.planned && shown.cut.is_none() {
                    shown.cut = Some(reason.clone());
                }
                self.end_slot(at, slot);
                // Where the picture has ended, sound that is behind it still needs what is on air.
                if *reason != Reason::ProgrammeEnded {
                    self.discard(at, slot);
                }
            }
        }
    }

    /// Ends a break as early as all pads can follow.
    pub(crate) fn cut(&mut self, at: usize, reason: Reason) {
        if !self.breaks[at].aired() {
            return self.close(at, Some(reason));
        }
        self.discard_pending(at);
        let b = &mut self.breaks[at];
        let end = b.claimed.min(b.planned());
        b.end = Some(end);
        for slot in b.slots.iter_mut().filter(|s| s.to > end) {
            slot.to = end.max(slot.from);
            slot.cut = Some(reason.clone());
        }
    }

    /// Nothing more comes in this break; a reason is told.
    pub(crate) fn close(&mut self, at: usize, reason: Option<Reason>) {
        let position = self.breaks[at].pending().map_or(0, |s| s.position);
        self.discard_pending(at);
        let b = &mut self.breaks[at];
        b.opened = true;
        b.end = Some(b.planned());
        if let Some(reason) = reason {
            self.actions.push(Action::Skipped { number: b.id, position, reason });
        }
    }

    pub(crate) fn discard_pending(&mut self, at: usize) {
        if let Some(slot) = self.breaks[at].pending() {
            self.actions.push(Action::Discard { slot: slot.id });
            self.breaks[at].slots.pop();
        }
    }

    pub(crate) fn discard(&mut self, at: usize, slot: usize) {
        let slot = &mut self.breaks[at].slots[slot];
        if !slot.discarded {
            slot.discarded = true;
            self.actions.push(Action::Discard { slot: slot.id });
        }
    }

    /// Tells the end of a creative, once.
    pub(crate) fn end_slot(&mut self, at: usize, slot: usize) {
        let number = self.breaks[at].id;
        let slot = &mut self.breaks[at].slots[slot];
        if slot.ended || !slot.on_air() {
            return;
        }
        slot.ended = true;
        let (id, shown, planned) = (slot.id, slot.shown, slot.planned);
        if shown == 0 {
            let reason = slot.cut.clone().unwrap_or(Reason::Late);
            self.actions.push(Action::Skipped { number, position: slot.position, reason });
            return;
        }
        let whole = shown == planned || (slot.cut.is_none() && planned - shown <= MISSING_AT_END);
        if whole {
            let due = slot.quartiles.advance(planned, planned);
            self.actions.extend(due.map(|quartile| Action::Reached { slot: id, quartile }));
        }
        let reason = (!whole).then(|| slot.cut.clone().unwrap_or(Reason::Late));
        self.actions.push(Action::Ended { slot: id, shown, planned, reason });
    }

    /// Forgets breaks and creatives that every pad has passed.
    pub(crate) fn collect(&mut self) {
        let active: Vec<usize> = (0..self.pads.len()).filter(|pad| !self.pads[*pad].ended).collect();
        for at in 0..self.breaks.len() {
            let b = &mut self.breaks[at];
            let oldest = active
                .iter()
                .map(|pad| *b.progress(*pad))
                .map(|p| if p.done { usize::MAX } else { p.slot })
                .min()
                .unwrap_or(if b.end.is_some() { usize::MAX } else { 0 });
            for slot in 0..b.slots.len().min(oldest) {
                if self.breaks[at].slots[slot].ended {
                    self.discard(at, slot);
                }
            }
        }
        self.breaks.retain_mut(|b| {
            let gone = b.end.is_some()
                && b.slots.iter().all(|s| s.discarded)
                && active.iter().all(|pad| b.progress(*pad).done);
            !gone
        });
    }
}
