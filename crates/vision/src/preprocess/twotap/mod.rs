//! Bilinear scaling: only the rows and columns that the output needs are read. Sample for sample equal to the
//! reference, in the same order of single-precision operations, on every machine: an age changes with a thousandth of a
//! pixel.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod columns;

use super::{
    Placement,
    axis::{Side, TwoTap},
    finish::{Finish, Rows},
    planes::{Plane, Planes},
};
use crate::{
    Frame,
    frame::{ColorModel, black},
};
use columns::Columns;

/// Outputs that are computed at once; rows of samples are padded to a multiple.
const LANES: usize = 8;

/// Tables of the last placement, and rows.
#[derive(Default)]
pub(super) struct TwoTapScratch {
    made_for: Option<(Side, Side, bool)>,
    columns: TwoTap,
    rows: TwoTap,
    /// Per plane.
    tables: [Columns; 3],
    /// Per component the two rows last scaled across, padded.
    scaled: [[Vec<f32>; 2]; 3],
}

impl TwoTapScratch {
    pub(super) fn wipe(&mut self) {
        self.scaled.as_flattened_mut().iter_mut().for_each(|row| row.fill(0.0));
    }

    /// Whether the tables are new.
    fn prepare(&mut self, placed: &Placement, half_pixel: bool) -> bool {
        let wanted = Some((placed.columns(), placed.rows(), half_pixel));
        if self.made_for == wanted {
            return false;
        }
        self.made_for = wanted;
        self.columns.fill(placed.columns(), half_pixel);
        self.rows.fill(placed.rows(), half_pixel);
        let padded = placed.out_width.next_multiple_of(LANES);
        self.columns.low_weight.resize(padded, 0.0);
        self.columns.high_weight.resize(padded, 0.0);
        self.columns.black.resize(padded, 0.0);
        self.scaled.as_flattened_mut().iter_mut().for_each(|row| row.resize(padded, 0.0));
        true
    }
}

/// Writes each output row, top to bottom.
pub(super) fn scale(
    frame: &Frame,
    placed: &Placement,
    half_pixel: bool,
    scratch: &mut TwoTapScratch,
    finish: &mut Finish,
) {
    let fresh = scratch.prepare(placed, half_pixel);
    let planes = Planes::of(frame);
    let TwoTapScratch { columns, rows, tables, scaled, .. } = scratch;
    for (plane, table) in planes.iter().zip(tables.iter_mut()) {
        table.prepare(plane, columns, fresh);
    }
    let black = black(frame.color());
    let padded = columns.black.iter().any(|share| *share != 0.0);
    let across = Across { weights: columns, black: padded.then_some(black), simd: finish.simd() };
    // The row in each slot of each plane, by number among the plane's.
    let mut held = [[None; 2]; 3];
    for y in 0..placed.out_height {
        let (low_weight, high_weight) = (rows.low_weight[y], rows.high_weight[y]);
        // Which slots hold the lower and the higher row, per component.
        let mut slots = [(0, 0); 3];
        for ((plane, table), held) in planes.iter().zip(tables.iter()).zip(&mut held) {
            let mut slot_of = |row: usize, preferred: usize| {
                let number = row >> plane.shift_y;
                if let Some(slot) = held.iter().position(|h| *h == Some(number)) {
                    return slot;
                }
                held[preferred] = Some(number);
                across.scale(plane, table, row, scaled, preferred);
                preferred
            };
            let both = match (low_weight == 0.0, high_weight == 0.0) {
                (true, true) => (0, 0),
                (_, true) => {
                    let slot = slot_of(rows.low[y], 0);
                    (slot, slot)
                }
                _ => {
                    // Also where it has no weight: it is the higher one's neighbour or the region's first.
                    let low = slot_of(rows.low[y], 0);
                    (low, slot_of(rows.high[y], 1 - low))
                }
            };
            plane.members().iter().for_each(|member| slots[member.component] = both);
        }
        if frame.color() == ColorModel::Gray {
            slots = [slots[0]; 3];
        }
        let component = |i: usize| if frame.color() == ColorModel::Gray { 0 } else { i };
        finish.row(
            y,
            &Rows {
                low: std::array::from_fn(|i| scaled[component(i)][slots[i].0].as_slice()),
                high: std::array::from_fn(|i| scaled[component(i)][slots[i].1].as_slice()),
                low_weight,
                high_weight,
                padding: black.map(|level| level * rows.black[y]),
            },
        );
    }
}

/// What scaling a row across needs, the same for all rows.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only the plain loop is there"))]
struct Across<'a> {
    weights: &'a TwoTap,
    /// `None`: nothing lies beside the region, in any row.
    black: Option<[f32; 3]>,
    simd: bool,
}

impl Across<'_> {
    /// Scales picture row `y` of the plane's members into a slot.
    fn scale(&self, plane: &Plane, table: &Columns, y: usize, scaled: &mut [[Vec<f32>; 2]; 3], slot: usize) {
        let source = plane.row(y);
        let [a, b, c] = scaled;
        let mut out = [a, b, c].map(|slots| slots[slot].as_mut_slice());
        #[cfg(target_arch = "x86_64")]
        if self.simd && avx2::across(source, plane.members(), table, self.weights, self.black, &mut out) {
            return;
        }
        for member in plane.members() {
            let black = self.black.map_or(0.0, |black| black[member.component]);
            let taps = table.low.iter().zip(&table.high);
            let weights = self.weights.low_weight.iter().zip(&self.weights.high_weight);
            let out = out[member.component].iter_mut().zip(taps.zip(weights.zip(&self.weights.black)));
            for (out, ((low, high), ((low_weight, high_weight), share))) in out {
                let low = f32::from(source[*low as usize + member.offset]);
                let high = f32::from(source[*high as usize + member.offset]);
                *out = low * low_weight + high * high_weight + black * share;
            }
        }
    }
}
