//! What a pad is to do with the frame or the samples that it holds.

use crate::{
    action::{Action, Reason},
    breaks::{Placed, SlotId, Source, Stage},
    machine::{House, LATEST_START, LEAST_ROOM, Machine, Mode, PadId, VIDEO},
    quartile::Quartile,
    time::{Grid, SECOND, Time, sample_time, samples},
};

/// Answer to a frame of the programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoStep {
    /// The creative is not ready and the programme may wait: ask again when something was reported.
    Wait,
    /// Let it go, this much later than its timestamp says.
    Programme { shift: Time },
    /// Put out this frame of a creative: in place of the programme's ([`Mode::Replace`]), or before it, and then ask
    /// again ([`Mode::Insert`]).
    Ad {
        slot: SlotId,
        source: Source,
        /// Frame of the creative.
        frame: u64,
        /// Frame of the break: with [`Mode::Insert`], how far after the programme's frame it lies.
        in_break: u64,
        shift: Time,
    },
}

/// Answer to samples of the programme; `samples` of them, from the first on. Then ask for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioStep {
    Wait,
    Programme {
        samples: u64,
        shift: Time,
    },
    /// Put out samples of a creative from its sample `position` on: in place of the programme's, or before them.
    Ad {
        slot: SlotId,
        source: Source,
        position: u64,
        in_break: u64,
        samples: u64,
        shift: Time,
    },
}

/// So many samples are inserted at once: a hundredth of a second's worth is a usual buffer.
const INSERT_CHUNK: u64 = 1024;

enum Found {
    Wait,
    Programme,
    Slot { at: usize, slot: usize },
}

enum Advance {
    Again,
    /// The break begins later than it was placed.
    Moved,
    Wait,
    Over,
}

impl Machine {
    /// A frame of the programme at `running` time.
    pub fn video(&mut self, running: Time) -> VideoStep {
        self.pads[VIDEO].position = Some(running);
        if let Some(rate) = self.rate.flatten() {
            self.grid.get_or_insert(Grid { origin: running, rate });
        }
        self.place();
        self.open_due(running);
        let Some(grid) = self.grid.filter(|_| !self.stopped()) else {
            return VideoStep::Programme { shift: self.pads[VIDEO].shift };
        };
        let index = grid.index(running);
        self.settle(grid.time(index));
        let found = self.find_video(grid, index);
        let shift = self.pads[VIDEO].shift;
        let step = match found {
            Found::Wait => VideoStep::Wait,
            Found::Programme => {
                self.pads[VIDEO].position = Some(grid.time(index + 1));
                VideoStep::Programme { shift }
            }
            Found::Slot { at, slot } => {
                let in_break = self.frame_in_break(at, grid.time(index));
                self.claim(at, in_break + 1);
                self.open_next(at, in_break);
                let s = &self.breaks[at].slots[slot];
                let step =
                    VideoStep::Ad { slot: s.id, source: s.source, frame: in_break - s.from, in_break, shift };
                if self.config.mode == Mode::Replace {
                    self.pads[VIDEO].position = Some(grid.time(index + 1));
                }
                step
            }
        };
        self.collect();
        step
    }

    /// A frame of a creative has left; `held`: it was the one before again.
    pub fn frame_left(&mut self, slot: SlotId, frame: u64, held: bool) {
        let Some((at, index)) = self.slot_index(slot) else { return };
        let rate = self.rate.flatten();
        let limit = rate.map_or(u64::MAX, |r| r.frames(self.config.hold_limit).max(1));
        let b = &mut self.breaks[at];
        let s = &mut b.slots[index];
        s.shown = s.shown.max(frame + 1).min(s.planned);
        let reached: Vec<Quartile> = s.quartiles.advance(s.shown, s.planned).collect();
        s.held = if held { s.held + 1 } else { 0 };
        let stuck = (s.held >= limit).then_some(s.held);
        let in_break = s.from + frame + 1;
        if self.config.mode == Mode::Insert {
            let progress = b.progress(VIDEO);
            progress.inserted = progress.inserted.max(in_break);
        }
        let open = b.end.is_none();
        self.actions.extend(reached.into_iter().map(|quartile| Action::Reached { slot, quartile }));
        if let (Some(frames), true) = (stuck, open) {
            self.cut(at, Reason::Held(frames));
        }
    }

