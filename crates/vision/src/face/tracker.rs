//! Following faces from detection to detection: greedy by overlap, with constant velocity between.

use super::{Observation, ids::Ids};
use crate::Rect;
use std::time::Duration;

/// Least overlap of a detection with where a track was expected.
const LEAST_OVERLAP: f32 = 0.2;
/// How much of the measured velocity is believed at each detection.
const VELOCITY_GAIN: f32 = 0.5;

/// How long a face that the detector has lost is still told of.
const SHOWN_MISSING: Duration = Duration::from_millis(300);
/// However rarely detection runs: a face not confirmed for this long is gone.
const LONGEST: Duration = Duration::from_secs(10);

/// A face on its way. Boxes are fractions of the frame.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) id: i32,
    bounds: Rect,
    /// Of the centre, fractions a second.
    velocity: (f32, f32),
    pub(super) confidence: f32,
    /// As last seen.
    points: Option<[(f32, f32); 5]>,
    pub(super) first_seen: Duration,
    pub(super) last_seen: Duration,
}

impl Track {
    /// Where the face is expected at `now`.
    pub(super) fn at(&self, now: Duration) -> Rect {
        let ahead = now.saturating_sub(self.last_seen).as_secs_f32();
        let (dx, dy) = (self.velocity.0 * ahead, self.velocity.1 * ahead);
        Rect { x: self.bounds.x + dx, y: self.bounds.y + dy, ..self.bounds }
    }
    /// Where its landmarks are expected at `now`: those last seen, moved along with the box.
    pub(super) fn points_at(&self, now: Duration) -> Option<[(f32, f32); 5]> {
        let (then, now) = (self.bounds, self.at(now));
        self.points.map(|points| points.map(|(x, y)| (x + now.x - then.x, y + now.y - then.y)))
    }
    /// `last_update`: when detection ran last; a face seen then has not gone missing, however long ago that is.
    fn is_alive(&self, last_update: Duration, max_missing: Duration, now: Duration) -> bool {
        let missing = self.missing(now);
        missing <= max_missing || (self.last_seen == last_update && missing <= LONGEST)
    }
    /// How long it has gone undetected.
    fn missing(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_seen)
    }

    fn seen(&mut self, observation: &Observation, now: Duration) {
        let bounds = observation.bounds;
        let elapsed = now.saturating_sub(self.last_seen).as_secs_f32();
        if elapsed > 0.0 {
            let (from, to) = (self.bounds.centre(), bounds.centre());
            let blend = |old: f32, moved: f32| old + VELOCITY_GAIN * (moved / elapsed - old);
            self.velocity = (blend(self.velocity.0, to.0 - from.0), blend(self.velocity.1, to.1 - from.1));
        }
        self.bounds = bounds;
        self.confidence = observation.confidence;
        self.points = observation.points;
        self.last_seen = now;
    }
}

/// The interface that a better tracker keeps: feed detections with [`Tracker::update`], read [`Tracker::alive`].
pub(super) struct Tracker {
    tracks: Vec<Track>,
    last_update: Duration,
    ids: Ids,
    max_missing: Duration,
}

impl Tracker {
    pub(super) fn new(ids: Ids, max_missing: Duration) -> Self {
        Self { tracks: Vec::new(), last_update: Duration::ZERO, ids, max_missing }
    }

    /// Takes what was detected at `now`. Tracks unseen for too long end.
    pub(super) fn update(&mut self, detections: &[Observation], now: Duration) {
        let (last, longest) = (self.last_update, self.max_missing);
        self.tracks.retain(|track| track.is_alive(last, longest, now));
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (t, track) in self.tracks.iter().enumerate() {
            let expected = track.at(now);
            for (d, Observation { bounds, .. }) in detections.iter().enumerate() {
                let overlap = expected.iou(bounds).max(track.bounds.iou(bounds));
                if overlap >= LEAST_OVERLAP {
                    pairs.push((overlap, t, d));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut track_taken = vec![false; self.tracks.len()];
        let mut detection_taken = vec![false; detections.len()];
        for (_, t, d) in pairs {
            if !track_taken[t] && !detection_taken[d] {
                (track_taken[t], detection_taken[d]) = (true, true);
                self.tracks[t].seen(&detections[d], now);
            }
        }
        self.last_update = now;
        for (found, _) in detections.iter().zip(&detection_taken).filter(|(_, taken)| !**taken) {
            self.tracks.push(Track {
                id: self.ids.next(),
                bounds: found.bounds,
                velocity: (0.0, 0.0),
                confidence: found.confidence,
                points: found.points,
                first_seen: now,
                last_seen: now,
            });
        }
    }

    /// Faces that are there at `now`, also if hidden for a moment, in no order.
    pub(super) fn alive(&self, now: Duration) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(move |track| track.is_alive(self.last_update, self.max_missing, now))
    }

    /// Those of [`Tracker::alive`] that were seen at the last detection, or very lately.
    pub(super) fn visible(&self, now: Duration) -> impl Iterator<Item = &Track> {
        self.alive(now).filter(move |track| {
            track.last_seen >= self.last_update || track.missing(now) <= self.max_missing.min(SHOWN_MISSING)
        })
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

    fn tracker() -> Tracker {
        Tracker::new(Ids::new(Some(7)), Duration::from_secs(1))
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
    fn a_face_that_moves_keeps_its_id() {
        let mut tracker = tracker();
        tracker.update(&[face(0.1, 0.1)], at(0));
        let id = tracker.tracks[0].id;
        for step in 1..20 {
            tracker.update(&[face(0.1 + 0.04 * step as f32, 0.1)], at(step * 100));
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
        tracker.update(&place(0.0), at(0));
        let (left, right) = (tracker.tracks[0].id, tracker.tracks[1].id);
        for step in 1..=20 {
            tracker.update(&place(step as f32), at(step * 100));
        }
        let id_near = |x: f32| tracker.tracks.iter().find(|t| (t.bounds.x - x).abs() < 0.01).unwrap().id;
        assert_eq!((id_near(0.9), id_near(0.1)), (left, right));
    }

    #[test]
    fn a_face_hidden_for_less_than_a_second_keeps_its_id_and_longer_gets_a_new_one() {
        let mut tracker = tracker();
        tracker.update(&[face(0.1, 0.1)], at(0));
        let id = tracker.tracks[0].id;
        tracker.update(&[], at(500));
        tracker.update(&[face(0.1, 0.1)], at(900));
        assert_eq!(only(&tracker, 900).id, id);
        tracker.update(&[], at(1400));
        tracker.update(&[face(0.1, 0.1)], at(2000));
        assert_ne!(only(&tracker, 2000).id, id);
    }

    #[test]
    fn rare_detection_loses_no_face() {
        let mut tracker = tracker();
        tracker.update(&[face(0.1, 0.1)], at(0));
        let id = only(&tracker, 2500).id;
        tracker.update(&[face(0.1, 0.1)], at(3000));
        assert_eq!(only(&tracker, 3000).id, id);
        assert_eq!(tracker.alive(at(60_000)).count(), 0);
    }

    #[test]
    fn time_that_jumps_back_ends_no_track() {
        let mut tracker = tracker();
        tracker.update(&[face(0.1, 0.1)], at(5000));
        tracker.update(&[face(0.1, 0.1)], at(10));
        assert_eq!(tracker.tracks.len(), 1);
        assert!(tracker.tracks[0].velocity.0.is_finite());
    }
}
