//! Age: how far off, in which bin, and whether the interval holds what it claims.

use super::Case;
use crate::eval::metrics::{
    bootstrap::{self, Mean},
    calibration::{Calibration, calibration},
    interval::{BIN_NAMES, Truth, bin_of},
    share::Share,
    spread,
};
use facialads_vision::face::Described;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct AgeReport {
    pub n: u64,
    /// Mean distance in years to labels that are numbers.
    pub mae: Option<Mean>,
    /// Mean distance in years to labels that are bins: to the nearest age of the bin …
    pub distance_to_bin: Option<Mean>,
    /// … and to its midpoint.
    pub distance_to_midpoint: Option<Mean>,
    /// The estimate in years lies in the true one of the nine bins. Labels that lie across several are left out.
    pub exact: Share,
    /// In it or in a neighbour.
    pub within_one: Share,
    /// The likeliest of the nine bins is the true one.
    pub likeliest: Share,
    /// Of the likeliest bin.
    pub calibration: Calibration,
    pub interval: Interval,
    pub by_bin: Vec<OfBin>,
}

/// Whether the interval that is told holds the true age.
#[derive(Serialize, Deserialize)]
pub struct Interval {
    /// Mean of what the intervals claim.
    pub claimed: f64,
    /// Part of them that holds the truth; a bin counts by the part of it that the interval covers.
    pub coverage: Option<Mean>,
    /// The interval and the label have an age in common.
    pub touches: Share,
    /// Mean width in years.
    pub width: f64,
}

/// Faces of one of the nine bins.
#[derive(Serialize, Deserialize)]
pub struct OfBin {
    pub bin: String,
    pub n: u64,
    /// Mean distance to the label (to its midpoint, where it is a bin), in years.
    pub distance: f64,
    /// Mean of estimate less label: positive where people are made older.
    pub bias: f64,
    pub coverage: f64,
}

fn ends(said: &Described) -> (f64, f64) {
    (f64::from(said.age.low), f64::from(said.age.high))
}

fn years(said: &Described) -> f64 {
    f64::from(said.age.years)
}

impl AgeReport {
    pub fn new(cases: &[Case], seed: u64) -> Option<Self> {
        let aged: Vec<(Truth, &Described)> =
            cases.iter().filter_map(|case| Some((case.truth.age?, &case.said))).collect();
        if aged.is_empty() {
            return None;
        }
        let of_kind =
            |number: bool| aged.iter().filter(move |(truth, _)| matches!(truth, Truth::Years(_)) == number);
        let mean = |values: Vec<f64>| bootstrap::mean(&values, seed);
        let binned: Vec<(usize, &Described)> =
            aged.iter().filter_map(|(truth, said)| Some((truth.bin()?, *said))).collect();
        let predictions: Vec<(f64, bool)> = binned.iter().map(|(bin, said)| likeliest(said, *bin)).collect();
        Some(Self {
            n: aged.len() as u64,
            mae: mean(of_kind(true).map(|(truth, said)| truth.distance(years(said))).collect()),
            distance_to_bin: mean(of_kind(false).map(|(truth, said)| truth.distance(years(said))).collect()),
            distance_to_midpoint: mean(
                of_kind(false).map(|(truth, said)| truth.distance_to_midpoint(years(said))).collect(),
            ),
            exact: Share::of(binned.iter().map(|(bin, said)| bin_of(years(said)) == *bin)),
            within_one: Share::of(binned.iter().map(|(bin, said)| bin_of(years(said)).abs_diff(*bin) <= 1)),
            likeliest: Share::of(predictions.iter().map(|(_, right)| *right)),
            calibration: calibration(&predictions),
            interval: interval(&aged, seed),
            by_bin: (0..BIN_NAMES.len()).filter_map(|bin| of_bin(&aged, bin)).collect(),
        })
    }
}

/// Probability of the likeliest bin, and whether it is the true one.
fn likeliest(said: &Described, truth: usize) -> (f64, bool) {
    let bins = said.age_bins.iter().enumerate();
    let best = bins.max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or((0.0, false), |(bin, probability)| (f64::from(*probability), bin == truth))
}

