//! One break and the creatives in it.

use crate::{
    action::Reason,
    cue::Cue,
    quartile::Quartiles,
    time::{Grid, Time, samples},
};

/// Number of a break, from 1 in the order in which they were asked for.
pub type BreakId = u64;

/// One place in a break: unique in a machine's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(pub u64);

/// Which creative fills a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The candidate of that rank.
    Candidate(usize),
    /// The one that is kept ready for breaks without lead.
    House,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    Deciding,
    /// Candidate number `current` of `count` is being opened.
    Preparing {
        current: usize,
        count: usize,
    },
    Ready {
        frames: u64,
    },
    /// Nothing more to try.
    Spent(Reason),
    OnAir,
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub id: SlotId,
    pub position: u32,
    pub stage: Stage,
    pub source: Source,
    /// Frames of the break, counted from its start. Valid on air.
    pub from: u64,
    pub to: u64,
    /// Length at the time it went on air; `to` shrinks with a cut, this does not.
    pub planned: u64,
    /// Highest frame of the creative that left, plus one.
    pub shown: u64,
    /// Held frames in a row.
    pub held: u64,
    pub quartiles: Quartiles,
    pub cut: Option<Reason>,
    pub ended: bool,
    pub discarded: bool,
}

impl Slot {
    pub fn new(id: SlotId, position: u32) -> Self {
        Self {
            id,
            position,
            stage: Stage::Deciding,
            source: Source::Candidate(0),
            from: 0,
            to: 0,
            planned: 0,
            shown: 0,
            held: 0,
            quartiles: Quartiles::default(),
            cut: None,
            ended: false,
            discarded: false,
        }
    }
    pub fn on_air(&self) -> bool {
        self.stage == Stage::OnAir
    }
}

/// A break's place on the programme's grid; kept with the break, because the grid may change while a pad returns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub grid: Grid,
    pub index: u64,
}

impl Placed {
    /// Running time of the programme at the break's frame number `frame`, when frames are replaced.
    pub fn time(self, frame: u64) -> Time {
        self.grid.time(self.index.saturating_add(frame))
    }
    /// Sample of the programme at which the break's frame `frame` begins, when samples are replaced.
    pub fn sample(self, frame: u64, rate: u32) -> u64 {
        samples(self.time(frame), rate)
    }
    /// Samples from the break's start to its frame `frame`, when they are inserted.
    pub fn inserted_sample(self, frame: u64, rate: u32) -> u64 {
        samples(self.grid.rate.time(frame), rate)
    }
}

/// How far one pad has come in a break.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Frames (video) or samples (audio) inserted so far.
    pub inserted: u64,
    /// Index of the slot it is in.
    pub slot: usize,
    /// It plays the programme again.
    pub done: bool,
}

#[derive(Debug)]
pub(crate) struct Break {
    pub id: BreakId,
    pub cue: Cue,
    /// The cue in running time, once that is known.
    pub start: Option<Time>,
    pub placed: Option<Placed>,
    /// Whether the first decision was asked for, or the break was skipped.
    pub opened: bool,
    pub slots: Vec<Slot>,
    /// Length in frames, once it is certain.
    pub end: Option<u64>,
    /// Frames of the break that some pad has already begun to put out: no cut lies before this.
    pub claimed: u64,
    pub house_used: bool,
    /// Frames by which it began later than it was to.
    pub lost: u64,
    /// By pad.
    pub progress: Vec<Progress>,
}

impl Break {
    pub fn new(id: BreakId, cue: Cue) -> Self {
        Self {
            id,
            cue,
            start: None,
            placed: None,
            opened: false,
            slots: Vec::new(),
            end: None,
            claimed: 0,
            house_used: false,
            lost: 0,
            progress: Vec::new(),
        }
    }

    /// Frames that have been given to creatives.
    pub fn planned(&self) -> u64 {
        self.slots.iter().filter(|s| s.on_air()).map(|s| s.to).max().unwrap_or(0)
    }
    pub fn pending(&self) -> Option<&Slot> {
        self.slots.last().filter(|s| !s.on_air())
    }
    pub fn pending_mut(&mut self) -> Option<&mut Slot> {
        self.slots.last_mut().filter(|s| !s.on_air())
    }
    /// Frames left for the next creative; `None`: any number.
    pub fn room(&self) -> Option<u64> {
        let (duration, placed) = (self.cue.duration?, self.placed?);
        let whole = placed.grid.rate.frames(duration).max(1);
        Some(whole.saturating_sub(self.lost).saturating_sub(self.planned()))
    }
    pub fn aired(&self) -> bool {
        self.slots.iter().any(Slot::on_air)
    }
    pub fn progress(&mut self, pad: usize) -> &mut Progress {
        if self.progress.len() <= pad {
            self.progress.resize(pad + 1, Progress::default());
        }
        // In bounds: resized above.
        &mut self.progress[pad]
    }
}
