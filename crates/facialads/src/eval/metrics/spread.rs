//! Middles and ends of a set of numbers.

/// Nothing of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The value below which a part `at` (0..=1) of the values lies, between neighbours by straight lines (type 7 of
/// R. J. Hyndman, Y. Fan, Sample quantiles in statistical packages, 1996). Nothing of nothing.
pub fn quantile(values: &[f64], at: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let place = at.clamp(0.0, 1.0) * last as f64;
    let below = (place as usize).min(last);
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64))
}

pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// Largest less smallest; nothing of nothing.
pub fn range(values: &[f64]) -> Option<f64> {
    let (low, high) = (quantile(values, 0.0)?, quantile(values, 1.0)?);
    Some(high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_on_lines_between_the_values() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(median(&values), Some(2.5));
        assert_eq!(quantile(&values, 0.25), Some(1.75));
        assert_eq!((quantile(&values, 0.0), quantile(&values, 1.0)), (Some(1.0), Some(4.0)));
        assert_eq!((mean(&values), range(&values)), (Some(2.5), Some(3.0)));
        assert_eq!((mean(&[]), median(&[]), range(&[])), (None, None, None));
    }
}
