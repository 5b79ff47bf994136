//! From what networks say to what is true: measured corrections of gender and age.
//!
//! They belong to the networks they were measured on, which are known by name; a network of somebody else's is taken at its
//! word, with a wide interval.

use super::{
    constants::{AGE_MARGIN, FACERES_MARGIN, INTERVAL_DEVIATIONS, LOOK_DEVIATION},
    framing::Framing,
};
use crate::decode::age_gender::Estimate;

/// A look at a face after calibration.
#[derive(Clone, Copy)]
pub(super) struct Calibrated {
    /// Log-odds of female.
    pub(super) logit: f32,
    pub(super) years: f32,
    /// What the minors' rule goes by: the least years that any of the networks gave, not corrected.
    pub(super) cautious_years: f32,
}

/// How one network, or two whose answers are joined, are shown faces and corrected.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Calibration {
    /// How each network is shown a face, and with which margin (see [`Framing::cut`]).
    pub(super) framing: [(Framing, f32); 2],
    gender: GenderFit,
    age: AgeFit,
    /// Least probability of a gender that is told, where the user sets none.
    pub(super) gender_threshold: f32,
}

/// Log-odds of female: weights times each network's, plus an offset; for young faces, which networks know less of, times a
/// slope plus another offset.
#[derive(Clone, Copy, PartialEq)]
struct GenderFit {
    weights: [f32; 2],
    offset: f32,
    young_slope: f32,
    young_offset: f32,
}

#[derive(Clone, Copy, PartialEq)]
struct AgeFit {
    /// Of each network's years, summing up to 1.
    weights: [f32; 2],
    /// Estimated and true years, rising; straight lines between, and on beyond the ends at the same distance.
    map: &'static [(f32, f32)],
    /// Standard deviation in years of the truth around one look at a well-seen face, at estimated years, likewise; constant
    /// beyond the ends.
    deviation: &'static [(f32, f32)],
    /// How many times as wide as a normal distribution's the interval has to be to hold what it claims.
    widening: f32,
}

/// Gender is "young" entirely from this estimated age down, and not at all from the second on.
const YOUNG: (f32, f32) = (15.0, 25.0);

// Fitted on the 356 even-numbered faces of FairFace (Lab) that YuNet finds, by maximum likelihood; of gender with a pull of the
// weights towards those of networks taken at their word, as strong as costs at most 1 % of the likelihood of faces left
// out (five-fold cross-validation): without it the fit is a quarter too sure of faces that it has not seen. What is said of each
// was measured on the 380 odd-numbered ones; `facialads eval faces` measures what is in force, with intervals, on any labels.

/// Both networks, joined: gender of adults 86.8 % right; from the threshold on, 96.1 % of the 77.4 % kept; expected calibration
/// error 0.041; age groups exact / one off 48 / 91 %, mean error 6.6 years, the 80 % interval holds 78.6 %.
const JOINED: Calibration = Calibration {
    framing: [(Framing::Upright, FACERES_MARGIN), (Framing::Upright, AGE_MARGIN)],
    gender: GenderFit { weights: [0.920, 0.598], offset: 1.831, young_slope: 1.088, young_offset: -1.565 },
    age: AgeFit {
        weights: [0.3272, 0.6728],
        map: &[(0.0, 0.08), (30.0, 31.35), (50.0, 50.50), (100.0, 99.02)],
        // 0.9 times the fit's (5.16 and 10.58): the fit saw all faces, and those seen badly are thrown away here. On the even faces
        // that are left age groups are then as likely as they are said to be, and the interval holds what it claims.
        deviation: &[(0.0, 4.65), (80.0, 9.52)],
        widening: 1.18,
    },
    gender_threshold: 0.8,
};

