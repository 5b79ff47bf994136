//! Following: whether it is the same id from beginning to end.

use super::{assignment::greatest_gain, mot::Scene};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// E. Ristani, F. Solera, R. Zou, R. Cucchiara, C. Tomasi, Performance measures and a data set for multi-target,
/// multi-camera tracking, ECCV workshops 2016: each person is given the one track, and each track the one person, with
/// which most boxes agree over the whole clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Boxes on which a person and its track agree.
    pub idtp: u64,
    /// Boxes of tracks that are not.
    pub idfp: u64,
    /// Boxes of people that are not.
    pub idfn: u64,
    /// 2·IDTP / (2·IDTP + IDFP + IDFN).
    pub idf1: Option<f64>,
    /// IDTP / (IDTP + IDFP).
    pub precision: Option<f64>,
    /// IDTP / (IDTP + IDFN).
    pub recall: Option<f64>,
}

/// `iou`: least overlap for boxes to agree. People who are ignored are left out, with whatever lies on them.
pub fn identity(scenes: &[Scene], iou: f32) -> Identity {
    let (mut people, mut tracks) = (BTreeMap::new(), BTreeMap::new());
    let mut agree: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let (mut of_people, mut of_tracks) = (0_u64, 0_u64);
    for scene in scenes {
        let counted: Vec<_> = scene.truth.iter().filter(|person| !person.ignored).collect();
        of_people += counted.len() as u64;
        for person in &counted {
            let next = people.len();
            people.entry(person.id).or_insert(next);
        }
        for track in &scene.tracks {
            let on = |person: &super::mot::Seen| person.bounds.iou(&track.bounds) >= iou;
            let mine: Vec<_> = counted.iter().filter(|person| on(person)).collect();
            if mine.is_empty() && scene.truth.iter().any(|person| person.ignored && on(person)) {
                continue;
            }
            of_tracks += 1;
            let next = tracks.len();
            let index = *tracks.entry(track.id).or_insert(next);
            for person in mine {
                if let Some(person) = people.get(&person.id) {
                    *agree.entry((*person, index)).or_default() += 1;
                }
            }
        }
    }
    let gain = |p: usize, t: usize| agree.get(&(p, t)).map_or(0.0, |n| *n as f64);
    let pairs = greatest_gain(people.len(), tracks.len(), gain);
    let idtp: u64 = pairs.iter().filter_map(|pair| agree.get(pair)).sum();
    let (idfp, idfn) = (of_tracks.saturating_sub(idtp), of_people.saturating_sub(idtp));
    let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    Identity {
        idtp,
        idfp,
        idfn,
        idf1: ratio(2 * idtp, 2 * idtp + idfp + idfn),
        precision: ratio(idtp, idtp + idfp),
        recall: ratio(idtp, idtp + idfn),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{mot::Seen, near};
    use super::*;
    use facialads_vision::Rect;

    fn scene(truth: &[(i64, f32)], tracks: &[(i64, f32)]) -> Scene {
        let all = |from: &[(i64, f32)]| {
            let seen =
                |&(id, x): &(i64, f32)| Seen { id, bounds: Rect::new(x, 0.0, 10.0, 10.0), ignored: false };
            from.iter().map(seen).collect()
        };
        Scene { truth: all(truth), tracks: all(tracks) }
    }

    #[test]
    fn a_track_that_breaks_keeps_only_its_longer_part() {
        // One person over ten frames: id 7 for six, id 8 for four. IDTP 6, IDFP 4, IDFN 4.
        let scenes: Vec<Scene> =
            (0..10).map(|frame| scene(&[(1, 0.0)], &[(if frame < 6 { 7 } else { 8 }, 0.0)])).collect();
        let result = identity(&scenes, 0.5);
        assert_eq!((result.idtp, result.idfp, result.idfn), (6, 4, 4));
        assert!(near(result.idf1.unwrap(), 12.0 / 20.0));
        assert!(near(result.precision.unwrap(), 0.6) && near(result.recall.unwrap(), 0.6));
    }

    #[test]
    fn misses_and_phantoms() {
        let scenes = [
            scene(&[(1, 0.0), (2, 50.0)], &[(7, 0.0), (8, 50.0)]),
            scene(&[(1, 0.0), (2, 50.0)], &[(7, 0.0), (9, 90.0)]),
        ];
        let result = identity(&scenes, 0.5);
        assert_eq!((result.idtp, result.idfp, result.idfn), (3, 1, 1));
        assert!(near(result.idf1.unwrap(), 0.75));
        assert_eq!(identity(&[], 0.5).idf1, None);
    }
}
