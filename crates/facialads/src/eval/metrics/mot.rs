//! Following: the CLEAR MOT figures.
//!
//! K. Bernardin, R. Stiefelhagen, Evaluating multiple object tracking performance: the CLEAR MOT metrics, EURASIP Journal on
//! Image and Video Processing, 2008; the counting of fragmentations as in L. Leal-Taixé et al., MOTChallenge 2015.

use super::{assignment::greatest_gain, spread};
use facialads_vision::Rect;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Someone on one frame: who, and where (pixels).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    pub id: i64,
    pub bounds: Rect,
    /// Following it is no merit and missing it no fault.
    pub ignored: bool,
}

/// What there was and what was followed, on one frame.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    pub truth: Vec<Seen>,
    pub tracks: Vec<Seen>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClearMot {
    /// Boxes of people, over all frames.
    pub boxes: u64,
    pub matched: u64,
    pub misses: u64,
    pub false_positives: u64,
    /// A person goes on under another id than before.
    pub id_switches: u64,
    /// A person who was followed is lost and found again.
    pub fragmentations: u64,
    /// 1 − (misses + false positives + id switches) / boxes; below 0 if there are more errors than boxes.
    pub mota: Option<f64>,
    /// Mean overlap (IoU) of what was matched.
    pub motp: Option<f64>,
    /// For each person: frame of the first box, and of the first match.
    #[serde(skip)]
    pub first: BTreeMap<i64, (usize, Option<usize>)>,
}

/// `iou`: least overlap of a match. A pair that matched on the frame before stays a pair while it overlaps enough; the rest
/// is paired for the greatest total overlap.
pub fn clear_mot(scenes: &[Scene], iou: f32) -> ClearMot {
    let mut result = ClearMot {
        boxes: 0,
        matched: 0,
        misses: 0,
        false_positives: 0,
        id_switches: 0,
        fragmentations: 0,
        mota: None,
        motp: None,
        first: BTreeMap::new(),
    };
    let mut overlaps = Vec::new();
    let mut before: BTreeMap<i64, i64> = BTreeMap::new();
    let mut last_track: BTreeMap<i64, i64> = BTreeMap::new();
    // People who have been followed and are now missed.
    let mut lost: BTreeMap<i64, bool> = BTreeMap::new();
    for (frame, scene) in scenes.iter().enumerate() {
        let pairs = pair(scene, &before, iou);
        before.clear();
        for (index, person) in scene.truth.iter().enumerate() {
            let matched =
                pairs.iter().find(|(truth, _)| *truth == index).map(|(_, track)| &scene.tracks[*track]);
            if let Some(track) = matched {
                before.insert(person.id, track.id);
            }
            if person.ignored {
                continue;
            }
            result.boxes += 1;
            let first = result.first.entry(person.id).or_insert((frame, None));
            let Some(track) = matched else {
                result.misses += 1;
                if let Some(lost) = lost.get_mut(&person.id) {
                    *lost = true;
                }
                continue;
            };
            first.1 = first.1.or(Some(frame));
            result.matched += 1;
            overlaps.push(f64::from(person.bounds.iou(&track.bounds)));
            let was_lost = lost.insert(person.id, false);
            result.fragmentations += u64::from(was_lost == Some(true));
            let previous = last_track.insert(person.id, track.id);
            result.id_switches += u64::from(previous.is_some_and(|id| id != track.id));
        }
        result.false_positives += (0..scene.tracks.len())
            .filter(|track| pairs.iter().all(|(_, paired)| paired != track))
            .filter(|track| !on_ignored(scene, *track, iou))
            .count() as u64;
    }
    let errors = result.misses + result.false_positives + result.id_switches;
    result.mota = (result.boxes > 0).then(|| 1.0 - errors as f64 / result.boxes as f64);
    result.motp = spread::mean(&overlaps);
    result
}

fn on_ignored(scene: &Scene, track: usize, iou: f32) -> bool {
    let bounds = &scene.tracks[track].bounds;
    scene.truth.iter().any(|person| person.ignored && person.bounds.iou(bounds) >= iou)
}