/// `age-gender` alone: gender of adults 86.1 % right; from the threshold on, 96.8 % of the 57.9 % kept; error 0.039; age groups
/// 45 / 90 %, mean error 6.9 years, the interval holds 77.3 %.
const AGE_GENDER: Calibration = Calibration {
    framing: [(Framing::Upright, AGE_MARGIN); 2],
    gender: GenderFit { weights: [1.212, 0.0], offset: 1.698, young_slope: 0.809, young_offset: -1.079 },
    age: AgeFit {
        weights: [1.0, 0.0],
        map: &[(0.0, 0.0), (30.0, 33.39), (50.0, 51.60), (100.0, 82.70)],
        deviation: &[(0.0, 4.74), (80.0, 10.91)],
        widening: 1.1,
    },
    gender_threshold: 0.9,
};

/// `faceres` alone: gender of adults 85.7 % right; from the threshold on, 95.7 % of the 70.3 % kept; error 0.061; age groups
/// 43 / 85 %, mean error 7.5 years, the interval holds 77.1 %.
const FACERES: Calibration = Calibration {
    framing: [(Framing::Upright, FACERES_MARGIN); 2],
    gender: GenderFit { weights: [1.413, 0.0], offset: 1.545, young_slope: 1.008, young_offset: -1.232 },
    age: AgeFit {
        weights: [1.0, 0.0],
        map: &[(0.0, 0.0), (30.0, 28.20), (50.0, 53.35), (100.0, 92.90)],
        deviation: &[(0.0, 7.19), (80.0, 9.79)],
        widening: 1.1,
    },
    gender_threshold: 0.85,
};

/// Nothing is known about the network: it is taken at its word. Deviation: UTKFace mean absolute error 5.3 (MODELS), times
/// sqrt(pi / 2).
const UNKNOWN: Calibration = Calibration {
    framing: [(Framing::Box, AGE_MARGIN); 2],
    gender: GenderFit { weights: [1.0, 0.0], offset: 0.0, young_slope: 1.0, young_offset: 0.0 },
    age: AgeFit { weights: [1.0, 0.0], map: &[], deviation: &[(0.0, 6.6)], widening: 1.0 },
    gender_threshold: 0.85,
};

impl Calibration {
    /// For networks of these names, in this order; `second`: the other one that every face is shown to.
    pub(super) fn of(first: &str, second: Option<&str>) -> Self {
        match (first, second) {
            ("faceres", Some("age-gender")) => JOINED,
            ("faceres", None) => FACERES,
            ("age-gender", None) => AGE_GENDER,
            _ => UNKNOWN,
        }
    }

    /// Joins what the networks said of the same look: one estimate of each, already the mean over crops.
    pub(super) fn apply(&self, first: Averaged, second: Option<Averaged>) -> Calibrated {
        let GenderFit { weights: [a, b], offset, young_slope, young_offset } = self.gender;
        let [c, d] = self.age.weights;
        let (logit, years, least) = match second {
            Some(second) => (
                a * first.logit + b * second.logit,
                c * first.years + d * second.years,
                first.years.min(second.years),
            ),
            None => (a * first.logit, first.years, first.years),
        };
        let logit = logit + offset;
        let young = ((YOUNG.1 - years) / (YOUNG.1 - YOUNG.0)).clamp(0.0, 1.0);
        Calibrated {
            logit: (1.0 - young) * logit + young * (young_slope * logit + young_offset),
            years: self.true_years(years),
            cautious_years: least,
        }
    }

    /// What an estimate of this many years stands for.
    fn true_years(&self, years: f32) -> f32 {
        match self.age.map {
            [] => years,
            map => interpolate(map, years),
        }
        .max(0.0)
    }

    /// Standard deviation of the truth around `years` after looks that are worth `looks` well-seen ones: what the person's
    /// face is off by stays, what the single looks are off by goes.
    pub(super) fn deviation(&self, years: f32, looks: f32) -> f32 {
        let one_look = match self.age.deviation {
            [.., (last, deviation)] if years >= *last => *deviation,
            [(first, deviation), ..] if years <= *first => *deviation,
            knots => interpolate(knots, years),
        };
        let of_looks = LOOK_DEVIATION.powi(2) * (1.0 / looks.max(f32::MIN_POSITIVE) - 1.0);
        (one_look.powi(2) + of_looks).max(1.0).sqrt()
    }

