//! The first look at a detector's scores. Nearly all say "nothing here": they are compared in blocks, without a branch, and
//! only a block that has something in it is read one by one.

use crate::{Error, Result};
use std::ops::Range;

/// Scores compared at once.
const BLOCK: usize = 32;

/// A score is a probability; rounding may take it this far above 1.
const ABOVE_ONE: f32 = 1e-3;

/// Indices of the scores that are at least `bound`, or no number, into `found`. `read` puts the scores of a range of at most
/// 32 indices into the places given, as many.
///
/// The scores go through a few registers instead of being tested in place: a loop of fixed length without an early exit is
/// what becomes vector instructions: 6.7 instructions a score of YuNet, where a square root and a test for each took 18 (callgrind,
/// SSE2, 8400 cells of which 4 hold a face, the program's start included).
#[inline]
pub(super) fn promising(
    count: usize,
    bound: f32,
    read: impl Fn(Range<usize>, &mut [f32]),
    found: &mut Vec<u32>,
) {
    found.clear();
    let wanted = |score: f32| (score >= bound) | score.is_nan();
    let mut scores = [0.0_f32; BLOCK];
    let mut begin = 0;
    while begin < count {
        let size = (count - begin).min(BLOCK);
        read(begin..begin + size, &mut scores[..size]);
        if scores.iter().fold(0, |any, score| any | u32::from(wanted(*score))) != 0 {
            let here = scores[..size].iter().enumerate().filter(|(_, score)| wanted(**score));
            found.extend(here.filter_map(|(i, _)| u32::try_from(begin + i).ok()));
        }
        begin += size;
    }
}

/// A score that is to be believed, at most 1.
///
/// # Errors
/// [`Error::Inference`]: no number, or no probability.
pub(crate) fn checked(model: &str, output: &str, score: f32) -> Result<f32> {
    let fail = |problem: String| Err(Error::Inference { model: model.to_owned(), problem });
    if score.is_nan() {
        return fail(format!(
            "its output {output} holds values that are not numbers; the file may be damaged, or made with too few bits"
        ));
    }
    if score > 1.0 + ABOVE_ONE {
        return fail(format!(
            "its output {output} holds {score}, and a score is 0 to 1; a network that gives logits needs a sigmoid or softmax \
             at its end"
        ));
    }
    Ok(score.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_from_the_bound_up_is_found_in_blocks_of_any_length() {
        for count in [0, 1, 31, 32, 33, 64, 100] {
            let scores: Vec<f32> = (0..count).map(|i| if i % 7 == 3 { 0.5 } else { 0.49 }).collect();
            let mut found = vec![9];
            promising(count, 0.5, |range, out| out.copy_from_slice(&scores[range]), &mut found);
            let expected: Vec<u32> = (0..count as u32).filter(|i| i % 7 == 3).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_is_no_number_is_looked_at() {
        let mut found = Vec::new();
        promising(2, 0.5, |_, out| out.copy_from_slice(&[0.0, f32::NAN]), &mut found);
        assert_eq!(found, [1]);
        assert!(checked("m", "scores", f32::NAN).is_err());
        assert!(checked("m", "scores", 1.5).is_err() && checked("m", "scores", f32::INFINITY).is_err());
        assert_eq!(checked("m", "scores", 1.0005).unwrap(), 1.0);
    }
}
