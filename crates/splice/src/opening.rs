//! How breaks begin: their place on the grid, and the decisions that are due.

use crate::{
    action::{Action, Reason},
    breaks::{Placed, Slot, SlotId, Stage},
    cue::When,
    machine::{Machine, Mode, VIDEO},
    time::{Grid, SECOND, Time},
};

impl Machine {
    /// A new segment: tells where stream times lie in running time, `None` for those outside of it.
    pub fn place_streams(&mut self, running: impl Fn(Time) -> Option<Time>) {
        for b in self.breaks.iter_mut().filter(|b| !b.aired() && b.end.is_none()) {
            if let When::Stream(at) = b.cue.when {
                let start = running(at);
                if start != b.start {
                    b.start = start;
                    b.placed = None;
                }
            }
        }
    }

    /// What was prepared for this slot must not be shown (what it was chosen on is forgotten): it is decided anew, with
    /// whatever time is left.
    pub fn redecide(&mut self, slot: SlotId) {
        let Some((at, index)) = self.slot_index(slot) else { return };
        let b = &self.breaks[at];
        if b.slots[index].on_air() || b.end.is_some() {
            return;
        }
        let shift = self.pads[VIDEO].shift;
        let begin = b.placed.map(|p| p.time(b.planned())).or(b.start).unwrap_or_default();
        let now = self.pads.iter().filter_map(|p| p.position).max().unwrap_or_default().min(begin);
        self.discard_pending(at);
        self.open_slot(at, shift.saturating_add(now), shift.saturating_add(begin), false);
    }

    /// Whether a break may lie in this stretch of the programme's running time.
    pub fn touches(&self, from: Time, to: Time) -> bool {
        let half = self.rate.flatten().map_or(SECOND / 48, |r| r.half());
        self.breaks.iter().any(|b| {
            let Some(start) = b.placed.map(|p| p.time(0)).or(b.start) else { return false };
            let over = b.end.zip(b.placed).is_some_and(|(end, p)| p.time(end) <= from);
            start.saturating_sub(half) <= to && !over
        })
    }

    /// Gives every break whose time is known its place on the grid.
    pub(crate) fn place(&mut self) {
        let Some(grid) = self.grid else { return };
        let next = self.next_frame(grid);
        let mut moved = false;
        for b in self.breaks.iter_mut().filter(|b| b.placed.is_none() && b.end.is_none()) {
            let index = match (b.cue.when, b.start) {
                (When::Now, _) => next,
                (_, Some(start)) => grid.index(start),
                (_, None) => continue,
            };
            b.placed = Some(Placed { grid, index });
            b.start = Some(grid.time(index));
            moved = true;
        }
        if moved {
            self.sort();
        }
    }

    /// The first frame that no pad has passed. A rounded timestamp may lie a sample's fraction after the frame's.
    pub(crate) fn next_frame(&self, grid: Grid) -> u64 {
        let after = |position| {
            let nearest = grid.index(position);
            nearest + u64::from(grid.time(nearest).saturating_add(1_000) < position)
        };
        self.pads.iter().filter(|p| !p.ended).filter_map(|p| p.position).map(after).max().unwrap_or(0)
    }

    pub(crate) fn sort(&mut self) {
        self.breaks.sort_by_key(|b| b.placed.map_or(Time::MAX, |p| p.time(0)));
    }

    /// Asks for the decisions that are due at running time `now` of the programme.
    pub(crate) fn open_due(&mut self, now: Time) {
        let Some(rate) = self.rate else { return };
        for at in 0..self.breaks.len() {
            let b = &self.breaks[at];
            let due = b.start.filter(|start| start.saturating_sub(self.config.min_lead) <= now);
            let (false, None, Some(start)) = (b.opened, b.end, due) else { continue };
            if rate.is_none() {
                self.close(at, Some(Reason::NoFrameRate));
            } else if self.overlaps(at) {
                self.close(at, Some(Reason::Overlap));
            } else {
                let late = self.live && start <= now;
                self.breaks[at].opened = true;
                let shift = self.pads[VIDEO].shift;
                let judged = start.saturating_sub(self.config.min_lead).max(now.min(start));
                self.open_slot(at, shift.saturating_add(judged), shift.saturating_add(start), late);
            }
        }
    }

    /// Whether a break on air is known to last beyond this one's start.
    pub(crate) fn overlaps(&self, at: usize) -> bool {
        let (Mode::Replace, Some(start)) = (self.config.mode, self.breaks[at].placed) else { return false };
        self.breaks.iter().enumerate().any(|(other, b)| {
            let until = b.placed.map(|p| p.time(b.end.unwrap_or_else(|| b.planned())));
            other != at
                && b.aired()
                && b.placed.is_some_and(|p| p.time(0) <= start.time(0))
                && until.is_some_and(|until| until > start.time(0))
        })
    }

    /// A new place in the pod. `late`: there is no time left to decide on anything.
    pub(crate) fn open_slot(&mut self, at: usize, judged: Time, starts: Time, late: bool) {
        let id = SlotId(self.next_slot);
        self.next_slot += 1;
        let b = &mut self.breaks[at];
        let position = u32::try_from(b.slots.len()).unwrap_or(u32::MAX);
        let room = b.room().zip(b.placed).map(|(room, p)| p.grid.rate.time(room)).or(b.cue.duration);
        let mut slot = Slot::new(id, position);
        if late {
            slot.stage = Stage::Spent(Reason::NoLead);
        } else {
            self.actions.push(Action::Decide { slot: id, number: b.id, position, at: judged, starts, room });
        }
        b.slots.push(slot);
    }
}