    /// Half the width of the interval at a standard deviation.
    pub(super) fn half_interval(&self, deviation: f32) -> f32 {
        INTERVAL_DEVIATIONS * self.age.widening * deviation
    }
}

/// Straight lines between `knots` (at least one; first values rising), and parallels to the diagonal beyond the ends.
fn interpolate(knots: &[(f32, f32)], x: f32) -> f32 {
    let (Some(first), Some(last)) = (knots.first(), knots.last()) else { return x };
    if x <= first.0 {
        return first.1 + (x - first.0);
    }
    for pair in knots.windows(2) {
        if let [(x0, y0), (x1, y1)] = pair
            && x <= *x1
        {
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0).max(f32::EPSILON);
        }
    }
    last.1 + (x - last.0)
}

/// The mean of one network's estimates of several crops of one look: of years, and of log-odds.
#[derive(Clone, Copy)]
pub(super) struct Averaged {
    pub(super) logit: f32,
    pub(super) years: f32,
}

impl Averaged {
    /// `None` for no estimates.
    pub(super) fn over(estimates: &[Estimate]) -> Option<Self> {
        if estimates.is_empty() {
            return None;
        }
        let count = estimates.len() as f32;
        Some(Self {
            logit: estimates.iter().map(Estimate::logit).sum::<f32>() / count,
            years: estimates.iter().map(|e| e.years).sum::<f32>() / count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(years: f32, logit: f32) -> Averaged {
        Averaged { years, logit }
    }

    #[test]
    fn a_network_that_nobody_measured_is_taken_at_its_word() {
        let unknown = Calibration::of("somebody's", None);
        let look = unknown.apply(said(17.5, -0.3), None);
        assert_eq!((look.years, look.logit, look.cautious_years), (17.5, -0.3, 17.5));
    }

    #[test]
    fn both_networks_are_joined_and_the_minors_rule_goes_by_the_younger_estimate() {
        let joined = Calibration::of("faceres", Some("age-gender"));
        let look = joined.apply(said(24.0, -1.0), Some(said(36.0, 0.5)));
        // 0.3272 * 24 + 0.6728 * 36 is 32.07, which stands for 33.34.
        assert!((look.years - 33.34).abs() < 0.01, "{}", look.years);
        assert!((look.logit - (-0.920 + 0.299 + 1.831)).abs() < 1e-4);
        assert_eq!(look.cautious_years, 24.0);
    }

    #[test]
    fn the_gender_of_young_faces_is_told_with_less_certainty() {
        let joined = Calibration::of("faceres", Some("age-gender"));
        let logit = |years: f32| joined.apply(said(years, 1.0), Some(said(years, 1.0))).logit;
        assert_eq!(logit(26.0), logit(60.0));
        assert!(logit(20.0) < logit(26.0) && logit(10.0) < logit(20.0));
        assert_eq!(logit(14.0), logit(3.0));
    }

    #[test]
    fn maps_rise_and_deviations_shrink_with_looks_down_to_the_persons() {
        for calibration in [JOINED, AGE_GENDER, FACERES, UNKNOWN] {
            let ages: Vec<f32> = (5..1200).map(|i| calibration.true_years(i as f32 / 10.0)).collect();
            assert!(ages.windows(2).all(|pair| pair[0] < pair[1]));
            assert!((calibration.age.weights.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            for years in [1.0, 30.0, 95.0] {
                let deviation = |looks| calibration.deviation(years, looks);
                assert!(deviation(0.2) > deviation(1.0) && deviation(1.0) > deviation(50.0));
                assert!(deviation(1e6) > 4.0);
            }
        }
    }
}
