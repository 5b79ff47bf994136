//! Antialiased scaling: first the rows of bytes are summed downwards, all components of a plane at once, then across.
//!
//! Weights are whole numbers of 1/16384 and sums of rows are kept in 1/128 of a level, so that the result is the same on
//! every machine. Against exact weights the tests, on noise up to 8K, allow 0.1 levels of 255.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod taps;

use super::{
    Placement,
    axis::Side,
    finish::{Finish, Rows},
    planes::{Plane, Planes},
};
use crate::{
    Frame,
    frame::{ColorModel, black},
};
use taps::Taps;

/// Weight of a sample that is alone.
const ONE: i32 = 1 << 14;
/// Bits taken off a sum of rows; what is left has 7 more than a level.
const ROW_SHIFT: u32 = 7;
/// From a sum of sums to levels.
const LEVEL: f32 = 1.0 / (ONE << (14 - ROW_SHIFT)) as f32;
/// Outputs that are computed at once.
const LANES: usize = 8;
/// Weights in a register.
const WEIGHTS: usize = 16;

/// Tables of the last placement, and rows.
#[derive(Default)]
pub(super) struct AreaScratch {
    made_for: Option<(Side, Side)>,
    planes: [PlaneScratch; 3],
    /// Per component, padded to [`LANES`].
    rows: [Vec<f32>; 3],
}

impl AreaScratch {
    pub(super) fn wipe(&mut self) {
        self.rows.iter_mut().for_each(|row| row.fill(0.0));
        self.planes.iter_mut().for_each(|plane| plane.sums.fill(0));
    }
}

#[derive(Default)]
struct PlaneScratch {
    made_for: Option<(usize, u8, u8, usize)>,
    down: Taps,
    across: Taps,
    /// Bytes in the region of a row, and before it.
    start: usize,
    length: usize,
    /// A row of sums, padded to what any output reads.
    sums: Vec<i16>,
}

impl PlaneScratch {
    fn prepare(&mut self, plane: &Plane, columns: &Side, rows: &Side, fresh: bool) {
        let made_for = Some((plane.pixel_stride, plane.shift_x, plane.shift_y, plane.last_offset()));
        if self.made_for == made_for && !fresh {
            return;
        }
        self.made_for = made_for;
        // Rows are taken in pairs.
        self.down.fill(rows, plane.shift_y, 1, 1, 2);
        self.across.fill(columns, plane.shift_x, plane.pixel_stride.max(1), LANES, WEIGHTS);
        let byte = |x: usize| (x >> plane.shift_x) * plane.pixel_stride;
        self.start = byte(columns.start);
        self.length = byte(columns.start + columns.length - 1) + plane.last_offset() + 1 - self.start;
        self.sums.clear();
        self.sums.resize(self.length + plane.last_offset() + self.across.width, 0);
    }

    /// Sums the rows of bytes under output row `y`.
    fn sum_rows(&mut self, plane: &Plane, first_row: usize, y: usize, simd: bool) {
        let count = self.down.count[y] as usize;
        let sums = &mut self.sums[..self.length];
        if count == 0 {
            sums.fill(0);
            return;
        }
        let weights = self.down.weights_of(y);
        let first = (first_row >> plane.shift_y) + self.down.first[y] as usize;
        let source = &plane.data[first * plane.row_stride + self.start..];
        #[cfg(target_arch = "x86_64")]
        if simd && avx2::sum_rows(source, plane.row_stride, count, weights, sums) {
            return;
        }
        let _ = simd;
        for (i, sums) in sums.chunks_mut(32).enumerate() {
            let mut exact = [0_i32; 32];
            for (row, weight) in weights.iter().enumerate().take(count) {
                let bytes = &source[row * plane.row_stride + i * 32..];
                for (sum, byte) in exact.iter_mut().zip(bytes).take(sums.len()) {
                    *sum += i32::from(*byte) * i32::from(*weight);
                }
            }
            for (sum, exact) in sums.iter_mut().zip(exact) {
                // At most 255 · 128.
                *sum = ((exact + (1 << (ROW_SHIFT - 1))) >> ROW_SHIFT) as i16;
            }
        }
    }

    /// From the sums to a row of the component at `offset`.
    fn across(&self, offset: usize, black: Option<(f32, f32)>, out: &mut [f32], simd: bool) {
        let sums = &self.sums[offset..];
        #[cfg(target_arch = "x86_64")]
        if simd {
            avx2::across(sums, &self.across, out);
        } else {
            self.plain_across(sums, out);
        }
        #[cfg(not(target_arch = "x86_64"))]
        self.plain_across(sums, out);
        let _ = simd;
        let Some((level, row_share)) = black else { return };
        for (out, share) in out.iter_mut().zip(&self.across.black) {
            *out += level * (row_share * (1.0 - share) + share);
        }
    }

    fn plain_across(&self, sums: &[i16], out: &mut [f32]) {
        let taps = self.across.first.iter().zip(self.across.weights.chunks_exact(self.across.width));
        for (out, (first, weights)) in out.iter_mut().zip(taps) {
            let products =
                weights.iter().zip(&sums[*first as usize..]).map(|(w, s)| i32::from(*w) * i32::from(*s));
            *out = products.sum::<i32>() as f32 * LEVEL;
        }
    }
}

/// Writes each output row, top to bottom.
pub(super) fn scale(frame: &Frame, placed: &Placement, scratch: &mut AreaScratch, finish: &mut Finish) {
    let (columns, rows) = (placed.columns(), placed.rows());
    let fresh = scratch.made_for != Some((columns, rows));
    scratch.made_for = Some((columns, rows));
    let padded = placed.out_width.next_multiple_of(LANES);
    scratch.rows.iter_mut().for_each(|row| row.resize(padded, 0.0));
    let planes = Planes::of(frame);
    let AreaScratch { planes: of_planes, rows: out, .. } = scratch;
    for (plane, of_plane) in planes.iter().zip(of_planes.iter_mut()) {
        of_plane.prepare(plane, &columns, &rows, fresh);
    }
    let black = black(frame.color());
    let simd = finish.simd();
    for y in 0..placed.out_height {
        for (plane, of_plane) in planes.iter().zip(of_planes.iter_mut()) {
            of_plane.sum_rows(plane, rows.start, y, simd);
            let row_share = of_plane.down.black[y];
            let padded = row_share != 0.0 || of_plane.across.black.iter().any(|share| *share != 0.0);
            for member in plane.members() {
                let black = padded.then_some((black[member.component], row_share));
                of_plane.across(member.offset, black, &mut out[member.component], simd);
            }
        }
        let component = |i: usize| if frame.color() == ColorModel::Gray { 0 } else { i };
        let row = |i: usize| out[component(i)].as_slice();
        let all = [row(0), row(1), row(2)];
        finish.row(y, &Rows { low: all, high: all, low_weight: 1.0, high_weight: 0.0, padding: [0.0; 3] });
    }
}