/// Pairs (index of the truth, index of the track).
fn pair(scene: &Scene, before: &BTreeMap<i64, i64>, iou: f32) -> Vec<(usize, usize)> {
    let overlap = |t: usize, k: usize| scene.truth[t].bounds.iou(&scene.tracks[k].bounds);
    let mut pairs = Vec::new();
    for (index, person) in scene.truth.iter().enumerate() {
        let kept =
            before.get(&person.id).and_then(|id| scene.tracks.iter().position(|track| track.id == *id));
        if let Some(track) = kept.filter(|track| overlap(index, *track) >= iou) {
            pairs.push((index, track));
        }
    }
    let rest =
        |count: usize, used: Vec<usize>| -> Vec<usize> { (0..count).filter(|i| !used.contains(i)).collect() };
    let people = rest(scene.truth.len(), pairs.iter().map(|(truth, _)| *truth).collect());
    let tracks = rest(scene.tracks.len(), pairs.iter().map(|(_, track)| *track).collect());
    // One more for each pair comes before any gain in overlap.
    let gain = |t: usize, k: usize| {
        let overlap = overlap(people[t], tracks[k]);
        if overlap >= iou { 1000.0 + f64::from(overlap) } else { 0.0 }
    };
    let found = greatest_gain(people.len(), tracks.len(), gain);
    pairs.extend(found.into_iter().map(|(t, k)| (people[t], tracks[k])));
    pairs
}

#[cfg(test)]
mod tests {
    use super::super::near;
    use super::*;

    pub(crate) fn seen(id: i64, x: f32) -> Seen {
        Seen { id, bounds: Rect::new(x, 0.0, 10.0, 10.0), ignored: false }
    }
    fn scene(truth: &[(i64, f32)], tracks: &[(i64, f32)]) -> Scene {
        let all = |from: &[(i64, f32)]| from.iter().map(|(id, x)| seen(*id, *x)).collect();
        Scene { truth: all(truth), tracks: all(tracks) }
    }

    #[test]
    fn a_faultless_tracker_has_a_mota_of_one() {
        let scenes = vec![scene(&[(1, 0.0), (2, 50.0)], &[(7, 0.0), (8, 50.0)]); 3];
        let result = clear_mot(&scenes, 0.5);
        assert_eq!((result.mota, result.motp), (Some(1.0), Some(1.0)));
        assert_eq!((result.id_switches, result.fragmentations, result.matched), (0, 0, 6));
    }

    #[test]
    fn a_switch_a_miss_and_a_phantom_by_hand() {
        let scenes = [
            scene(&[(1, 0.0)], &[(7, 0.0)]),
            // Missed, and a phantom elsewhere.
            scene(&[(1, 1.0)], &[(9, 80.0)]),
            // Found again under another id: a fragmentation and a switch.
            scene(&[(1, 2.0)], &[(8, 2.0)]),
            scene(&[(1, 3.0)], &[(8, 3.0)]),
        ];
        let result = clear_mot(&scenes, 0.5);
        assert_eq!((result.misses, result.false_positives, result.id_switches), (1, 1, 1));
        assert_eq!((result.fragmentations, result.boxes), (1, 4));
        assert!(near(result.mota.unwrap(), 1.0 - 3.0 / 4.0));
        assert_eq!(result.first[&1], (0, Some(0)));
    }

    #[test]
    fn ids_that_swap_when_people_cross_are_two_switches() {
        let scenes = [
            scene(&[(1, 0.0), (2, 50.0)], &[(7, 0.0), (8, 50.0)]),
            scene(&[(1, 0.0), (2, 50.0)], &[(8, 0.0), (7, 50.0)]),
        ];
        assert_eq!(clear_mot(&scenes, 0.5).id_switches, 2);
    }

    #[test]
    fn a_pair_stays_while_it_overlaps_even_beside_a_better_one() {
        // Track 8 lies exactly on the person, but 7 was the pair and still overlaps enough.
        let scenes = [scene(&[(1, 0.0)], &[(7, 0.0)]), scene(&[(1, 2.0)], &[(8, 2.0), (7, 0.0)])];
        let result = clear_mot(&scenes, 0.5);
        assert_eq!((result.id_switches, result.false_positives), (0, 1));
    }

    #[test]
    fn an_ignored_person_counts_for_nothing() {
        let mut one = scene(&[(1, 0.0)], &[(7, 0.0), (9, 0.5)]);
        one.truth[0].ignored = true;
        let result = clear_mot(&[one], 0.5);
        assert_eq!((result.boxes, result.false_positives, result.mota), (0, 0, None));
    }
}
