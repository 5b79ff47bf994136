//! Ages: how far an estimate is from a label, and whether an interval holds what it claims to.
//!
//! A label is a number of years or a bin. A bin is written by its whole years, "20-29", and holds every age from 20 up to
//! the thirtieth birthday. An open bin, "70+", is taken to end at 90 where it needs an end (its share that an interval
//! covers, its midpoint), and to be endless where it does not (the distance to it).

/// Where an open bin ends where it needs an end: few people in public collections are older.
pub const OPEN_END: f64 = 90.0;

/// Lower ends of the nine bins that ages are told in: 0-2, 3-9, 10-19, … 60-69, 70+ (those of FairFace).
pub const BINS: [f64; 9] = [0.0, 3.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0];
pub const BIN_NAMES: [&str; 9] = ["0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+"];

/// The bin of an age in years; ages below 0 are in the first.
pub fn bin_of(years: f64) -> usize {
    BINS.iter().rposition(|low| years >= *low).unwrap_or(0)
}

/// A true age.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Truth {
    Years(f64),
    /// From `low` to just below `high`; open above where that is infinite.
    Bin {
        low: f64,
        high: f64,
    },
}

impl Truth {
    /// Ends of the bin, an open one at [`OPEN_END`].
    fn closed(low: f64, high: f64) -> (f64, f64) {
        (low, if high.is_finite() { high } else { OPEN_END.max(low + 1.0) })
    }

    /// Years between an estimate and the truth; 0 inside a bin.
    pub fn distance(&self, years: f64) -> f64 {
        match *self {
            Self::Years(truth) => (years - truth).abs(),
            Self::Bin { low, high } => (low - years).max(years - high).max(0.0),
        }
    }

    /// Years between an estimate and the truth, a bin standing for its midpoint.
    pub fn distance_to_midpoint(&self, years: f64) -> f64 {
        (years - self.midpoint()).abs()
    }

    pub fn midpoint(&self) -> f64 {
        match *self {
            Self::Years(truth) => truth,
            Self::Bin { low, high } => {
                let (low, high) = Self::closed(low, high);
                f64::midpoint(low, high)
            }
        }
    }

    /// Which of the nine bins the truth lies in; nothing for a bin that lies across several.
    pub fn bin(&self) -> Option<usize> {
        match *self {
            Self::Years(truth) => Some(bin_of(truth)),
            Self::Bin { low, high } => {
                let first = bin_of(low);
                let end = BINS.get(first + 1).copied().unwrap_or(f64::INFINITY);
                (high <= end).then_some(first)
            }
        }
    }

    /// Probability that the truth lies in `from..=to`: 0 or 1 for a number; of a bin, in which every age is taken to be as
    /// likely, the part that the interval covers, |bin ∩ interval| / |bin|.
    pub fn covered(&self, from: f64, to: f64) -> f64 {
        match *self {
            Self::Years(truth) => f64::from(from <= truth && truth <= to),
            Self::Bin { low, high } => {
                let (low, high) = Self::closed(low, high);
                ((to.min(high) - from.max(low)) / (high - low)).clamp(0.0, 1.0)
            }
        }
    }

    /// Whether the interval and the truth have an age in common.
    pub fn touched(&self, from: f64, to: f64) -> bool {
        match *self {
            Self::Years(truth) => from <= truth && truth <= to,
            Self::Bin { low, high } => from < high && to >= low,
        }
    }

    /// Under 18 by a number; by a bin, which seldom ends there, wholly under 20.
    pub fn is_minor(&self) -> bool {
        match *self {
            Self::Years(truth) => truth < 18.0,
            Self::Bin { high, .. } => high <= 20.0,
        }
    }

    /// Surely 20 or older.
    pub fn is_adult(&self) -> bool {
        match *self {
            Self::Years(years) | Self::Bin { low: years, .. } => years >= 20.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::near;
    use super::*;

    const TWENTIES: Truth = Truth::Bin { low: 20.0, high: 30.0 };
    const OLD: Truth = Truth::Bin { low: 70.0, high: f64::INFINITY };

    #[test]
    fn distances_to_a_bin_and_to_its_midpoint() {
        assert_eq!((TWENTIES.distance(26.0), TWENTIES.distance_to_midpoint(26.0)), (0.0, 1.0));
        assert_eq!((TWENTIES.distance(17.0), TWENTIES.distance_to_midpoint(17.0)), (3.0, 8.0));
        assert_eq!((TWENTIES.distance(34.0), TWENTIES.distance_to_midpoint(34.0)), (4.0, 9.0));
        assert_eq!((OLD.distance(95.0), OLD.distance(60.0), OLD.midpoint()), (0.0, 10.0, 80.0));
        assert_eq!(Truth::Years(40.0).distance(33.5), 6.5);
    }

    #[test]
    fn coverage_of_a_bin_is_the_part_that_the_interval_covers() {
        assert!(near(TWENTIES.covered(25.0, 40.0), 0.5));
        assert!(near(TWENTIES.covered(22.0, 24.0), 0.2));
        assert!(near(TWENTIES.covered(10.0, 50.0), 1.0));
        assert!(near(TWENTIES.covered(31.0, 50.0), 0.0));
        assert!(near(OLD.covered(60.0, 75.0), 0.25));
        assert_eq!(
            (Truth::Years(30.0).covered(20.0, 30.0), Truth::Years(31.0).covered(20.0, 30.0)),
            (1.0, 0.0)
        );
        assert!(
            TWENTIES.touched(29.9, 40.0) && !TWENTIES.touched(30.0, 40.0) && TWENTIES.touched(10.0, 20.0)
        );
    }

    #[test]
    fn bins_are_those_of_the_product_or_lie_inside_one() {
        assert_eq!((bin_of(19.99), bin_of(20.0), bin_of(99.0), bin_of(-1.0)), (2, 3, 8, 0));
        assert_eq!(TWENTIES.bin(), Some(3));
        assert_eq!(OLD.bin(), Some(8));
        assert_eq!(Truth::Bin { low: 25.0, high: 33.0 }.bin(), None, "Adience's 25-32 lies across two");
        assert_eq!(Truth::Bin { low: 4.0, high: 7.0 }.bin(), Some(1));
    }

    #[test]
    fn minors_and_adults() {
        let teens = Truth::Bin { low: 10.0, high: 20.0 };
        assert!(teens.is_minor() && !teens.is_adult() && TWENTIES.is_adult() && !TWENTIES.is_minor());
        assert!(Truth::Years(17.0).is_minor() && !Truth::Years(18.0).is_minor());
        assert!(!Truth::Years(18.0).is_adult() && Truth::Years(20.0).is_adult());
        let across = Truth::Bin { low: 15.0, high: 21.0 };
        assert!(!across.is_minor() && !across.is_adult());
    }
}
