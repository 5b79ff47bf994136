//! The break as a pure state machine: time and events in, actions out. No GStreamer, no threads, no clock.
//!
//! [`Machine`] knows the breaks and, per pad of the programme, how far the output has gone. A streaming thread asks
//! it what to do with the frame or the samples that it holds ([`Machine::video`], [`Machine::audio`]), does that, and
//! reports what left ([`Machine::frame_left`]). Whoever prepares creatives reports to it too ([`Machine::decided`],
//! [`Machine::prepared`], [`Machine::failed`]). What the outside has to do comes out of [`Machine::take_actions`].
//!
//! ```text
//! idle ─(start − min_lead)─► deciding ─► preparing ─► ready ─(start)─► on air ─► next of the pod … ─► returning ─► gone
//!                               │            │ next candidate ┘           │
//!                               └────────────┴──► skipped                 └─ cut: end-break, held picture, new caps
//! ```
//!
//! All arithmetic is on integers: frame rates are exact fractions, times are nanoseconds, audio is counted in samples.
//! One start and one end, snapped to the grid of the programme's frames, hold for every pad, so that picture and
//! sound cannot disagree.

mod action;
mod breaks;
mod cue;
mod machine;
mod prepare;
mod quartile;
mod step;
mod time;

pub use action::{Action, Reason};
pub use breaks::{BreakId, SlotId, Source};
pub use cue::{Cue, ParseError, When, parse};
pub use machine::{Config, House, Machine, Mode, PadId};
pub use prepare::Next;
pub use quartile::Quartile;
pub use step::{AudioStep, VideoStep};
pub use time::{FrameRate, Grid, SECOND, Time, sample_time, samples};
