//! The triangle's weights as whole numbers.

use super::ONE;
use crate::preprocess::axis::{Side, Tap};

/// Samples and weights of each output sample of one direction.
#[derive(Default)]
pub(super) struct Taps {
    /// First sample of each output, counted from the region's first and multiplied by the spread.
    pub(super) first: Vec<u32>,
    /// Samples of each output.
    pub(super) count: Vec<u32>,
    /// `width` for each output: the weights, in 1/16384, `spread` apart, and zeros between and after them.
    pub(super) weights: Vec<i16>,
    pub(super) width: usize,
    /// One more than the last sample that any output's weights, with the zeros after them, meet.
    pub(super) reach: usize,
    /// Share of each output that lies beside the region, 0..=1.
    pub(super) black: Vec<f32>,
    merged: Vec<f64>,
}

impl Taps {
    /// Makes the tables: samples are shared by `2^shift` pixels and stand `spread` apart; outputs are padded to a multiple of
    /// `outputs`, the width to one of `lanes`.
    pub(super) fn fill(&mut self, side: &Side, shift: u8, spread: usize, outputs: usize, lanes: usize) {
        let origin = side.start >> shift;
        self.first.clear();
        self.count.clear();
        self.black.clear();
        for out in 0..side.out {
            let tap = Tap::new(side, out);
            let range = tap.range();
            // Where nothing lies in the region, any sample will do.
            let first = if range.is_empty() { origin } else { range.start >> shift };
            let count = if range.is_empty() { 0 } else { ((range.end - 1) >> shift) - first + 1 };
            self.first.push(((first - origin) * spread) as u32);
            self.count.push(count as u32);
        }
        let most = self.count.iter().max().map_or(0, |count| *count as usize);
        self.width = (most.saturating_sub(1) * spread + 1).next_multiple_of(lanes);
        self.reach = self.first.iter().max().map_or(0, |first| *first as usize) + self.width;
        let padded = side.out.next_multiple_of(outputs);
        self.weights.clear();
        self.weights.resize(padded * self.width, 0);
        for (out, weights) in self.weights.chunks_exact_mut(self.width).take(side.out).enumerate() {
            let tap = Tap::new(side, out);
            let range = tap.range();
            self.merged.clear();
            self.merged.resize(self.count[out] as usize, 0.0);
            for (i, weight) in range.clone().zip(tap.weights()) {
                self.merged[(i >> shift) - (range.start >> shift)] += weight;
            }
            let sum = quantise(&self.merged, spread, weights);
            self.black.push((ONE - sum) as f32 / ONE as f32);
        }
        self.first.resize(padded, 0);
        self.count.resize(padded, 0);
        self.black.resize(padded, 0.0);
    }

    pub(super) fn weights_of(&self, out: usize) -> &[i16] {
        &self.weights[out * self.width..(out + 1) * self.width]
    }
}

/// Whole numbers whose running sums are those of `exact`, rounded: no error adds up, and where nothing is left to black the
/// sum is exactly [`ONE`]. Returns the sum.
fn quantise(exact: &[f64], spread: usize, weights: &mut [i16]) -> i32 {
    let (mut running, mut sum) = (0.0, 0);
    for (i, weight) in exact.iter().enumerate() {
        running += weight * f64::from(ONE);
        let whole = running.round() as i32;
        // At most `ONE`.
        weights[i * spread] = (whole - sum) as i16;
        sum = whole;
    }
    sum
}
