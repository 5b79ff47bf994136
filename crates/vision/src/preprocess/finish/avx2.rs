//! A row with AVX2: 8 pixels at once. The same operations in the same order as the plain loop.

use super::{Rows, Step};
use std::arch::x86_64::*;

const LANES: usize = 8;

#[target_feature(enable = "avx2")]
pub(super) fn row(step: &Step, rows: &Rows, out: [&mut [f32]; 3]) {
    let (low_weight, high_weight) = (_mm256_set1_ps(rows.low_weight), _mm256_set1_ps(rows.high_weight));
    let padding = rows.padding.map(|level| _mm256_set1_ps(level));
    let mean = step.mean.map(|mean| _mm256_set1_ps(mean));
    let scale = step.scale.map(|scale| _mm256_set1_ps(scale));
    let conversion = step.conversion.map(|c| c.coefficients().map(|number| _mm256_set1_ps(number)));
    let (zero, most, middle) = (_mm256_setzero_ps(), _mm256_set1_ps(255.0), _mm256_set1_ps(128.0));
    let [red, green, blue] = out;
    let width = red.len().min(green.len()).min(blue.len());
    let shortest = rows.low.iter().chain(&rows.high).map(|row| row.len()).min().unwrap_or(0);
    let whole = width.min(shortest) / LANES * LANES;
    for x in (0..whole).step_by(LANES) {
        let between = |i: usize| {
            // SAFETY: `whole` is at most the length of each row.
            let (low, high) = unsafe {
                (_mm256_loadu_ps(rows.low[i].as_ptr().add(x)), _mm256_loadu_ps(rows.high[i].as_ptr().add(x)))
            };
            let sum = _mm256_add_ps(_mm256_mul_ps(low, low_weight), _mm256_mul_ps(high, high_weight));
            _mm256_add_ps(sum, padding[i])
        };
        let mut colours = [between(0), between(1), between(2)];
        if let Some([luma_offset, luma_gain, rv, gu, gv, bu]) = conversion {
            let y = _mm256_mul_ps(_mm256_sub_ps(colours[0], luma_offset), luma_gain);
            let (u, v) = (_mm256_sub_ps(colours[1], middle), _mm256_sub_ps(colours[2], middle));
            let green = _mm256_add_ps(_mm256_add_ps(y, _mm256_mul_ps(gu, u)), _mm256_mul_ps(gv, v));
            let unclamped =
                [_mm256_add_ps(y, _mm256_mul_ps(rv, v)), green, _mm256_add_ps(y, _mm256_mul_ps(bu, u))];
            colours = unclamped.map(|colour| _mm256_min_ps(most, _mm256_max_ps(zero, colour)));
        }
        for (i, target) in [&mut *red, &mut *green, &mut *blue].into_iter().enumerate() {
            let value = _mm256_mul_ps(_mm256_sub_ps(colours[i], mean[i]), scale[i]);
            // SAFETY: `whole` is at most the length of each target.
            unsafe { _mm256_storeu_ps(target.as_mut_ptr().add(x), value) };
        }
    }
    step.plain(rows, [red, green, blue], whole);
}
