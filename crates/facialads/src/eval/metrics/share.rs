//! A part of a whole, with what its size lets one say.

use serde::{Deserialize, Serialize};

/// Standard normal quantile of 0.975: half-width of a 95 % interval in standard deviations.
const Z: f64 = 1.959_963_984_540_054;

/// `right` of `of`, with its Wilson 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    pub right: u64,
    pub of: u64,
    /// 0..=1; nothing where there is nothing to share.
    pub share: Option<f64>,
    pub low: f64,
    pub high: f64,
}

impl Share {
    pub fn new(right: u64, of: u64) -> Self {
        let (low, high) = wilson(right, of);
        Self { right, of, share: (of > 0).then(|| right as f64 / of as f64), low, high }
    }

    /// How many of these are true.
    pub fn of(all: impl IntoIterator<Item = bool>) -> Self {
        let (right, of) = all.into_iter().fold((0, 0), |(right, of), is| (right + u64::from(is), of + 1));
        Self::new(right, of)
    }
}

/// The Wilson score interval at 95 % of `right` successes in `of` trials; 0..=1 of none.
///
/// E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927). Chosen because it
/// stays inside 0..=1 and keeps its coverage near 0 and 1, where the minors' rule works.
pub fn wilson(right: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let n = of as f64;
    let p = right.min(of) as f64 / n;
    let z2 = Z * Z;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // At the ends the formula gives 0 and 1 but for rounding.
    let low = if right == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if right >= of { 1.0 } else { (centre + half).min(1.0) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_gives_the_textbook_intervals() {
        // By hand, z = 1.96: 8 of 10 is 0.4902..0.9433; 0 of 10 is 0..0.2775 (z² / (n + z²) = 3.8415 / 13.8415).
        let (low, high) = wilson(8, 10);
        assert!((low - 0.4902).abs() < 5e-5 && (high - 0.9433).abs() < 5e-5, "{low} {high}");
        let (low, high) = wilson(0, 10);
        assert!(low == 0.0 && (high - 0.27753).abs() < 5e-5, "{low} {high}");
        let (low, high) = wilson(10, 10);
        assert!((low - 0.72247).abs() < 5e-5 && high == 1.0, "{low} {high}");
    }

    #[test]
    fn nothing_of_nothing_says_nothing() {
        let share = Share::new(0, 0);
        assert_eq!((share.share, share.low, share.high), (None, 0.0, 1.0));
        assert_eq!(Share::of([true, false, true, true]).share, Some(0.75));
    }
}
