//! Gender: how often it is right, when it is said, and for whom.

use super::Case;
use crate::eval::{
    labels::Gender,
    metrics::{
        abstention::{self, Point},
        calibration::{Calibration, calibration},
        fairness::{Fairness, fairness},
        interval::Truth,
        share::Share,
    },
};
use facialads_vision::face::Gender as Told;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the abstention curve is drawn.
const THRESHOLDS: [f64; 12] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99];
/// What the product aims at among those kept.
const WANTED: f64 = 0.95;

#[derive(Serialize, Deserialize)]
pub struct GenderReport {
    /// Least probability at which the product says a gender.
    pub threshold: f64,
    pub all: GenderOf,
    /// Those surely 20 or older. Nothing without ages.
    pub adults: Option<GenderOf>,
}

/// Gender of some of the faces.
#[derive(Serialize, Deserialize)]
pub struct GenderOf {
    /// The likelier gender is right.
    pub accuracy: Share,
    /// The product says a gender, not "unknown".
    pub kept: Share,
    /// Of those, it is right.
    pub accuracy_kept: Share,
    /// By the probability of the likelier gender.
    pub curve: Vec<Point>,
    /// The most that could be kept with 95 % of them right, with the threshold chosen on these very faces.
    pub most_at_95: Option<Point>,
    pub calibration: Calibration,
    pub groups: Fairness,
    pub groups_kept: Fairness,
    /// Part of each group that is told a gender.
    pub kept_by_group: BTreeMap<String, Share>,
    pub genders: Fairness,
    pub genders_kept: Fairness,
}

struct Answer<'a> {
    group: Option<&'a str>,
    truth: Gender,
    confidence: f64,
    right: bool,
    kept: bool,
    right_if_kept: bool,
}

impl GenderReport {
    pub fn new(cases: &[Case], threshold: f64, seed: u64) -> Option<Self> {
        let answers = |wanted: fn(&Case) -> bool| -> Vec<Answer> {
            cases.iter().filter(|case| wanted(case)).filter_map(answer).collect()
        };
        let all = answers(|_| true);
        if all.is_empty() {
            return None;
        }
        let adults = answers(|case| case.truth.age.as_ref().is_some_and(Truth::is_adult));
        Some(Self {
            threshold,
            all: GenderOf::new(&all, seed),
            adults: (!adults.is_empty()).then(|| GenderOf::new(&adults, seed)),
        })
    }
}

fn answer(case: &Case) -> Option<Answer<'_>> {
    let truth = case.truth.gender?;
    let female = f64::from(case.said.female);
    let likelier = if female >= 0.5 { Gender::Female } else { Gender::Male };
    let told = match case.said.gender.value {
        Told::Female => Some(Gender::Female),
        Told::Male => Some(Gender::Male),
        Told::Unknown => None,
    };
    Some(Answer {
        group: case.truth.group.as_deref(),
        truth,
        confidence: female.max(1.0 - female),
        right: likelier == truth,
        kept: told.is_some(),
        right_if_kept: told == Some(truth),
    })
}

impl GenderOf {
    fn new(answers: &[Answer], seed: u64) -> Self {
        let predictions: Vec<(f64, bool)> = answers.iter().map(|a| (a.confidence, a.right)).collect();
        let kept = || answers.iter().filter(|answer| answer.kept);
        let gender = |answer: &Answer| if answer.truth == Gender::Female { "female" } else { "male" };
        let mut kept_by_group: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        for answer in answers {
            if let Some(group) = answer.group {
                kept_by_group.entry(group.to_owned()).or_default().push(answer.kept);
            }
        }
        Self {
            accuracy: Share::of(answers.iter().map(|answer| answer.right)),
            kept: Share::of(answers.iter().map(|answer| answer.kept)),
            accuracy_kept: Share::of(kept().map(|answer| answer.right_if_kept)),
            curve: abstention::curve(&predictions, &THRESHOLDS),
            most_at_95: abstention::best(&predictions, WANTED),
            calibration: calibration(&predictions),
            groups: fairness(answers.iter().filter_map(|a| Some((a.group?, a.right))), seed),
            groups_kept: fairness(kept().filter_map(|a| Some((a.group?, a.right_if_kept))), seed),
            kept_by_group: kept_by_group.into_iter().map(|(group, all)| (group, Share::of(all))).collect(),
            genders: fairness(answers.iter().map(|a| (gender(a), a.right)), seed),
            genders_kept: fairness(kept().map(|a| (gender(a), a.right_if_kept)), seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::case;
    use super::*;

    fn told(truth: Gender, female: f32, age: f64, group: &str) -> Case {
        let mut case = case();
        case.truth.gender = Some(truth);
        case.truth.age = Some(Truth::Years(age));
        case.truth.group = Some(group.to_owned());
        case.said.female = female;
        let confidence = female.max(1.0 - female);
        case.said.gender.confidence = confidence;
        case.said.gender.value = match (confidence >= 0.8, female >= 0.5) {
            (false, _) => Told::Unknown,
            (true, true) => Told::Female,
            (true, false) => Told::Male,
        };
        case
    }

    #[test]
    fn right_kept_and_right_of_those_kept_for_all_and_for_adults() {
        let cases = [
            told(Gender::Female, 0.88, 30.0, "a"),
            told(Gender::Female, 0.62, 40.0, "a"),
            told(Gender::Male, 0.72, 50.0, "b"),
            told(Gender::Male, 0.95, 9.0, "b"),
        ];
        let report = GenderReport::new(&cases, 0.8, 1).unwrap();
        assert_eq!((report.all.accuracy.right, report.all.accuracy.of), (2, 4));
        assert_eq!((report.all.kept.right, report.all.accuracy_kept.right), (2, 1));
        let adults = report.adults.unwrap();
        assert_eq!((adults.accuracy.right, adults.accuracy.of, adults.kept.right), (2, 3, 1));
        assert_eq!(adults.accuracy_kept.share, Some(1.0));
        assert_eq!((adults.kept_by_group["a"].right, adults.kept_by_group["b"].right), (1, 0));
        assert_eq!(adults.genders.groups["female"].share, Some(1.0));
        assert_eq!(adults.genders.groups["male"].share, Some(0.0));
        // Confidences 0.88 right, 0.62 right, 0.72 wrong: bins of one, errors 0.12, 0.38, 0.72.
        assert!((adults.calibration.ece.unwrap() - 1.22 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn without_labels_nothing_is_said() {
        assert!(GenderReport::new(&[case()], 0.8, 1).is_none());
    }
}
