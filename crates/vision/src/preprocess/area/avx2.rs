//! Sums with AVX2. Whole numbers: the same as the plain loops'.

use super::{LANES, LEVEL, ROW_SHIFT, Taps, WEIGHTS};
use std::arch::x86_64::*;

/// Bytes of a row that are summed at once.
const STRIP: usize = 32;

/// Sums `count` rows, `stride` bytes apart, into 1/128 of a level. `weights` has an even number of entries, at least `count`.
/// Returns whether it did: not where the row is shorter than a strip. The caller has checked for AVX2.
pub(super) fn sum_rows(
    source: &[u8],
    stride: usize,
    count: usize,
    weights: &[i16],
    sums: &mut [i16],
) -> bool {
    let enough = (count.max(1) - 1).checked_mul(stride).and_then(|rows| rows.checked_add(sums.len()));
    if sums.len() < STRIP || count == 0 || enough.is_none_or(|enough| enough > source.len()) {
        return false;
    }
    let mut at = 0;
    while at < sums.len() {
        // The last strip begins early enough to be whole.
        let begin = at.min(sums.len() - STRIP);
        // SAFETY: the caller has checked for AVX2; the last row has `sums.len()` bytes, and so have those before it.
        unsafe { sum_strip(&source[begin..], stride, count, weights, &mut sums[begin..begin + STRIP]) };
        at += STRIP;
    }
    true
}

/// # Safety
/// AVX2 is there; 32 bytes of each row lie in `source`; `sums` has 32 entries.
#[target_feature(enable = "avx2")]
unsafe fn sum_strip(source: &[u8], stride: usize, count: usize, weights: &[i16], sums: &mut [i16]) {
    let zero = _mm256_setzero_si256();
    let mut exact = [_mm256_set1_epi32(1 << (ROW_SHIFT - 1)); 4];
    for (i, pair) in weights.chunks_exact(2).enumerate() {
        if 2 * i >= count {
            break;
        }
        let weight = _mm256_set1_epi32(i32::from(pair[0]) | i32::from(pair[1]) << 16);
        let row = |row: usize| {
            // The second of the last pair may not be there; its weight is 0.
            let at = row.min(count - 1) * stride;
            // SAFETY: 32 bytes of each of `count` rows are there.
            unsafe { _mm256_loadu_si256(source.as_ptr().add(at).cast()) }
        };
        let (a, b) = (row(2 * i), row(2 * i + 1));
        // Bytes of both rows in turn, in words; in each half of the register those of its own half.
        let (low, high) = (_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b));
        let words = [
            _mm256_unpacklo_epi8(low, zero),
            _mm256_unpackhi_epi8(low, zero),
            _mm256_unpacklo_epi8(high, zero),
            _mm256_unpackhi_epi8(high, zero),
        ];
        for (exact, words) in exact.iter_mut().zip(words) {
            *exact = _mm256_add_epi32(*exact, _mm256_madd_epi16(words, weight));
        }
    }
    let [a, b, c, d] = exact.map(|sum| _mm256_srai_epi32::<{ ROW_SHIFT as i32 }>(sum));
    let (even, odd) = (_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    // SAFETY: `sums` has 32 entries.
    unsafe {
        let target: *mut __m256i = sums.as_mut_ptr().cast();
        _mm256_storeu_si256(target, _mm256_permute2x128_si256::<0x20>(even, odd));
        _mm256_storeu_si256(target.add(1), _mm256_permute2x128_si256::<0x31>(even, odd));
    }
}

/// Writes as many outputs as `out` has, a multiple of 8. The caller has checked for AVX2.
pub(super) fn across(sums: &[i16], taps: &Taps, out: &mut [f32]) {
    assert!(taps.reach <= sums.len(), "rows of sums are padded to what any output reads");
    let outputs = out.chunks_exact_mut(LANES);
    let tables = taps.first.chunks_exact(LANES).zip(taps.weights.chunks_exact(LANES * taps.width));
    for (out, (first, weights)) in outputs.zip(tables) {
        // SAFETY: the caller has checked for AVX2; `width`, a multiple of 16, entries from each first lie in `sums`, as `reach` says; the others have 8,
        // 8 x `width` and 8 entries.
        unsafe { eight(sums, first, weights, taps.width, out) };
    }
}

/// # Safety
/// AVX2 is there; `width`, a multiple of 16, entries from each of 8 `first` lie in `sums`; `weights` has 8 x `width`
/// entries and `out` 8.
#[target_feature(enable = "avx2")]
unsafe fn eight(sums: &[i16], first: &[u32], weights: &[i16], width: usize, out: &mut [f32]) {
    let one = |i: usize| {
        let mut sum = _mm256_setzero_si256();
        let mut k = 0;
        // Not `step_by`, which divides.
        while k < width {
            // SAFETY: as above.
            let (samples, weights) = unsafe {
                (
                    _mm256_loadu_si256(sums.as_ptr().add(first[i] as usize + k).cast()),
                    _mm256_loadu_si256(weights.as_ptr().add(i * width + k).cast()),
                )
            };
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(samples, weights));
            k += WEIGHTS;
        }
        sum
    };
    // Eight sums of eight: in each half of a register four halves of sums.
    let four = |i: usize| {
        _mm256_hadd_epi32(_mm256_hadd_epi32(one(i), one(i + 1)), _mm256_hadd_epi32(one(i + 2), one(i + 3)))
    };
    let (a, b) = (four(0), four(4));
    let sum =
        _mm256_add_epi32(_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b));
    let levels = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(LEVEL));
    // SAFETY: `out` has 8 entries.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), levels) };
}