    /// A frame of a creative could not be shown; the programme's left in its place.
    pub fn frame_lost(&mut self, slot: SlotId, frame: u64) {
        if let Some((at, index)) = self.slot_index(slot) {
            let b = &mut self.breaks[at];
            let in_break = b.slots[index].from + frame + 1;
            if self.config.mode == Mode::Insert {
                let progress = b.progress(VIDEO);
                progress.inserted = progress.inserted.max(in_break);
            }
        }
    }

    /// Samples of the programme from number `start` of running time on, `count` of them, at `rate` per second.
    pub fn audio(&mut self, pad: PadId, start: u64, count: u64, rate: u32) -> AudioStep {
        let Some(state) = self.pads.get_mut(pad.0) else {
            return AudioStep::Programme { samples: count, shift: 0 };
        };
        let shift = state.shift;
        state.position = Some(sample_time(start, rate));
        self.place();
        self.open_due(sample_time(start.saturating_add(count), rate));
        if self.stopped() {
            return AudioStep::Programme { samples: count, shift };
        }
        let step = match self.before_the_first_frame(start, count, rate) {
            Some(AudioStep::Programme { samples, .. }) => AudioStep::Programme { samples, shift },
            Some(step) => step,
            None => self.find_audio(pad.0, start, count, rate),
        };
        if let (AudioStep::Programme { samples, .. }, _) | (AudioStep::Ad { samples, .. }, Mode::Replace) =
            (&step, self.config.mode)
        {
            self.pads[pad.0].position = Some(sample_time(start.saturating_add(*samples), rate));
        }
        self.collect();
        step
    }

    /// Without a frame there is no grid: sound goes as far as no break can reach forward, half a frame before its cue.
    fn before_the_first_frame(&mut self, start: u64, count: u64, rate: u32) -> Option<AudioStep> {
        if self.grid.is_some() || self.rate == Some(None) {
            return None;
        }
        let half = self.rate.flatten().map_or(SECOND / 48, |r| r.half());
        loop {
            let next = (0..self.breaks.len())
                .filter(|at| self.breaks[*at].end.is_none() && self.breaks[*at].placed.is_none())
                .filter_map(|at| Some((self.breaks[at].start?, at)))
                .min();
            let (cue, at) = next?;
            let reach = samples(cue.saturating_sub(half), rate);
            if start.saturating_add(count) <= reach {
                return None;
            }
            if start < reach {
                return Some(AudioStep::Programme { samples: reach - start, shift: 0 });
            }
            if !self.live && !self.pads[VIDEO].ended {
                return Some(AudioStep::Wait);
            }
            self.close(at, Some(Reason::NoPicture));
        }
    }

    fn find_video(&mut self, grid: Grid, index: u64) -> Found {
        let now = grid.time(index);
        for at in 0..self.breaks.len() {
            let Some(placed) = self.breaks[at].placed else { continue };
            if now < placed.time(0) {
                break;
            }
            loop {
                let in_break = self.frame_in_break(at, now);
                if self.breaks[at].end.is_some_and(|end| in_break >= end) {
                    self.pass(at, VIDEO);
                    break;
                }
                if let Some(slot) = self.covering(at, |s| (s.from..s.to).contains(&in_break)) {
                    self.breaks[at].progress(VIDEO).slot = slot;
                    return Found::Slot { at, slot };
                }
                let late = index.saturating_sub(grid.index(placed.time(0)));
                match self.advance(at, placed.grid.rate.time(late)) {
                    Advance::Again | Advance::Over => {}
                    Advance::Moved => return self.find_video(grid, index),
                    Advance::Wait => return Found::Wait,
                }
            }
        }
        Found::Programme
    }

