//! How badly a detection fits a track.
//!
//! Twice the negative logarithm of the likelihood of seeing the face there, so that costs of different tracks compare: a
//! track that was lost a second ago could be anywhere, and is therefore a worse explanation of a face than one that was
//! expected just there. (Mahalanobis distance alone says the opposite, overlap alone says nothing once boxes no longer
//! overlap.) Innovations are judged by Student's t rather than by the normal distribution: people stop, turn and get
//! up, and cameras are bumped.

use super::{
    axis::Axis,
    motion::{Measured, Moving, SIZE},
    track::Track,
};
use crate::Rect;

/// Degrees of freedom of Student's t.
const TAILS: f64 = 4.0;
/// Centre x and y, size.
const DIMENSIONS: f64 = 3.0;
/// Squared Mahalanobis distance up to which a detection may be a track's: 4.6 standard deviations in three dimensions, which
/// a normal distribution leaves once in ten thousand times.
const GATE: f64 = 21.1;
/// However unlikely the motion: this much overlap with where it was expected or seen last is the same face.
const SURE_OVERLAP: f32 = 0.2;
/// How long the place where it was seen last says so.
const STAYS: f64 = 0.5;
/// Size changes between two looks by this factor (as a logarithm) at most, or by three standard deviations where it has been
/// hidden; never by more than the second.
const MOST_RESIZED: f64 = 0.47;
const EVER_RESIZED: f64 = 0.8;
/// A face that was missed at the last look is less likely to be seen at this one: 2 ln(0.95 / 0.2).
const MISSED: f64 = 3.1;
/// A hidden face mostly goes on and seldom waits or turns back: 2 ln(0.95 / 0.05).
const WAITED: f64 = 5.9;
/// Cost of explaining a track and a detection apart: the one overlooked, the other a new face or a false alarm. The costs of the
/// worst true pairs seen in `tests/tracking.rs` are 9 to 10.
const NOT_AT_ALL: f64 = 14.0;
/// Overlap and size that a doubtful detection must have with what is expected, to be more than a shadow.
const DOUBTFUL_OVERLAP: f32 = 0.3;

/// A track as it is expected at the time of the detections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    moving: Moving,
    bounds: Rect,
    /// As it was seen last.
    last: Rect,
    last_centre: (f64, f64),
    /// Seconds since then.
    elapsed: f64,
    missed: bool,
    /// Whether it has been missing long enough to be hidden rather than overlooked.
    hidden: bool,
    /// Whether it has walked out of what is looked at.
    left: bool,
}

impl Expected {
    /// `within`: the part of the picture that is looked at.
    pub(super) fn of(track: &Track, within: &Rect, elapsed: f64, missed: bool, hidden: bool) -> Self {
        let (before, last) = (track.moving(), track.last_bounds());
        let moving = before.predicted(elapsed);
        Self {
            moving,
            bounds: before.bounds_after(elapsed),
            last,
            last_centre: (before.x.position, before.y.position),
            elapsed,
            missed,
            hidden,
            left: hidden && !within.contains(moving.x.position as f32, moving.y.position as f32),
        }
    }

    pub(super) fn moving(&self) -> &Moving {
        &self.moving
    }

    /// The cost of being seen as `bounds`, against being overlooked; `None`: that cannot be. Whoever walked out of the picture does not come
    /// back: at its edge, the next one who comes in is more likely somebody else.
    pub(super) fn cost(&self, bounds: &Rect, at: &Measured) -> Option<f64> {
        if self.left {
            return None;
        }
        let (width, height) = (self.moving.width(), self.moving.height());
        let (wide, high) = self.moving.deviations(at);
        let sx = variance(&self.moving.x, wide);
        let sy = variance(&self.moving.y, high);
        let ss = variance(&self.moving.size, SIZE.measurement);
        let resized = at.size - self.moving.size.position;
        if resized.abs() > MOST_RESIZED.max(3.0 * ss.sqrt()).min(EVER_RESIZED) {
            return None;
        }
        let distance =
            |x: f64, y: f64| (at.x - x).powi(2) / sx + (at.y - y).powi(2) / sy + resized.powi(2) / ss;
        let mut from_expected = distance(self.moving.x.position, self.moving.y.position);
        let mut extra = if self.missed { MISSED } else { 0.0 };
        if self.hidden {
            // It may have stopped behind whatever hides it.
            let from_last = distance(self.last_centre.0, self.last_centre.1);
            if unlikely(from_last) + WAITED < unlikely(from_expected) {
                from_expected = from_last;
                extra += WAITED;
            }
        }
        let overlaps = self.bounds.iou(bounds) >= SURE_OVERLAP
            || (self.elapsed <= STAYS && self.last.iou(bounds) >= SURE_OVERLAP);
        if from_expected > GATE && !overlaps {
            return None;
        }
        let spread = (sx / (width * width)).ln() + (sy / (height * height)).ln() + ss.ln();
        Some(unlikely(from_expected) + spread + extra - NOT_AT_ALL)
    }

    /// The cost of being what a doubtful detection shows.
    pub(super) fn cost_of_doubtful(&self, bounds: &Rect, at: &Measured) -> Option<f64> {
        let overlap = self.bounds.iou(bounds);
        let resized = (at.size - self.moving.size.position).abs();
        (overlap >= DOUBTFUL_OVERLAP && resized <= MOST_RESIZED).then_some(-f64::from(overlap))
    }
}

/// Twice the negative logarithm of Student's t at a squared distance, less what does not depend on it.
fn unlikely(squared: f64) -> f64 {
    (TAILS + DIMENSIONS) * (squared / TAILS).ln_1p()
}

fn variance(axis: &Axis, measurement: f64) -> f64 {
    (axis.pp + measurement * measurement).max(f64::MIN_POSITIVE)
}
