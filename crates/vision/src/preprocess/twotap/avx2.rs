//! Scaling a row across with AVX2: 8 outputs at once. The same operations in the same order as the plain loop.

use super::{
    LANES,
    columns::{Columns, Loads},
};
use crate::preprocess::{axis::TwoTap, planes::Member};
use std::arch::x86_64::*;

/// Returns whether it did: not where a load would reach beyond the plane (the ends of its last row), or where pixels are too
/// far apart. The caller has checked that the processor has AVX2.
pub(super) fn across(
    source: &[u8],
    members: &[Member],
    table: &Columns,
    weights: &TwoTap,
    black: Option<[f32; 3]>,
    out: &mut [&mut [f32]; 3],
) -> bool {
    let loads = match table.loads {
        Some(loads @ (Loads::Quad | Loads::Pair | Loads::Single)) => loads,
        Some(Loads::Scattered) | None => return false,
    };
    if table.reach > source.len() {
        return false;
    }
    let job = Job { source, table, weights, black };
    let [a, b, c] = out;
    // SAFETY: the caller has checked for AVX2. Every start is at most `reach` - 16, and `reach` bytes are there.
    unsafe {
        match members {
            [a_] => {
                let row = match a_.component {
                    0 => a,
                    1 => b,
                    _ => c,
                };
                job.run(loads, [*a_], [row]);
            }
            [first, second] => match (first.component, second.component) {
                (0, 1) => job.run(loads, [*first, *second], [a, b]),
                (0, _) => job.run(loads, [*first, *second], [a, c]),
                _ => job.run(loads, [*first, *second], [b, c]),
            },
            [first, second, third] => job.run(loads, [*first, *second, *third], [a, b, c]),
            _ => return false,
        }
    }
    true
}

struct Job<'a> {
    source: &'a [u8],
    table: &'a Columns,
    weights: &'a TwoTap,
    black: Option<[f32; 3]>,
}

impl Job<'_> {
    /// # Safety
    /// AVX2 is there, and 16 bytes from each of `table.starts` lie in `source`.
    #[target_feature(enable = "avx2")]
    unsafe fn run<const N: usize>(&self, loads: Loads, members: [Member; N], out: [&mut [f32]; N]) {
        // SAFETY: as above.
        unsafe {
            match loads {
                Loads::Quad => self.groups::<N, 2>(members, out),
                Loads::Pair => self.groups::<N, 4>(members, out),
                _ => self.groups::<N, 8>(members, out),
            }
        }
    }

    /// `LOADS` bring the samples of 8 outputs.
    ///
    /// # Safety
    /// As [`Job::run`].
    #[target_feature(enable = "avx2")]
    unsafe fn groups<const N: usize, const LOADS: usize>(&self, members: [Member; N], out: [&mut [f32]; N]) {
        let shifts = members.map(|member| _mm256_set1_epi8(member.offset as i8));
        let levels = members.map(|member| self.black.map(|black| _mm256_set1_ps(black[member.component])));
        let weights =
            self.weights.low_weight.chunks_exact(LANES).zip(self.weights.high_weight.chunks_exact(LANES));
        let shares = self.weights.black.chunks_exact(LANES);
        let tables = self.table.starts.chunks_exact(LOADS).zip(&self.table.masks);
        for (i, ((starts, masks), ((low_weight, high_weight), share))) in
            tables.zip(weights.zip(shares)).enumerate()
        {
            // SAFETY: `starts` + 16 bytes lie in the source; the slices of weights and masks are as long as a register.
            let (first, second, low_weight, high_weight, masks) = unsafe {
                let (first, second) = self.load::<LOADS>(starts);
                let masks = masks.each_ref().map(|mask| _mm256_loadu_si256(mask.as_ptr().cast()));
                (
                    first,
                    second,
                    _mm256_loadu_ps(low_weight.as_ptr()),
                    _mm256_loadu_ps(high_weight.as_ptr()),
                    masks,
                )
            };
            for n in 0..N {
                let (a, b) = (
                    _mm256_shuffle_epi8(first, _mm256_add_epi8(masks[0], shifts[n])),
                    _mm256_shuffle_epi8(second, _mm256_add_epi8(masks[1], shifts[n])),
                );
                // A quad's shuffles give the lower and the higher samples, the others' both of two outputs.
                let (low, high) = if LOADS == 2 {
                    (a, b)
                } else {
                    (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b))
                };
                let low = _mm256_mul_ps(_mm256_cvtepi32_ps(low), low_weight);
                let high = _mm256_mul_ps(_mm256_cvtepi32_ps(high), high_weight);
                let mut sum = _mm256_add_ps(low, high);
                if let Some(level) = levels[n] {
                    // SAFETY: 8 numbers.
                    let share = unsafe { _mm256_loadu_ps(share.as_ptr()) };
                    sum = _mm256_add_ps(sum, _mm256_mul_ps(level, share));
                }
                if let Some(target) = out[n].get_mut(i * LANES..(i + 1) * LANES) {
                    // SAFETY: 8 numbers.
                    unsafe { _mm256_storeu_ps(target.as_mut_ptr(), sum) };
                }
            }
        }
    }

    /// The source of outputs 0 to 3 in the lower halves and of 4 to 7 in the upper ones.
    ///
    /// # Safety
    /// As [`Job::run`]; `starts` has `LOADS` entries.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load<const LOADS: usize>(&self, starts: &[u32]) -> (__m256i, __m256i) {
        let at = |i: usize| {
            // SAFETY: 16 bytes from each start lie in the source.
            unsafe { self.source.as_ptr().add(starts[i] as usize) }
        };
        // SAFETY: 16 bytes from each start lie in the source.
        unsafe {
            let sixteen = |i: usize| _mm_loadu_si128(at(i).cast());
            let eights = |i: usize| {
                let low = _mm_castsi128_pd(_mm_loadl_epi64(at(i).cast()));
                _mm_castpd_si128(_mm_loadh_pd(low, at(i + 1).cast()))
            };
            match LOADS {
                2 => {
                    let both = _mm256_set_m128i(sixteen(1), sixteen(0));
                    (both, both)
                }
                4 => (_mm256_set_m128i(sixteen(2), sixteen(0)), _mm256_set_m128i(sixteen(3), sixteen(1))),
                _ => (_mm256_set_m128i(eights(4), eights(0)), _mm256_set_m128i(eights(6), eights(2))),
            }
        }
    }
}
