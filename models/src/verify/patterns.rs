//! Every network on a picture of nobody, against the recorded numbers.

use super::reference::{Pattern, Reference};
use crate::Error;
use facialads_vision::runtime::run_on_pattern;
use std::path::Path;

/// A network's numbers compared with the recorded ones.
#[derive(Clone, Debug)]
pub struct PatternCheck {
    pub model: String,
    pub output: String,
    /// Largest difference, relative to the value or to 1 if that is smaller.
    pub difference: f64,
    pub agrees: bool,
}

/// The outputs of one network that is installed.
pub(super) fn check(file: &Path, model: &str, reference: &Reference) -> Result<Vec<PatternCheck>, Error> {
    let patterns: Vec<&Pattern> = reference.patterns.iter().filter(|p| p.model == model).collect();
    let Some(first) = patterns.first() else { return Ok(Vec::new()) };
    let outputs = run_on_pattern(file, (first.side, first.height.unwrap_or(first.side)), 1)?;
    let compare = |pattern: &&Pattern| {
        let tensor = outputs.iter().find(|(name, _)| *name == pattern.output).map(|(_, tensor)| tensor);
        let difference = tensor.map_or(f64::INFINITY, |tensor| difference(tensor.data(), pattern));
        let agrees = difference <= reference.tolerance.pattern;
        PatternCheck { model: model.to_owned(), output: pattern.output.clone(), difference, agrees }
    };
    Ok(patterns.iter().map(compare).collect())
}

/// NaN, and values that are not there, differ infinitely.
fn difference(found: &[f32], pattern: &Pattern) -> f64 {
    let relative = |found: f64, expected: f64| {
        let difference = (found - expected).abs() / expected.abs().max(1.0);
        if difference.is_nan() { f64::INFINITY } else { difference }
    };
    let sum: f64 = found.iter().map(|&v| f64::from(v)).sum();
    let values = pattern.values.iter().map(|&(index, expected)| {
        found.get(index).map_or(f64::INFINITY, |&value| relative(f64::from(value), expected))
    });
    values.fold(relative(sum, pattern.sum), f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_no_number_never_agrees() {
        let pattern = |values: &[(usize, f64)]| Pattern {
            model: "m".into(),
            side: 1,
            height: None,
            output: "o".into(),
            sum: 3.0,
            values: values.to_vec(),
        };
        assert_eq!(difference(&[1.0, 2.0], &pattern(&[(1, 2.0)])), 0.0);
        assert_eq!(difference(&[1.0, 2.0], &pattern(&[(0, 1.5)])), 0.5 / 1.5);
        assert!(difference(&[1.0, 2.0], &pattern(&[(2, 0.0)])).is_infinite());
        assert!(difference(&[f32::NAN, 2.0], &pattern(&[])).is_infinite());
        assert!(difference(&[], &pattern(&[])) > 0.9);
    }
}
