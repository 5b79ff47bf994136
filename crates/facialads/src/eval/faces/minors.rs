//! The minors' rule: who passes it that should not, and who still does that should.

use super::Case;
use crate::eval::metrics::{
    interval::{BIN_NAMES, Truth},
    share::Share,
};
use serde::{Deserialize, Serialize};

/// After a single look at each face; in a clip more looks are taken before anybody passes, and one veto is final.
#[derive(Serialize, Deserialize)]
pub struct MinorsReport {
    /// Who counts as a minor here: "under 18", "in a bin under 20", or both.
    pub who: String,
    /// The leak: minors who pass without an adult declaration …
    pub undeclared: Share,
    /// … and with one.
    pub declared: Share,
    /// People of 20 and over who pass.
    pub adults_undeclared: Share,
    pub adults_declared: Share,
    /// The same for each of the nine bins.
    pub by_bin: Vec<PassesOfBin>,
}

#[derive(Serialize, Deserialize)]
pub struct PassesOfBin {
    pub bin: String,
    pub undeclared: Share,
    pub declared: Share,
}

impl MinorsReport {
    pub fn new(cases: &[Case]) -> Option<Self> {
        let aged: Vec<(Truth, bool, bool)> = cases
            .iter()
            .filter_map(|case| {
                Some((case.truth.age?, case.said.passes_undeclared, case.said.passes_declared))
            })
            .collect();
        if aged.is_empty() {
            return None;
        }
        let shares = |is: &dyn Fn(&Truth) -> bool| {
            let mine = || aged.iter().filter(|(truth, ..)| is(truth));
            (Share::of(mine().map(|(_, passes, _)| *passes)), Share::of(mine().map(|(.., passes)| *passes)))
        };
        let (undeclared, declared) = shares(&Truth::is_minor);
        let (adults_undeclared, adults_declared) = shares(&Truth::is_adult);
        let of_bin = |(bin, name): (usize, &&str)| {
            let (undeclared, declared) = shares(&|truth| truth.bin() == Some(bin));
            (undeclared.of > 0).then(|| PassesOfBin { bin: (*name).to_owned(), undeclared, declared })
        };
        Some(Self {
            who: who(&aged),
            undeclared,
            declared,
            adults_undeclared,
            adults_declared,
            by_bin: BIN_NAMES.iter().enumerate().filter_map(of_bin).collect(),
        })
    }
}

fn who(aged: &[(Truth, bool, bool)]) -> String {
    let numbers = aged.iter().filter(|(truth, ..)| matches!(truth, Truth::Years(_))).count();
    let words = match numbers {
        0 => "in a bin under 20",
        all if all == aged.len() => "under 18",
        _ => "under 18 or in a bin under 20",
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::testing::case;
    use super::*;

    fn judged(low: f64, undeclared: bool, declared: bool) -> Case {
        let mut case = case();
        case.truth.age = Some(Truth::Bin { low, high: low + 10.0 });
        (case.said.passes_undeclared, case.said.passes_declared) = (undeclared, declared);
        case
    }

    #[test]
    fn the_leak_and_the_adults_that_are_left() {
        let cases = [
            judged(10.0, false, true),
            judged(10.0, false, false),
            judged(20.0, true, true),
            judged(30.0, false, true),
        ];
        let report = MinorsReport::new(&cases).unwrap();
        assert_eq!(report.who, "in a bin under 20");
        assert_eq!((report.undeclared.right, report.undeclared.of, report.declared.right), (0, 2, 1));
        assert_eq!((report.adults_undeclared.share, report.adults_declared.share), (Some(0.5), Some(1.0)));
        let bins: Vec<&str> = report.by_bin.iter().map(|bin| bin.bin.as_str()).collect();
        assert_eq!(bins, ["10-19", "20-29", "30-39"]);
        assert!(MinorsReport::new(&[case()]).is_none());
    }
}
