//! Following faces from detection to detection, by motion and geometry alone: no picture of a face is compared with another,
//! because a number that says who somebody is would be biometric identification.
//!
//! - [`axis`], [`motion`]: a Kalman filter per coordinate, in continuous time and in units of the face's size, so that neither
//!   the frame rate nor the detection interval nor a dropped frame changes what the constants mean;
//! - [`affinity`], [`assignment`]: which detection is which track, decided as a whole by likelihood, in two stages as in
//!   ByteTrack (Zhang et al. 2022, arXiv 2110.06864): what reached the detector's threshold first, then what did not, which can
//!   only keep a track alive and never begins one;
//! - [`track`]: when a face is told of, hidden, and gone.
//!
//! # What counts as being there
//! A face that the detector has lost is told of for 300 ms longer and then no more. It is kept for `max_missing` (2.5 s), and all
//! that time it counts wherever counting one face more is the stricter answer: for the number of people in the zone that
//! consent is held against (one who stands behind another is still there, and may be the one who did not agree), and for the
//! hold after a possible minor. A face that was seen only once is not told of, but counts the same way. Whoever walks
//! away therefore delays the description of those who stay by that much; the other way round somebody could be described
//! under a grant that is not theirs.
//!
//! # Why not a crate
//! `similari` 0.26.2 has SORT and a visual tracker, but brings 108 other crates with it (nalgebra, geo, rayon, and pyo3 also with
//! its default features off), counts time in frames and not in seconds, and keeps threads of its own. Its speed was not measured:
//! what is needed of it are the few hundred lines here.

mod affinity;
mod assignment;
mod axis;
mod landmarks;
mod motion;
#[cfg(test)]
mod simulation;
mod track;

pub(super) use track::Track;

use super::{Observation, ids::Ids};
use crate::Rect;
use affinity::Expected;
use assignment::Assignment;
use motion::Measured;
use std::time::Duration;
use track::SHOWN_MISSING;

/// More tracks than this are not kept: a detector gone wild must not stall the worker.
const MOST_TRACKS: usize = 256;

/// Feed detections with [`Tracker::update`], read [`Tracker::alive`] and [`Tracker::visible`].
pub(super) struct Tracker {
    tracks: Vec<Track>,
    last_update: Duration,
    ids: Ids,
    max_missing: Duration,
    /// The part of the picture that was looked at last.
    within: Rect,
    /// Width over height of the frames, in pixels; `None` until one was seen.
    pub(super) shape: Option<f32>,
    scratch: Scratch,
}

/// Memory of an update, kept so that the next one need not ask for it.
#[derive(Default)]
struct Scratch {
    expected: Vec<Expected>,
    measured: Vec<Measured>,
    assignment: Assignment,
    pairs: Vec<(usize, usize)>,
    track_taken: Vec<bool>,
    detection_taken: Vec<bool>,
}

impl Tracker {
    pub(super) fn new(ids: Ids, max_missing: Duration) -> Self {
        Self {
            tracks: Vec::new(),
            last_update: Duration::ZERO,
            ids,
            max_missing,
            within: Rect::new(0.0, 0.0, 1.0, 1.0),
            shape: None,
            scratch: Scratch::default(),
        }
    }

    /// Takes what was detected at `now`; every box must be proper. Detections with less confidence than `threshold` only
    /// keep tracks alive. `within`: the part of the picture that is looked at. Tracks unseen for too long end.
    pub(super) fn update(
        &mut self,
        detections: &[Observation],
        threshold: f32,
        within: &Rect,
        now: Duration,
    ) {
        let (last, longest) = (self.last_update, self.max_missing);
        self.tracks.retain(|track| track.is_kept(last, longest, now));
        self.expect(detections, within, now);
        self.associate(detections, threshold, false, now);
        self.associate(detections, threshold, true, now);
        self.last_update = now;
        self.within = *within;
        self.begin_tracks(detections, threshold, now);
    }

    /// Reckons where every track should be now.
    fn expect(&mut self, detections: &[Observation], within: &Rect, now: Duration) {
        let Scratch { expected, measured, track_taken, detection_taken, .. } = &mut self.scratch;
        measured.clear();
        measured.extend(detections.iter().map(|found| Measured::of(&found.bounds)));
        expected.clear();
        expected.extend(self.tracks.iter().map(|track| {
            let missing = track.missing(now);
            let missed = track.last_seen < self.last_update;
            Expected::of(track, within, missing.as_secs_f64(), missed, missed && missing > SHOWN_MISSING)
        }));
        track_taken.clear();
        track_taken.resize(self.tracks.len(), false);
        detection_taken.clear();
        detection_taken.resize(detections.len(), false);
    }

