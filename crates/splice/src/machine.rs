//! The state: cues, breaks, pads; and what happens to all of them at once.

use crate::{
    action::{Action, Reason},
    breaks::{Break, BreakId, Slot, SlotId},
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
    pub(crate) scheduled: Vec<(BreakId, Cue)>,
    pub(crate) next_break: BreakId,
    pub(crate) next_slot: u64,
    pub(crate) house: House,
    pub(crate) actions: Vec<Action>,
    pub(crate) stopped: bool,
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

    pub(crate) fn add(&mut self, id: BreakId, cue: Cue) {
        let mut new = Break::new(id, cue);
        if let When::Running(at) = cue.when {
            new.start = Some(at);
        }
        self.breaks.push(new);
    }

    /// How much has been inserted into the picture so far.
    pub fn inserted(&self) -> Time {
        self.pads[VIDEO].shift
    }

    /// By how much what comes on a pad now is later than it was in the programme (insert mode).
    pub fn shift(&self, pad: PadId) -> Time {
        self.pads.get(pad.0).map_or(0, |pad| pad.shift)
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

    /// What has to be done, in order.
    #[must_use]
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(crate) fn slot_index(&self, id: SlotId) -> Option<(usize, usize)> {
        self.breaks.iter().enumerate().find_map(|(at, b)| {
            let slot = b.slots.iter().position(|s| s.id == id)?;
            Some((at, slot))
        })
    }
}
