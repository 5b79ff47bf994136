//! Within a break: the next creative, waiting, or the way back to the programme.

use crate::{
    action::{Action, Reason},
    breaks::{Placed, Source, Stage},
    machine::{House, LATEST_START, LEAST_ROOM, Machine, Mode, VIDEO},
    time::Time,
};

pub(crate) enum Advance {
    Again,
    /// The break begins later than it was placed.
    Moved,
    Wait,
    Over,
}

impl Machine {
    /// Frame of break `at` that the picture is at.
    pub(crate) fn frame_in_break(&mut self, at: usize, now: Time) -> u64 {
        match (self.config.mode, self.breaks[at].placed) {
            (Mode::Insert, _) | (_, None) => self.breaks[at].progress(VIDEO).inserted,
            // By time and not by index: the grid may have changed while a pad returns.
            (Mode::Replace, Some(placed)) => placed.grid.index(now).saturating_sub(placed.index),
        }
    }

    pub(crate) fn covering(&self, at: usize, covers: impl Fn(&crate::breaks::Slot) -> bool) -> Option<usize> {
        self.breaks[at].slots.iter().position(|s| s.on_air() && covers(s))
    }

    pub(crate) fn claim(&mut self, at: usize, frames: u64) {
        let b = &mut self.breaks[at];
        b.claimed = b.claimed.max(frames);
    }

    /// A pad has left a break behind.
    pub(crate) fn pass(&mut self, at: usize, pad: usize) {
        let b = &mut self.breaks[at];
        if b.progress(pad).done {
            return;
        }
        b.progress(pad).done = true;
        if let (Mode::Insert, Some(placed), Some(end)) = (self.config.mode, b.placed, b.end) {
            self.pads[pad].shift = self.pads[pad].shift.saturating_add(placed.grid.rate.time(end));
        }
        if pad == VIDEO {
            for slot in 0..self.breaks[at].slots.len() {
                self.end_slot(at, slot);
            }
        }
    }

    /// Creatives whose last frame the picture has passed are told as ended.
    pub(crate) fn settle(&mut self, now: Time) {
        for at in 0..self.breaks.len() {
            let in_break = self.frame_in_break(at, now);
            for slot in 0..self.breaks[at].slots.len() {
                let s = &self.breaks[at].slots[slot];
                if s.on_air() && s.to <= in_break {
                    self.end_slot(at, slot);
                }
            }
        }
    }

    /// The creatives on air do not cover the position that a pad has reached: the next one, waiting, or the end.
    /// `late` is how far the programme is into the break.
    pub(crate) fn advance(&mut self, at: usize, late: Time) -> Advance {
        let b = &self.breaks[at];
        let Some(placed) = b.placed.filter(|_| b.end.is_none()) else { return Advance::Over };
        if !b.aired() && late > LATEST_START {
            self.close(at, Some(Reason::Late));
            return Advance::Over;
        }
        let planned = b.planned();
        let (pending, room) = (b.pending().map(|s| s.stage.clone()), b.room());
        let (opened, aired) = (b.opened, b.aired());
        let overrun = placed.grid.rate.frames(self.config.overrun);
        match pending {
            Some(Stage::Ready { .. }) if late > 0 && self.begin_later(at) => Advance::Moved,
            Some(Stage::Ready { frames }) if room.is_some_and(|r| frames > r.saturating_add(overrun)) => {
                // It fitted before the break had to begin later.
                self.close(at, Some(Reason::Overlap));
                Advance::Over
            }
            Some(Stage::Ready { frames }) => {
                let frames = frames.min(room.unwrap_or(frames));
                if let Some(slot) = self.breaks[at].pending_mut() {
                    slot.from = planned;
                    slot.to = planned.saturating_add(frames);
                    slot.planned = frames;
                    slot.stage = Stage::OnAir;
                }
                Advance::Again
            }
            Some(Stage::Deciding | Stage::Preparing { .. }) if !self.live => Advance::Wait,
            Some(Stage::Spent(reason)) => self.house_or_end(at, reason),
            Some(_) => self.house_or_end(at, Reason::NotReady),
            None => {
                let more = room.is_some_and(|r| placed.grid.rate.time(r) >= LEAST_ROOM);
                if !opened || (aired && more && !self.live) {
                    self.breaks[at].opened = true;
                    let at_output = placed.time(planned).saturating_add(self.pads[VIDEO].shift);
                    self.open_slot(at, at_output, at_output, self.live);
                    return Advance::Again;
                }
                self.close(at, None);
                Advance::Over
            }
        }
    }

    /// A break that could not begin in time (another was on air) begins where all pads are, and ends where it would
    /// have ended. `false`: it began already, or is there.
    pub(crate) fn begin_later(&mut self, at: usize) -> bool {
        let (Mode::Replace, Some(placed), false) =
            (self.config.mode, self.breaks[at].placed, self.breaks[at].aired())
        else {
            return false;
        };
        let next = self.next_frame(placed.grid);
        if next <= placed.index {
            return false;
        }
        let b = &mut self.breaks[at];
        b.lost += next - placed.index;
        b.placed = Some(Placed { index: next, ..placed });
        b.start = Some(placed.grid.time(next));
        if b.room() == Some(0) {
            self.close(at, Some(Reason::Overlap));
        }
        self.sort();
        true
    }

    pub(crate) fn house_or_end(&mut self, at: usize, reason: Reason) -> Advance {
        if !self.breaks[at].house_used && self.house == House::Preparing && !self.live {
            return Advance::Wait;
        }
        if !self.breaks[at].house_used
            && let House::Ready(length) = self.house
            && let Ok(frames) = self.fit(at, Some(length))
            && let Some(slot) = self.breaks[at].pending_mut()
        {
            slot.source = Source::House;
            slot.stage = Stage::Ready { frames };
            let (slot, position) = (slot.id, slot.position);
            let b = &mut self.breaks[at];
            b.house_used = true;
            let number = b.id;
            self.house = House::None;
            self.actions.push(Action::HouseTaken { slot, number, position });
            return Advance::Again;
        }
        // Having nothing more for the rest of a pod is how pods end; being too slow for it is worth a word.
        let told = !self.breaks[at].aired() || reason == Reason::NotReady;
        self.close(at, told.then_some(reason));
        Advance::Over
    }

    /// While a creative plays, the next of its pod is decided `min_lead` before its end.
    pub(crate) fn open_next(&mut self, at: usize, in_break: u64) {
        let b = &self.breaks[at];
        let (Some(placed), Some(room), None, None) = (b.placed, b.room(), b.end, b.pending()) else { return };
        let rate = placed.grid.rate;
        let planned = b.planned();
        if rate.time(room) < LEAST_ROOM
            || in_break.saturating_add(rate.frames(self.config.min_lead)) < planned
        {
            return;
        }
        let begin = placed.time(0).saturating_add(self.pads[VIDEO].shift);
        let starts = begin.saturating_add(rate.time(planned));
        let from = b.slots.last().map_or(0, |s| s.from);
        let judged = starts.saturating_sub(self.config.min_lead).max(begin.saturating_add(rate.time(from)));
        self.open_slot(at, judged, starts, false);
    }
}
