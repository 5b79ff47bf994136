//! Where in a row of bytes the two samples of each output sample lie.

use super::LANES;
use crate::preprocess::{axis::TwoTap, planes::Plane};

/// Bytes that one load of [`Loads::Quad`] and [`Loads::Pair`] takes; [`Loads::Single`] takes half.
const WINDOW: usize = 16;

/// How many loads bring the samples of four neighbouring outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loads {
    /// One of 16 bytes holds them all.
    Quad,
    /// Two of 16 bytes, each for two outputs.
    Pair,
    /// One of 8 bytes for each.
    Single,
    /// Pixels too far apart for a load to have both neighbours.
    Scattered,
}

/// Tables of one plane for one placement. Lists are padded to a multiple of [`LANES`] outputs with copies of the last.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only the plain loop is there"))]
#[derive(Default)]
pub(super) struct Columns {
    /// Byte offsets in the plane's row. Where a sample has weight 0 it stands for the other one.
    pub(super) low: Vec<u32>,
    pub(super) high: Vec<u32>,
    pub(super) loads: Option<Loads>,
    /// First byte of each load: two ([`Loads::Quad`]), four or eight for [`LANES`] outputs.
    pub(super) starts: Vec<u32>,
    /// For [`LANES`] outputs two shuffles that put samples into the lowest byte of four.
    pub(super) masks: Vec<[[u8; 32]; 2]>,
    /// One more than the last byte that any load touches.
    pub(super) reach: usize,
    format: Option<(usize, u8, usize)>,
}

impl Columns {
    /// Makes the tables, unless they are there already. `fresh`: `columns` has changed.
    pub(super) fn prepare(&mut self, plane: &Plane, columns: &TwoTap, fresh: bool) {
        let format = Some((plane.pixel_stride, plane.shift_x, plane.last_offset()));
        if self.format == format && !fresh {
            return;
        }
        self.format = format;
        let byte = |x: usize| ((x >> plane.shift_x) * plane.pixel_stride) as u32;
        self.low.clear();
        self.high.clear();
        let samples = columns.low.iter().zip(&columns.high);
        for ((low, high), (low_weight, high_weight)) in
            samples.zip(columns.low_weight.iter().zip(&columns.high_weight))
        {
            self.low.push(byte(if *low_weight == 0.0 { *high } else { *low }));
            self.high.push(byte(if *high_weight == 0.0 { *low } else { *high }));
        }
        let padded = self.low.len().next_multiple_of(LANES);
        for list in [&mut self.low, &mut self.high] {
            let last = list.last().copied().unwrap_or(0);
            list.resize(padded, last);
        }
        let extra = plane.last_offset();
        let loads = if self.fit(4, extra) {
            Loads::Quad
        } else if self.fit(2, extra) {
            Loads::Pair
        } else if self.fit(1, extra) {
            Loads::Single
        } else {
            Loads::Scattered
        };
        self.loads = Some(loads);
        self.plan(loads);
    }

    /// Whether one load has the samples of each `outputs` neighbours and `extra` bytes after them.
    fn fit(&self, outputs: usize, extra: usize) -> bool {
        let window = if outputs == 1 { WINDOW / 2 } else { WINDOW };
        self.low.chunks(outputs).zip(self.high.chunks(outputs)).all(|(low, high)| {
            let (start, end) = span(low, high);
            (end - start) as usize + extra < window
        })
    }

    fn plan(&mut self, loads: Loads) {
        self.starts.clear();
        self.masks.clear();
        let outputs = match loads {
            Loads::Quad => 4,
            Loads::Pair => 2,
            Loads::Single => 1,
            Loads::Scattered => return,
        };
        self.starts
            .extend(self.low.chunks(outputs).zip(self.high.chunks(outputs)).map(|(l, h)| span(l, h).0));
        self.reach = self.starts.iter().max().map_or(0, |start| *start as usize + WINDOW);
        let groups = self.low.chunks_exact(LANES).zip(self.high.chunks_exact(LANES));
        for ((low, high), starts) in groups.zip(self.starts.chunks_exact(LANES / outputs)) {
            // Of a byte that is not taken the highest bit is set: the shuffle puts 0 there.
            let mut masks = [[0x80; 32]; 2];
            for i in 0..LANES {
                let start = starts[i / outputs];
                // The second of two loads of 8 bytes lies in the upper half of its register.
                let within = if loads == Loads::Single && i % 2 == 1 { 8 } else { 0 };
                let (low, high) = ((low[i] - start) as u8 + within, (high[i] - start) as u8 + within);
                let half = 16 * (i / 4);
                if loads == Loads::Quad {
                    masks[0][half + 4 * (i % 4)] = low;
                    masks[1][half + 4 * (i % 4)] = high;
                } else {
                    let mask = &mut masks[i % 4 / 2];
                    mask[half + 4 * (i % 2)] = low;
                    mask[half + 8 + 4 * (i % 2)] = high;
                }
            }
            self.masks.push(masks);
        }
    }
}

/// The first byte and the last.
fn span(low: &[u32], high: &[u32]) -> (u32, u32) {
    let all = || low.iter().chain(high).copied();
    (all().min().unwrap_or(0), all().max().unwrap_or(0))
}
