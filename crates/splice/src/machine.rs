//! The state: cues, breaks, pads; and what happens to all of them at once.

use crate::{
    action::{Action, Reason},
    breaks::{Break, BreakId, Placed, Slot, SlotId, Stage},
    cue::{Cue, When},
    time::{FrameRate, Grid, SECOND, Time},
};

/// What an ad does to the programme under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// It covers it: the programme is the clock.
    #[default]
    Replace,
    /// It is put in between, and the programme goes on where it was.
    Insert,
}

#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub mode: Mode,
    /// How long before a break its creative is decided on.
    pub min_lead: Time,
    /// So much still picture in a row ends the ad.
    pub hold_limit: Time,
    /// By how much a creative may be longer than the room it gets: an encoder's padding of the sound. It is cut off.
    pub overrun: Time,
}

impl Default for Config {
    fn default() -> Self {
        Self { mode: Mode::Replace, min_lead: 2 * SECOND, hold_limit: SECOND, overrun: SECOND / 5 }
    }
}

/// The creative that is kept ready for when nothing else is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum House {
    #[default]
    None,
    /// It is being opened: a file's programme waits for it, a live one does not.
    Preparing,
    /// It lasts so long.
    Ready(Time),
}

/// A pad of the programme. [`Machine::VIDEO`] is always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PadId(pub(crate) usize);

#[derive(Debug, Default)]
pub(crate) struct Pad {
    /// Running time of the programme up to which this pad has put out; `None` before its first buffer.
    pub position: Option<Time>,
    pub ended: bool,
    /// How much was inserted so far.
    pub shift: Time,
}

pub(crate) const VIDEO: usize = 0;

/// Less room than this at the end of a break is left to the programme: nobody sells shorter spots.
pub(crate) const LEAST_ROOM: Time = SECOND / 2;
/// Later than this a break is not begun any more.
pub(crate) const LATEST_START: Time = SECOND / 2;
/// A creative counts as complete although the programme lacked this many frames at its very end.
const MISSING_AT_END: u64 = 2;

#[derive(Debug)]
pub struct Machine {
    pub(crate) config: Config,
    pub(crate) live: bool,
    /// `None` until the video caps are known; `Some(None)`: they have no frame rate.
    pub(crate) rate: Option<Option<FrameRate>>,
    pub(crate) grid: Option<Grid>,
    pub(crate) pads: Vec<Pad>,
    pub(crate) breaks: Vec<Break>,
    /// The cues that come again when the programme is played again.
    scheduled: Vec<(BreakId, Cue)>,
    next_break: BreakId,
    next_slot: u64,
    pub(crate) house: House,
    pub(crate) actions: Vec<Action>,
    stopped: bool,
}

impl Machine {
    pub const VIDEO: PadId = PadId(VIDEO);

    pub fn new(config: Config) -> Self {
        Self {
            config,
            live: false,
            rate: None,
            grid: None,
            pads: vec![Pad::default()],
            breaks: Vec::new(),
            scheduled: Vec::new(),
            next_break: 1,
            next_slot: 1,
            house: House::None,
            actions: Vec::new(),
            stopped: false,
        }
    }

    /// Another pad with sound.
    pub fn add_audio(&mut self) -> PadId {
        self.pads.push(Pad::default());
        PadId(self.pads.len() - 1)
    }
    /// A pad that is gone holds nobody up.
    pub fn remove_pad(&mut self, pad: PadId) {
        self.end_of_stream(pad);
    }

    /// Live: nothing ever waits; what is not ready at a break's start is skipped.
    pub fn set_live(&mut self, live: bool) {
        self.live = live;
    }
    pub fn live(&self) -> bool {
        self.live
    }

    /// The programme's frame rate; `None` where its caps have none.
    pub fn set_rate(&mut self, rate: Option<FrameRate>) {
        if self.rate != Some(rate) {
            self.rate = Some(rate);
            self.grid = None;
        }
    }

    pub fn set_house(&mut self, house: House) {
        self.house = house;
    }

    /// Adds a break. Cues in stream time wait for [`Self::place_streams`].
    pub fn cue(&mut self, cue: Cue) -> BreakId {
        let id = self.next_break;
        self.next_break += 1;
        if cue.when != When::Now {
            self.scheduled.push((id, cue));
        }
        self.add(id, cue);
        if self.pads[VIDEO].ended || self.stopped {
            let last = self.breaks.len() - 1;
            self.close(last, Some(Reason::ProgrammeEnded));
        }
        id
    }

    fn add(&mut self, id: BreakId, cue: Cue) {
        let mut new = Break::new(id, cue);
        if let When::Running(at) = cue.when {
            new.start = Some(at);
        }
        self.breaks.push(new);
    }

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

    /// How much has been inserted into the picture so far.
    pub fn inserted(&self) -> Time {
        self.pads[VIDEO].shift
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

    /// The programme's caps changed: what is on air ends, what was prepared does not fit any more and is decided anew.
    pub fn format_changed(&mut self, video: bool) {
        if video {
            self.grid = None;
        }
        for at in 0..self.breaks.len() {
            // The sound may have gone ahead to the end; the picture does not get there any more.
            let unfinished = |s: &&mut Slot| s.on_air() && !s.ended && s.shown < s.planned;
            for slot in self.breaks[at].slots.iter_mut().filter(unfinished).filter(|_| video) {
                slot.cut = Some(Reason::FormatChanged);
            }
            if self.breaks[at].end.is_some() {
                continue;
            }
            if self.breaks[at].aired() {
                self.cut(at, Reason::FormatChanged);
            } else if self.breaks[at].opened {
                self.discard_pending(at);
                let b = &mut self.breaks[at];
                b.opened = false;
                b.placed = None;
            } else if video {
                self.breaks[at].placed = None;
            }
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

    /// What has to be done, in order.
    #[must_use]
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    fn end_everything(&mut self, reason: &Reason) {
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

    fn discard(&mut self, at: usize, slot: usize) {
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
    fn overlaps(&self, at: usize) -> bool {
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

    pub(crate) fn slot_index(&self, id: SlotId) -> Option<(usize, usize)> {
        self.breaks.iter().enumerate().find_map(|(at, b)| {
            let slot = b.slots.iter().position(|s| s.id == id)?;
            Some((at, slot))
        })
    }
}