    /// One stage: the detections at or above the threshold, or the `doubtful` ones below it, with the tracks that are left.
    fn associate(&mut self, detections: &[Observation], threshold: f32, doubtful: bool, now: Duration) {
        let Scratch { expected, measured, assignment, pairs, track_taken, detection_taken } =
            &mut self.scratch;
        assignment.begin(expected.len(), detections.len());
        let tracks = self.tracks.iter().zip(expected.iter()).zip(track_taken.iter()).enumerate();
        for (t, ((track, expected), taken)) in tracks {
            // A doubtful detection does not bring back what has been hidden.
            let hidden = track.missing(now) > SHOWN_MISSING && track.last_seen < self.last_update;
            if *taken || (doubtful && (hidden || !track.is_established())) {
                continue;
            }
            let found = detections.iter().zip(measured.iter()).zip(detection_taken.iter()).enumerate();
            for (d, ((found, at), taken)) in found {
                if *taken || (found.confidence < threshold) != doubtful {
                    continue;
                }
                let cost = if doubtful {
                    expected.cost_of_doubtful(&found.bounds, at)
                } else {
                    expected.cost(&found.bounds, at)
                };
                if let Some(cost) = cost {
                    assignment.set(t, d, cost);
                }
            }
        }
        assignment.solve(pairs);
        for &(t, d) in pairs.iter() {
            let (Some(track), Some(expected)) = (self.tracks.get_mut(t), expected.get(t)) else { continue };
            let (Some(found), Some(at)) = (detections.get(d), measured.get(d)) else { continue };
            track.seen(found, at, expected, threshold, self.shape, now);
            track_taken.get_mut(t).into_iter().for_each(|taken| *taken = true);
            detection_taken.get_mut(d).into_iter().for_each(|taken| *taken = true);
        }
    }

    fn begin_tracks(&mut self, detections: &[Observation], threshold: f32, now: Duration) {
        for (found, taken) in detections.iter().zip(&self.scratch.detection_taken) {
            if !*taken && found.confidence >= threshold && self.tracks.len() < MOST_TRACKS {
                self.tracks.push(Track::new(self.ids.next(), found, threshold, self.shape, now));
            }
        }
    }

