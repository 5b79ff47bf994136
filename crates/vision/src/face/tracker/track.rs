//! One face on its way.

use super::{
    affinity::Expected,
    landmarks::{Landmarks, Points},
    motion::{Measured, Moving},
};
use crate::{
    Rect,
    face::{Attention, HeadPose, Observation, attention::Gaze},
};
use std::time::Duration;

/// How long a face that the detector has lost is still told of.
pub(super) const SHOWN_MISSING: Duration = Duration::from_millis(300);
/// However rarely detection runs: a face not confirmed for this long is gone.
const LONGEST: Duration = Duration::from_secs(10);
/// A face is told of once it was detected this often, or twice with this much time between, or once with a confidence half
/// way from the detector's threshold to 1 (YuNet: 0.85). With 30 frames a second and an inference interval of 3 the second
/// detection is in a face's sixth frame at the latest, and frontal faces seldom need it.
const CONFIRMING: u32 = 3;
const CONFIRMING_TIME: Duration = Duration::from_millis(90);

/// Detections at the threshold that make up for none that was sure.
const ESTABLISHED: u32 = 8;

/// Without a threshold (minus infinity, for faces found elsewhere) everything is sure.
fn is_sure(confidence: f32, threshold: f32) -> bool {
    confidence >= (1.0 + threshold) / 2.0
}

/// A face on its way. Boxes are fractions of the frame.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    pub(crate) id: i32,
    moving: Moving,
    /// As last detected.
    bounds: Rect,
    landmarks: Landmarks,
    gaze: Gaze,
    pub(crate) confidence: f32,
    pub(crate) first_seen: Duration,
    pub(crate) last_seen: Duration,
    /// Detections that reached the threshold.
    sightings: u32,
    confirmed: bool,
    /// Whether it was ever detected with more than a little confidence.
    sure: bool,
}

impl Track {
    pub(super) fn new(
        id: i32,
        found: &Observation,
        threshold: f32,
        shape: Option<f32>,
        now: Duration,
    ) -> Self {
        let mut landmarks = Landmarks::default();
        landmarks.seen(found.points.as_ref(), &found.bounds, 0.0);
        let mut new = Self {
            id,
            moving: Moving::new(&found.bounds),
            bounds: found.bounds,
            landmarks,
            gaze: Gaze::default(),
            confidence: found.confidence,
            first_seen: now,
            last_seen: now,
            sightings: 1,
            confirmed: is_sure(found.confidence, threshold),
            sure: is_sure(found.confidence, threshold),
        };
        new.look(found, shape, Duration::ZERO);
        new
    }

    /// Seen again where `expected` was reckoned for. `threshold`: the detector's. `shape`: width over height of
    /// the frame in pixels, where known; without it a head's pose is not.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn seen(
        &mut self,
        found: &Observation,
        at: &Measured,
        expected: &Expected,
        threshold: f32,
        shape: Option<f32>,
        now: Duration,
    ) {
        let elapsed = self.missing(now);
        let doubtful = found.confidence < threshold;
        self.moving = expected.moving().measured(at, doubtful);
        self.bounds = found.bounds;
        self.confidence = found.confidence;
        self.last_seen = now;
        if !doubtful {
            self.sightings = self.sightings.saturating_add(1);
            self.sure |= is_sure(found.confidence, threshold);
            self.confirmed |= self.sure
                || self.sightings >= CONFIRMING
                || now.saturating_sub(self.first_seen) >= CONFIRMING_TIME;
        }
        self.landmarks.seen(found.points.as_ref(), &found.bounds, elapsed.as_secs_f64());
        self.look(found, shape, elapsed);
    }

    /// Where the head is turned to, after a detection.
    fn look(&mut self, found: &Observation, shape: Option<f32>, elapsed: Duration) {
        let points = found.points.and_then(|_| self.landmarks.on(&found.bounds));
        let pose = points.zip(shape).and_then(|(points, shape)| {
            // Fractions of the height, across as well as down.
            HeadPose::of(&points.map(|(x, y)| (x * shape, y)))
        });
        self.gaze.seen(pose, elapsed);
    }

    pub(crate) fn attention(&self, now: Duration) -> Attention {
        self.gaze.attention(now.saturating_sub(self.first_seen))
    }

    /// Where the face is expected at `now`.
    pub(crate) fn at(&self, now: Duration) -> Rect {
        self.moving.carried(&self.bounds, self.missing(now).as_secs_f64())
    }

    /// Where its landmarks are expected at `now`.
    pub(crate) fn points_at(&self, now: Duration) -> Option<Points> {
        self.landmarks.on(&self.at(now))
    }

    pub(super) fn moving(&self) -> &Moving {
        &self.moving
    }
    pub(super) fn last_bounds(&self) -> Rect {
        self.bounds
    }
    /// Whether doubtful detections may continue it: a false alarm mostly has nothing else.
    pub(super) fn is_established(&self) -> bool {
        self.sure || self.sightings >= ESTABLISHED
    }
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// How long it has gone undetected.
    pub(super) fn missing(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_seen)
    }

    /// `last_update`: when detection ran last; a face seen then has not gone missing, however long ago that is.
    pub(super) fn is_kept(&self, last_update: Duration, max_missing: Duration, now: Duration) -> bool {
        let missing = self.missing(now);
        let longest = if self.confirmed { max_missing } else { max_missing.min(SHOWN_MISSING) };
        missing <= longest || (self.last_seen == last_update && missing <= LONGEST)
    }
}
