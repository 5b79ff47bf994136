use crate::{
    breaks::{BreakId, SlotId},
    quartile::Quartile,
    time::Time,
};

/// What the outside has to do or to tell, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Choose creatives for a place in a break, then call `decided`.
    Decide {
        slot: SlotId,
        /// Counted from 1, in the order of the cues.
        number: BreakId,
        /// Place in the pod, from 0.
        position: u32,
        /// Running time of the output on which the audience is to be judged.
        at: Time,
        /// Running time of the output at which it goes on air.
        starts: Time,
        /// The most it may last; `None`: as long as it likes.
        room: Option<Time>,
    },
    /// The house ad was taken for this slot: prepare another.
    HouseTaken { slot: SlotId, number: BreakId, position: u32 },
    /// A quartile's frame has left.
    Reached { slot: SlotId, quartile: Quartile },
    /// The last frame of a creative has left. `reason` is `None` when it was shown whole.
    Ended { slot: SlotId, shown: u64, planned: u64, reason: Option<Reason> },
    /// Nothing is shown in this break (`slot` 0 of it), or no further creative.
    Skipped { number: BreakId, position: u32, reason: Reason },
    /// No pad needs this creative any more.
    Discard { slot: SlotId },
}

/// Why something was not shown, or not to its end. The text is for an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("not ready when the break began")]
    NotReady,
    #[error("the break began without lead and no house ad was ready (set house-ad)")]
    NoLead,
    #[error("no creative to show")]
    NoCandidate,
    #[error("{0}")]
    Creative(String),
    #[error("{length_ms} ms long, but only {room_ms} ms are left of the break")]
    TooLong { length_ms: u64, room_ms: u64 },
    #[error("its length is not known, and the break has none either")]
    UnknownLength,
    #[error("another break was still on air")]
    Overlap,
    #[error("its time had passed")]
    Late,
    #[error("the programme's caps have no frame rate (put videorate and a capsfilter before sink_video)")]
    NoFrameRate,
    #[error("no picture of the programme had arrived")]
    NoPicture,
    #[error("the picture stood still for {0} frames: the creative's decoder is too slow, or it ended early")]
    Held(u64),
    #[error("the creative failed on air: {0}")]
    Failed(String),
    #[error("end-break was called")]
    EndBreak,
    #[error("the programme was flushed (a seek)")]
    Flushed,
    #[error("the programme ended")]
    ProgrammeEnded,
    #[error("the programme's format changed")]
    FormatChanged,
    #[error("the element was stopped")]
    Stopped,
}
