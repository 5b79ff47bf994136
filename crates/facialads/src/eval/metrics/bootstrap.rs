//! How far a mean may be from what more of the same data would show.

use super::{random::Random, spread};
use serde::{Deserialize, Serialize};

/// How often is drawn anew.
pub const RESAMPLES: usize = 2000;

/// A mean with its percentile bootstrap 95 % interval (B. Efron, Bootstrap methods, Annals of Statistics 7, 1979).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    pub n: u64,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// Nothing of nothing. The same seed gives the same interval.
pub fn mean(values: &[f64], seed: u64) -> Option<Mean> {
    let mut random = Random::new(seed);
    let mean = spread::mean(values)?;
    let drawn: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let sum: f64 = (0..values.len()).map(|_| values[random.below(values.len())]).sum();
            sum / values.len() as f64
        })
        .collect();
    let (low, high) = (spread::quantile(&drawn, 0.025)?, spread::quantile(&drawn, 0.975)?);
    Some(Mean { n: values.len() as u64, mean, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_has_the_width_that_theory_gives_and_depends_on_the_seed_alone() {
        // A hundred values of 0 and 1 in equal parts: standard error 0.05, so about 0.4 to 0.6.
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let interval = mean(&values, 1).unwrap();
        assert!(
            interval.mean == 0.5 && (interval.low - 0.4).abs() < 0.02 && (interval.high - 0.6).abs() < 0.02
        );
        assert_eq!(mean(&values, 1), mean(&values, 1));
        assert_ne!(mean(&values, 1), mean(&values, 2));
        assert_eq!(mean(&[3.0], 1).map(|m| (m.low, m.high)), Some((3.0, 3.0)));
        assert_eq!(mean(&[], 1), None);
    }
}
