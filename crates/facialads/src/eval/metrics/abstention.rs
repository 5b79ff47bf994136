//! What saying "unknown" buys: how many are still told an answer at each threshold, and how many of those are right.

use super::share::Share;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub threshold: f64,
    /// Part of all that keeps its answer.
    pub kept: Share,
    /// Of those, how many are right.
    pub accuracy: Share,
}

/// One point: answers of at least `threshold` are kept. `predictions`: confidence and whether it was right.
pub fn at(predictions: &[(f64, bool)], threshold: f64) -> Point {
    let kept = predictions.iter().filter(|(confidence, _)| *confidence >= threshold);
    let accuracy = Share::of(kept.map(|(_, right)| *right));
    Point { threshold, kept: Share::new(accuracy.of, predictions.len() as u64), accuracy }
}

/// The curve over thresholds.
pub fn curve(predictions: &[(f64, bool)], thresholds: &[f64]) -> Vec<Point> {
    thresholds.iter().map(|threshold| at(predictions, *threshold)).collect()
}

/// The lowest threshold that keeps at least `accuracy` right, and so the most that could be kept. Chosen with the
/// answers known: a bound, not a setting. Nothing if none does.
pub fn best(predictions: &[(f64, bool)], accuracy: f64) -> Option<Point> {
    let mut sorted: Vec<(f64, bool)> = predictions.iter().copied().filter(|(c, _)| c.is_finite()).collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut threshold) = (0_u64, None);
    for (index, (confidence, is_right)) in sorted.iter().enumerate() {
        right += u64::from(*is_right);
        // Equal confidences are kept or left together.
        let last_of_its_kind = sorted.get(index + 1).is_none_or(|next| next.0 < *confidence);
        if last_of_its_kind && right as f64 >= accuracy * (index + 1) as f64 {
            threshold = Some(*confidence);
        }
    }
    threshold.map(|threshold| at(predictions, threshold))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: [(f64, bool); 4] = [(0.9, true), (0.8, true), (0.7, false), (0.6, true)];

    #[test]
    fn a_higher_threshold_keeps_fewer_and_better_answers() {
        let curve = curve(&FOUR, &[0.5, 0.75, 0.95]);
        assert_eq!((curve[0].kept.share, curve[0].accuracy.share), (Some(1.0), Some(0.75)));
        assert_eq!((curve[1].kept.share, curve[1].accuracy.share), (Some(0.5), Some(1.0)));
        assert_eq!((curve[2].kept.share, curve[2].accuracy.share), (Some(0.0), None));
    }

    #[test]
    fn the_best_threshold_keeps_the_most_that_is_right_often_enough() {
        let best_at = |accuracy| best(&FOUR, accuracy).map(|point| (point.threshold, point.kept.right));
        assert_eq!(best_at(0.95), Some((0.8, 2)));
        assert_eq!(best_at(0.75), Some((0.6, 4)));
        assert_eq!(best(&[(0.9, false)], 0.95), None);
        assert_eq!(best(&[(0.9, true), (0.9, false)], 0.95), None, "equal confidences stay together");
    }
}
