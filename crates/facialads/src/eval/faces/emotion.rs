//! Emotion: how often it is right, when it is said, and what is taken for what.

use super::Case;
use crate::eval::metrics::{
    abstention::{self, Point},
    calibration::{Calibration, calibration},
    share::Share,
};
use facialads_vision::face::Emotion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const THRESHOLDS: [f64; 8] = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

#[derive(Serialize, Deserialize)]
pub struct EmotionReport {
    /// Least probability at which the product says an emotion.
    pub threshold: f64,
    /// The likeliest emotion is right.
    pub accuracy: Share,
    /// The product says one, not "unknown".
    pub kept: Share,
    pub accuracy_kept: Share,
    pub curve: Vec<Point>,
    pub calibration: Calibration,
    /// By label, how often each emotion was the likeliest.
    pub confusion: BTreeMap<String, BTreeMap<String, u64>>,
    /// By emotion that the product says, how often it is right.
    pub precision_kept: BTreeMap<String, Share>,
}

struct Answer {
    truth: Emotion,
    said: Emotion,
    confidence: f64,
}

impl EmotionReport {
    /// Expects the likeliest emotion of each face whatever its probability.
    pub fn new(cases: &[Case], threshold: f64) -> Option<Self> {
        let answers: Vec<Answer> = cases
            .iter()
            .filter_map(|case| {
                let said = case.said.emotion?;
                Some(Answer {
                    truth: case.truth.emotion?,
                    said: said.value,
                    confidence: f64::from(said.confidence),
                })
            })
            .collect();
        if answers.is_empty() {
            return None;
        }
        let predictions: Vec<(f64, bool)> =
            answers.iter().map(|answer| (answer.confidence, answer.said == answer.truth)).collect();
        let at = abstention::at(&predictions, threshold);
        let mut confusion: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let mut kept: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        for answer in &answers {
            let row = confusion.entry(answer.truth.name().to_owned()).or_default();
            *row.entry(answer.said.name().to_owned()).or_default() += 1;
            if answer.confidence >= threshold {
                kept.entry(answer.said.name().to_owned()).or_default().push(answer.said == answer.truth);
            }
        }
        Some(Self {
            threshold,
            accuracy: Share::of(predictions.iter().map(|(_, right)| *right)),
            kept: at.kept,
            accuracy_kept: at.accuracy,
            curve: abstention::curve(&predictions, &THRESHOLDS),
            calibration: calibration(&predictions),
            confusion,
            precision_kept: kept.into_iter().map(|(emotion, all)| (emotion, Share::of(all))).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::case;
    use super::*;
    use facialads_vision::face::Label;

    fn felt(truth: Emotion, said: Emotion, confidence: f32) -> Case {
        let mut case = case();
        case.truth.emotion = Some(truth);
        case.said.emotion = Some(Label { value: said, confidence });
        case
    }

    #[test]
    fn confusion_and_precision_by_hand() {
        let cases = [
            felt(Emotion::Happy, Emotion::Happy, 0.9),
            felt(Emotion::Sad, Emotion::Happy, 0.7),
            felt(Emotion::Sad, Emotion::Sad, 0.4),
            case(),
        ];
        let report = EmotionReport::new(&cases, 0.6).unwrap();
        assert_eq!((report.accuracy.right, report.accuracy.of), (2, 3));
        assert_eq!((report.kept.right, report.accuracy_kept.right), (2, 1));
        assert_eq!(report.confusion["sad"]["happy"], 1);
        assert_eq!(report.precision_kept["happy"].share, Some(0.5));
        assert!(!report.precision_kept.contains_key("sad"));
        assert!(EmotionReport::new(&[case()], 0.6).is_none());
    }
}