    fn find_audio(&mut self, pad: usize, start: u64, count: u64, rate: u32) -> AudioStep {
        let mut shift = self.pads[pad].shift;
        for at in 0..self.breaks.len() {
            let Some(placed) = self.breaks[at].placed else { continue };
            let first = placed.sample(0, rate);
            if start < first {
                return AudioStep::Programme { samples: count.min(first - start), shift };
            }
            let insert = self.config.mode == Mode::Insert;
            let boundary =
                |frame| if insert { placed.inserted_sample(frame, rate) } else { placed.sample(frame, rate) };
            loop {
                if self.breaks[at].progress(pad).done {
                    break;
                }
                let position = if insert { self.breaks[at].progress(pad).inserted } else { start };
                if self.breaks[at].end.is_some_and(|end| position >= boundary(end)) {
                    self.pass(at, pad);
                    shift = self.pads[pad].shift;
                    break;
                }
                let covers = |from, to| (boundary(from)..boundary(to)).contains(&position);
                if let Some(slot) = self.covering(at, |s| covers(s.from, s.to)) {
                    let s = &self.breaks[at].slots[slot];
                    let (id, source, from, to) = (s.id, s.source, boundary(s.from), boundary(s.to));
                    let samples = (if insert { INSERT_CHUNK } else { count }).min(to - position);
                    let claimed = frames_until(position + samples, boundary, |sample| {
                        placed.grid.rate.frames(if insert {
                            sample_time(sample, rate)
                        } else {
                            sample_time(sample, rate).saturating_sub(placed.time(0))
                        })
                    });
                    self.claim(at, claimed);
                    self.open_next(at, claimed);
                    let progress = self.breaks[at].progress(pad);
                    progress.slot = slot;
                    if insert {
                        progress.inserted = position + samples;
                    }
                    return AudioStep::Ad {
                        slot: id,
                        source,
                        position: position - from,
                        in_break: position - boundary(0),
                        samples,
                        shift,
                    };
                }
                match self.advance(at, sample_time(start - first, rate)) {
                    Advance::Again | Advance::Over => {}
                    Advance::Moved => return self.find_audio(pad, start, count, rate),
                    Advance::Wait => return AudioStep::Wait,
                }
            }
        }
        AudioStep::Programme { samples: count, shift }
    }

    /// Frame of break `at` that the picture is at.
    fn frame_in_break(&mut self, at: usize, now: Time) -> u64 {
        match (self.config.mode, self.breaks[at].placed) {
            (Mode::Insert, _) | (_, None) => self.breaks[at].progress(VIDEO).inserted,
            // By time and not by index: the grid may have changed while a pad returns.
            (Mode::Replace, Some(placed)) => placed.grid.index(now).saturating_sub(placed.index),
        }
    }

    fn covering(&self, at: usize, covers: impl Fn(&crate::breaks::Slot) -> bool) -> Option<usize> {
        self.breaks[at].slots.iter().position(|s| s.on_air() && covers(s))
    }

    fn claim(&mut self, at: usize, frames: u64) {
        let b = &mut self.breaks[at];
        b.claimed = b.claimed.max(frames);
    }

    /// A pad has left a break behind.
    fn pass(&mut self, at: usize, pad: usize) {
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
    fn settle(&mut self, now: Time) {
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
    fn advance(&mut self, at: usize, late: Time) -> Advance {
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
    fn begin_later(&mut self, at: usize) -> bool {
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

    fn house_or_end(&mut self, at: usize, reason: Reason) -> Advance {
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
    fn open_next(&mut self, at: usize, in_break: u64) {
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

/// The first frame that begins at or after a sample.
fn frames_until(sample: u64, boundary: impl Fn(u64) -> u64, nearest: impl Fn(u64) -> u64) -> u64 {
    let mut frame = nearest(sample);
    while boundary(frame) < sample {
        frame += 1;
    }
    while frame > 0 && boundary(frame - 1) >= sample {
        frame -= 1;
    }
    frame
}
