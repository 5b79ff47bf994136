//! Tracks against a truth.

use super::{follow::Followed, truth::Truth};
use crate::eval::metrics::{
    identity::{Identity, identity},
    mot::{ClearMot, Scene, clear_mot},
    share::Share,
    spread,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Against {
    pub people: u64,
    /// Least overlap of a match.
    pub iou: f64,
    pub clear_mot: ClearMot,
    pub identity: Identity,
    /// Of the people of the truth, those on whom a track is within so many frames of their first box.
    pub within: u64,
    pub found_within: Share,
    /// Frames from the first box to the first match; people never found are not in it.
    pub frames_to_find_median: Option<f64>,
    pub frames_to_find_longest: Option<f64>,
    pub never_found: u64,
    /// Boxes of the truth on frames that the clip does not have.
    pub beyond_the_clip: u64,
}

impl Against {
    /// Frames of the clip on which the truth has nobody count too: whatever is followed there is wrong.
    pub fn new(followed: &Followed, truth: &Truth, iou: f32, within: usize) -> Self {
        let scenes: Vec<Scene> = followed
            .moments
            .iter()
            .enumerate()
            .map(|(number, moment)| Scene {
                truth: truth.frames.get(&number).cloned().unwrap_or_default(),
                tracks: moment.faces.iter().map(|face| face.seen).collect(),
            })
            .collect();
        let beyond = truth.frames.range(scenes.len()..).map(|(_, people)| people.len() as u64).sum();
        let clear_mot = clear_mot(&scenes, iou);
        let waits: Vec<Option<usize>> =
            clear_mot.first.values().map(|(first, found)| found.map(|found| found - first)).collect();
        let found: Vec<f64> = waits.iter().flatten().map(|frames| *frames as f64).collect();
        Self {
            people: waits.len() as u64,
            iou: (f64::from(iou) * 1000.0).round() / 1000.0,
            identity: identity(&scenes, iou),
            within: within as u64,
            found_within: Share::of(waits.iter().map(|wait| wait.is_some_and(|frames| frames <= within))),
            frames_to_find_median: spread::median(&found),
            frames_to_find_longest: spread::quantile(&found, 1.0),
            never_found: waits.iter().filter(|wait| wait.is_none()).count() as u64,
            beyond_the_clip: beyond,
            clear_mot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::follow::{Moment, Told};
    use super::*;
    use crate::eval::metrics::mot::Seen;
    use facialads_vision::Rect;
    use std::time::Duration;

    #[test]
    fn people_found_late_or_never() {
        let seen = |id, x| Seen { id, bounds: Rect::new(x, 0.0, 10.0, 10.0), ignored: false };
        let told = |id, x| Told { seen: seen(id, x), age: None, gender: None, emotion: None };
        let moments = (0..8_u64)
            .map(|n| Moment {
                time: Duration::from_millis(n * 100),
                faces: if n >= 3 { vec![told(70, 0.0)] } else { Vec::new() },
            })
            .collect();
        let followed = Followed { moments, fps: 10.0, notes: Vec::new() };
        let mut truth = Truth::default();
        for frame in 1..10 {
            truth.frames.insert(frame, vec![seen(1, 0.0), seen(2, 50.0)]);
        }
        let against = Against::new(&followed, &truth, 0.5, 2);
        assert_eq!((against.people, against.never_found, against.beyond_the_clip), (2, 1, 4));
        assert_eq!((against.found_within.right, against.frames_to_find_longest), (1, Some(2.0)));
        assert_eq!(against.clear_mot.misses, 2 + 7);
        assert_eq!(against.identity.idtp, 5);
    }
}
