//! A creative that is ready or on air.

use crate::adinsert::{
    creative::{Creative, Format},
    messages::Label,
};
use facialads_splice::{PadId, Quartile, Time};
use std::sync::Arc;

/// Opened and ready, for these caps.
pub(in crate::adinsert) struct Prepared {
    pub creative: Arc<dyn Creative>,
    pub format: Arc<Format>,
    /// Which pad of the programme each of the format's audio caps is.
    pub pads: Arc<[PadId]>,
    pub label: Label,
    /// Its place in the list `ads`, if it comes from there.
    pub listed: Option<usize>,
}

pub(in crate::adinsert) struct Playing {
    pub prepared: Prepared,
    /// Running time of the output of the first frame that left, and of the end of the last.
    pub start: Option<Time>,
    pub end: Time,
    pub begun_at: Option<jiff::Timestamp>,
    pub frames: u64,
    pub held: u64,
    pub samples: u64,
    pub quartile: Option<Quartile>,
    /// Its impression has gone to the ledger.
    pub recorded: bool,
}

impl Playing {
    pub fn new(prepared: Prepared) -> Self {
        Self {
            prepared,
            start: None,
            end: 0,
            begun_at: None,
            frames: 0,
            held: 0,
            samples: 0,
            quartile: None,
            recorded: false,
        }
    }
}

/// What a streaming thread needs of it.
pub(in crate::adinsert) struct OnAir {
    pub creative: Arc<dyn Creative>,
    pub format: Arc<Format>,
    pub pads: Arc<[PadId]>,
}
