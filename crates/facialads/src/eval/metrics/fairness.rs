//! Whether a network serves some people worse than others.

use super::{random::Random, share::Share, spread};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often is drawn anew for an interval.
pub const RESAMPLES: usize = 2000;
/// A group with fewer faces than this says nothing about a gap: it is listed, and left out of it.
pub const LEAST: u64 = 10;

/// Accuracy by group and the distance between the best and the worst served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    pub groups: BTreeMap<String, Share>,
    /// Nothing with fewer than two groups of at least [`LEAST`].
    pub gap: Option<Gap>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Accuracy of the best group less that of the worst, 0..=1.
    pub gap: f64,
    pub best: String,
    pub worst: String,
    /// Percentile bootstrap, 95 %: each group's faces are drawn anew, as many as there are (B. Efron, Bootstrap methods,
    /// 1979). The largest of several noisy differences grows with the noise, so on small groups the interval lies high;
    /// `chance_mean` says by how much a gap opens by itself.
    pub low: f64,
    pub high: f64,
    /// Mean gap after shuffling right and wrong between the groups: what groups of these sizes would show if all were
    /// served alike.
    pub chance_mean: f64,
    /// Part of the shuffles whose gap is at least this large: small where chance does not explain it.
    pub chance: f64,
    pub resamples: usize,
}

/// `faces`: the group of each and whether its answer was right.
pub fn fairness<'a>(faces: impl IntoIterator<Item = (&'a str, bool)>, seed: u64) -> Fairness {
    let mut by_group: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    for (group, right) in faces {
        by_group.entry(group.to_owned()).or_default().push(right);
    }
    let groups = by_group.iter().map(|(name, all)| (name.clone(), Share::of(all.iter().copied()))).collect();
    let compared: Vec<(String, Vec<bool>)> =
        by_group.into_iter().filter(|(_, all)| all.len() as u64 >= LEAST).collect();
    Fairness { groups, gap: gap(&compared, seed) }
}

fn gap(groups: &[(String, Vec<bool>)], seed: u64) -> Option<Gap> {
    if groups.len() < 2 {
        return None;
    }
    let observed: Vec<f64> = groups.iter().map(|(_, all)| accuracy(all)).collect();
    let order = |a: &usize, b: &usize| observed[*a].total_cmp(&observed[*b]);
    let (worst, best) = ((0..groups.len()).min_by(order)?, (0..groups.len()).max_by(order)?);
    let gap = observed[best] - observed[worst];

    let mut random = Random::new(seed);
    let drawn: Vec<f64> = (0..RESAMPLES)
        .map(|_| distance(groups.iter().map(|(_, all)| resampled_accuracy(all, &mut random))))
        .collect();
    let mut pool: Vec<bool> = groups.iter().flat_map(|(_, all)| all).copied().collect();
    let shuffled: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            random.shuffle(&mut pool);
            let mut rest = pool.as_slice();
            distance(groups.iter().map(|(_, all)| {
                let (mine, others) = rest.split_at(all.len().min(rest.len()));
                rest = others;
                accuracy(mine)
            }))
        })
        .collect();
    // A hair below, so that rounding does not hide equal gaps.
    let as_large = shuffled.iter().filter(|chance| **chance >= gap - 1e-12).count();
    Some(Gap {
        gap,
        best: groups[best].0.clone(),
        worst: groups[worst].0.clone(),
        low: spread::quantile(&drawn, 0.025)?,
        high: spread::quantile(&drawn, 0.975)?,
        chance_mean: spread::mean(&shuffled)?,
        chance: as_large as f64 / RESAMPLES as f64,
        resamples: RESAMPLES,
    })
}

fn accuracy(all: &[bool]) -> f64 {
    all.iter().filter(|right| **right).count() as f64 / all.len().max(1) as f64
}

fn resampled_accuracy(all: &[bool], random: &mut Random) -> f64 {
    let right = (0..all.len()).filter(|_| all[random.below(all.len())]).count();
    right as f64 / all.len().max(1) as f64
}

/// Largest less smallest.
fn distance(accuracies: impl Iterator<Item = f64>) -> f64 {
    let (low, high) = accuracies
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    high - low
}

#[cfg(test)]
mod tests {
    use super::super::near;
    use super::*;

    fn faces(groups: &[(&'static str, usize, usize)]) -> Vec<(&'static str, bool)> {
        groups.iter().flat_map(|(name, right, of)| (0..*of).map(move |i| (*name, i < *right))).collect()
    }

    #[test]
    fn the_gap_lies_between_the_best_and_the_worst_group_that_are_large_enough() {
        let result = fairness(faces(&[("a", 90, 100), ("b", 70, 100), ("c", 80, 100), ("few", 0, 9)]), 1);
        let gap = result.gap.unwrap();
        assert!(near(gap.gap, 0.2));
        assert_eq!((gap.best.as_str(), gap.worst.as_str()), ("a", "b"));
        assert!(gap.low > 0.08 && gap.low < 0.15 && gap.high > 0.27 && gap.high < 0.35, "{gap:?}");
        assert!(gap.chance < 0.01, "{gap:?}");
        assert_eq!(result.groups["few"].of, 9);
    }

    #[test]
    fn the_interval_is_the_same_for_the_same_seed_only() {
        let faces = faces(&[("a", 45, 50), ("b", 40, 50)]);
        let with = |seed| fairness(faces.clone(), seed);
        assert_eq!(with(7), with(7));
        assert_ne!(with(7), with(8));
    }

    #[test]
    fn groups_served_alike_show_a_gap_that_chance_explains() {
        let gap = fairness(faces(&[("a", 18, 20), ("b", 18, 20), ("c", 18, 20)]), 3).gap.unwrap();
        assert!(gap.gap == 0.0 && gap.chance == 1.0 && gap.chance_mean > 0.05, "{gap:?}");
        assert!(fairness(faces(&[("alone", 18, 20)]), 3).gap.is_none());
        assert!(fairness(faces(&[]), 3).groups.is_empty());
    }
}
