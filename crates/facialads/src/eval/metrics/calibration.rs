//! Whether a confidence means what it says.

use serde::{Deserialize, Serialize};

/// As many bins as Guo et al. draw their tables with elsewhere; more would leave bins of a few faces on small sets.
pub const BINS: usize = 10;

/// Expected calibration error and the reliability table that it is made of.
///
/// C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, On calibration of modern neural networks, ICML 2017, eq. 3: predictions
/// go into bins of equal width by the confidence of the predicted class, and the distances between mean confidence and
/// accuracy of the bins are averaged with their sizes as weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub n: u64,
    /// 0..=1; nothing without predictions.
    pub ece: Option<f64>,
    /// Only bins that something fell into.
    pub bins: Vec<Bin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Confidences above this (the first bin has 0 itself too) …
    pub above: f64,
    /// … up to this.
    pub up_to: f64,
    pub n: u64,
    /// Mean.
    pub confidence: f64,
    pub accuracy: f64,
}

/// `predictions`: confidence of the predicted class (0..=1) and whether it was right. Confidences that are no number are
/// left out.
pub fn calibration(predictions: &[(f64, bool)]) -> Calibration {
    let mut sums = [(0_u64, 0.0_f64, 0_u64); BINS];
    for (confidence, right) in predictions.iter().filter(|(confidence, _)| confidence.is_finite()) {
        let confidence = confidence.clamp(0.0, 1.0);
        // Bins are open below and closed above. `as` takes what lies below 0 to 0.
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let (n, sum, correct) = &mut sums[bin];
        (*n, *sum, *correct) = (*n + 1, *sum + confidence, *correct + u64::from(*right));
    }
    let n: u64 = sums.iter().map(|(n, ..)| n).sum();
    let bins: Vec<Bin> = sums
        .iter()
        .enumerate()
        .filter(|(_, (n, ..))| *n > 0)
        .map(|(bin, &(n, sum, correct))| Bin {
            above: bin as f64 / BINS as f64,
            up_to: (bin + 1) as f64 / BINS as f64,
            n,
            confidence: sum / n as f64,
            accuracy: correct as f64 / n as f64,
        })
        .collect();
    let error: f64 = bins.iter().map(|b| b.n as f64 * (b.accuracy - b.confidence).abs()).sum();
    Calibration { n, ece: (n > 0).then(|| error / n as f64), bins }
}

#[cfg(test)]
mod tests {
    use super::super::near;
    use super::*;

    #[test]
    fn the_error_is_the_weighted_distance_of_the_bins() {
        // Bin (0.8, 0.9]: mean 0.85, 1 of 2 right, off by 0.35. Bin (0.5, 0.6]: mean 0.6, 1 of 1, off by 0.4.
        let result = calibration(&[(0.82, true), (0.88, false), (0.6, true)]);
        assert!(near(result.ece.unwrap(), (2.0 * 0.35 + 0.4) / 3.0));
        assert_eq!(result.bins.len(), 2);
        assert_eq!((result.bins[0].above, result.bins[0].up_to, result.bins[0].n), (0.5, 0.6, 1));
        assert!(near(result.bins[1].confidence, 0.85) && near(result.bins[1].accuracy, 0.5));
    }

    #[test]
    fn honest_confidence_has_no_error_and_odd_numbers_do_no_harm() {
        let honest: Vec<(f64, bool)> = (0..10).map(|i| (0.7, i < 7)).collect();
        assert!(calibration(&honest).ece.unwrap() < 1e-9);
        assert_eq!(calibration(&[]).ece, None);
        let odd = calibration(&[(f64::NAN, true), (0.0, false), (1.0, true), (7.0, true)]);
        assert_eq!((odd.n, odd.ece), (3, Some(0.0)));
    }
}