    /// Faces that may be there at `now`, also hidden ones and such as were seen only once, in no order: the number that
    /// consent is held against.
    pub(super) fn alive(&self, now: Duration) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(move |track| {
            track.is_kept(self.last_update, self.max_missing, now) && !self.has_walked_out(track, now)
        })
    }

    /// Whether a face that is not seen any more was on its way out, and must be outside by now: it is not hidden, it has gone.
    /// Its track is kept, for it may turn back.
    fn has_walked_out(&self, track: &Track, now: Duration) -> bool {
        let (x, y) = track.at(now).centre();
        track.missing(now) > SHOWN_MISSING && !self.within.contains(x, y)
    }

    /// Those of [`Tracker::alive`] that are told of: confirmed, and seen at the last detection or very lately.
    pub(super) fn visible(&self, now: Duration) -> impl Iterator<Item = &Track> {
        self.alive(now).filter(move |track| {
            track.is_confirmed()
                && (track.last_seen >= self.last_update
                    || track.missing(now) <= self.max_missing.min(SHOWN_MISSING))
        })
    }

    /// Whether this track was seen at the last detection, so that a picture cut at its place shows this face.
    pub(super) fn is_in_sight(&self, track: &Track) -> bool {
        track.last_seen >= self.last_update
    }

    pub(super) fn has(&self, id: i32) -> bool {
        self.tracks.iter().any(|track| track.id == id)
    }

    pub(super) fn clear(&mut self) {
        self.tracks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Rect = Rect { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };

    fn tracker() -> Tracker {
        Tracker::new(Ids::new(Some(7)), Duration::from_secs(2))
    }
    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }
    fn only(tracker: &Tracker, ms: u64) -> &Track {
        let alive: Vec<&Track> = tracker.alive(at(ms)).collect();
        assert_eq!(alive.len(), 1);
        alive[0]
    }
    fn face(x: f32, y: f32) -> Observation {
        Observation { bounds: Rect::new(x, y, 0.1, 0.2), confidence: 0.9, points: None }
    }

    #[test]
    fn who_walked_out_of_the_picture_counts_no_longer_and_who_is_hidden_does() {
        let mut tracker = tracker();
        for step in 0..10_u8 {
            let leaving = face(0.4 - 0.045 * f32::from(step), 0.3);
            tracker.update(&[leaving, face(0.7, 0.3)], 0.5, &WHOLE, at(u64::from(step) * 40));
        }
        assert_eq!(tracker.alive(at(360)).count(), 2);
        tracker.update(&[], 0.5, &WHOLE, at(400));
        tracker.update(&[], 0.5, &WHOLE, at(700));
        assert_eq!(tracker.alive(at(700)).count(), 1, "one is hidden in the middle of the picture");
        assert_eq!(tracker.visible(at(700)).count(), 0);
    }

    #[test]
    fn a_face_that_moves_keeps_its_id() {
        let mut tracker = tracker();
        tracker.update(&[face(0.1, 0.1)], 0.7, &WHOLE, at(0));
        let id = tracker.tracks[0].id;
        for step in 1..20 {
            tracker.update(&[face(0.1 + 0.04 * step as f32, 0.1)], 0.7, &WHOLE, at(step * 100));
        }
        assert_eq!(tracker.tracks.len(), 1);
        assert_eq!(tracker.tracks[0].id, id);
        let expected = tracker.tracks[0].at(at(2000));
        assert!((expected.x - 0.9).abs() < 0.005, "{expected:?}");
    }

    #[test]
    fn two_faces_that_pass_each_other_keep_their_ids() {
        let mut tracker = tracker();
        let place = |step: f32| [face(0.1 + 0.04 * step, 0.1), face(0.9 - 0.04 * step, 0.2)];
        tracker.update(&place(0.0), 0.7, &WHOLE, at(0));
        let (left, right) = (tracker.tracks[0].id, tracker.tracks[1].id);
        for step in 1..=20 {
            tracker.update(&place(step as f32), 0.7, &WHOLE, at(step * 100));
        }
        let id_near =
            |x: f32| tracker.tracks.iter().find(|t| (t.last_bounds().x - x).abs() < 0.01).unwrap().id;
        assert_eq!((id_near(0.9), id_near(0.1)), (left, right));
    }

    #[test]
    fn a_face_hidden_for_two_seconds_keeps_its_id_and_longer_gets_a_new_one() {
        let mut tracker = tracker();
        tracker.update(&[face(0.1, 0.1)], 0.7, &WHOLE, at(0));
        let id = tracker.tracks[0].id;
        tracker.update(&[], 0.7, &WHOLE, at(500));
        tracker.update(&[face(0.1, 0.1)], 0.7, &WHOLE, at(1900));
        assert_eq!(only(&tracker, 1900).id, id);
        tracker.update(&[], 0.7, &WHOLE, at(2400));
        assert_eq!((tracker.visible(at(2400)).count(), tracker.alive(at(2400)).count()), (0, 1));
        tracker.update(&[face(0.1, 0.1)], 0.7, &WHOLE, at(4000));
        assert_ne!(only(&tracker, 4000).id, id);
    }

    #[test]
    fn rare_detection_loses_no_face() {
        let mut tracker = tracker();
        tracker.update(&[face(0.1, 0.1)], 0.7, &WHOLE, at(0));
        let id = only(&tracker, 2500).id;
        tracker.update(&[face(0.1, 0.1)], 0.7, &WHOLE, at(3000));
        assert_eq!(only(&tracker, 3000).id, id);
        assert_eq!(tracker.alive(at(60_000)).count(), 0);
    }

    #[test]
    fn time_that_jumps_back_ends_no_track() {
        let mut tracker = tracker();
        tracker.update(&[face(0.1, 0.1)], 0.7, &WHOLE, at(5000));
        tracker.update(&[face(0.1, 0.1)], 0.7, &WHOLE, at(10));
        assert_eq!(tracker.tracks.len(), 1);
        assert!(tracker.tracks[0].at(at(11)).is_proper());
    }
}