fn interval(aged: &[(Truth, &Described)], seed: u64) -> Interval {
    let of_each = |value: &dyn Fn(&Described) -> f64| -> f64 {
        let all: Vec<f64> = aged.iter().map(|(_, said)| value(said)).collect();
        spread::mean(&all).unwrap_or_default()
    };
    let covered: Vec<f64> = aged
        .iter()
        .map(|(truth, said)| {
            let (low, high) = ends(said);
            truth.covered(low, high)
        })
        .collect();
    Interval {
        claimed: of_each(&|said| f64::from(said.age.confidence)),
        coverage: bootstrap::mean(&covered, seed),
        touches: Share::of(aged.iter().map(|(truth, said)| {
            let (low, high) = ends(said);
            truth.touched(low, high)
        })),
        width: of_each(&|said| f64::from(said.age.high - said.age.low)),
    }
}

fn of_bin(aged: &[(Truth, &Described)], bin: usize) -> Option<OfBin> {
    let mine: Vec<_> = aged.iter().filter(|(truth, _)| truth.bin() == Some(bin)).collect();
    let mean = |value: &dyn Fn(&Truth, &Described) -> f64| {
        spread::mean(&mine.iter().map(|(truth, said)| value(truth, said)).collect::<Vec<f64>>())
    };
    Some(OfBin {
        bin: BIN_NAMES[bin].to_owned(),
        n: mine.len() as u64,
        distance: mean(&|truth, said| truth.distance_to_midpoint(years(said)))?,
        bias: mean(&|truth, said| years(said) - truth.midpoint())?,
        coverage: mean(&|truth, said| truth.covered(ends(said).0, ends(said).1))?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::case;
    use super::*;
    use crate::eval::metrics::near;

    fn aged(truth: Truth, years: f32, low: f32, high: f32) -> Case {
        let mut case = case();
        case.truth.age = Some(truth);
        (case.said.age.years, case.said.age.low, case.said.age.high) = (years, low, high);
        case
    }

    #[test]
    fn distances_bins_and_coverage_by_hand() {
        let twenties = Truth::Bin { low: 20.0, high: 30.0 };
        let cases = [
            // In the bin; covers half of it. Its likeliest bin (30-39) is not the true one.
            aged(twenties, 28.0, 25.0, 35.0),
            // Two bins off; covers nothing.
            aged(twenties, 44.0, 40.0, 50.0),
        ];
        let report = AgeReport::new(&cases, 1).unwrap();
        assert!(near(report.distance_to_bin.unwrap().mean, 7.0));
        assert!(near(report.distance_to_midpoint.unwrap().mean, (3.0 + 19.0) / 2.0));
        assert!(report.mae.is_none());
        assert_eq!((report.exact.right, report.within_one.right, report.likeliest.right), (1, 1, 0));
        assert!(near(report.interval.coverage.unwrap().mean, 0.25));
        assert_eq!((report.interval.touches.right, report.interval.width), (1, 10.0));
        assert!((report.interval.claimed - 0.8).abs() < 1e-6);
        assert!(near(report.calibration.ece.unwrap(), 1.0), "sure and wrong");
        let [of_bin] = report.by_bin.as_slice() else { panic!("one bin") };
        assert_eq!((of_bin.bin.as_str(), of_bin.n, of_bin.bias), ("20-29", 2, 11.0));
    }

    #[test]
    fn numbers_give_a_mean_error() {
        let cases = [aged(Truth::Years(33.0), 30.0, 20.0, 40.0), aged(Truth::Years(21.0), 30.0, 25.0, 40.0)];
        let report = AgeReport::new(&cases, 1).unwrap();
        assert_eq!(report.mae.unwrap().mean, 6.0);
        assert!(report.distance_to_bin.is_none());
        assert_eq!(report.interval.coverage.unwrap().mean, 0.5);
        assert_eq!((report.exact.right, report.within_one.right), (1, 2));
        assert!(AgeReport::new(&[case()], 1).is_none());
    }
}
