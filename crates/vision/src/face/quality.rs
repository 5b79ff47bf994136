//! How well a face is seen, 0..=1. Each hindrance is an error in years that it adds to an estimated age, see
//! [`super::constants`]; quality is the part of the whole error's square that a well-seen face has too.
//!
//! What the box and the landmarks tell is known before a face is cut out and costs nothing ([`of_view`]); what the picture
//! tells is computed in one pass over the crop at the network's size ([`of_picture`]). Nothing is allocated.

mod clarity;

pub use clarity::Clarity;
pub(crate) use clarity::{Judged, Sums};

use super::constants::{
    AGE_MARGIN, BASE_ERROR, COVERED, HIDDEN_ERROR, LEAST_QUALITY, LEAST_SIDE, OUTSIDE, PITCH, POSE_ERROR,
    SIZE_ERROR, YAW,
};
use crate::{Rect, spec::InputSpec};

/// Squares of errors in years, which add up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hindrance(f32);

impl Hindrance {
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// 0..=1; 0 for a hindrance that is no number.
    pub(super) fn quality(self) -> f32 {
        let square = BASE_ERROR * BASE_ERROR;
        let quality = square / (square + self.0);
        if quality.is_nan() { 0.0 } else { quality }
    }

    /// Whether a look says anything.
    pub(super) fn is_passable(self) -> bool {
        self.quality() >= LEAST_QUALITY
    }
}

/// An error of `full` years where `value` is at the end of `range` or beyond, none at its start, straight between.
fn within(value: f32, (start, end): (f32, f32), full: f32) -> Hindrance {
    let part = ((value - start) / (end - start)).clamp(0.0, 1.0);
    Hindrance((full * part).powi(2))
}

/// Size, pose and truncation. `bounds` and `points` in pixels of a frame of width and height `frame`.
pub(super) fn of_view(bounds: &Rect, points: Option<&[(f32, f32); 5]>, frame: (f32, f32)) -> Hindrance {
    let pose = points.map_or(Hindrance(0.0), |points| yaw(points).and(pitch(points)));
    size(bounds).and(outside(bounds, frame)).and(pose)
}

/// Size, by the shorter side.
fn size(bounds: &Rect) -> Hindrance {
    let side = bounds.width.min(bounds.height);
    let (first, second, power) = SIZE_ERROR;
    Hindrance(if side >= LEAST_SIDE { (first * (second / side).powf(power)).powi(2) } else { f32::INFINITY })
}

/// Yaw: how far the nose lies from the middle between the eyes, along the line through them.
/// `points`: eyes, nose, corners of the mouth.
fn yaw(points: &[(f32, f32); 5]) -> Hindrance {
    let (right, _) = nose_and_mouth(points);
    within(right.abs(), YAW, POSE_ERROR)
}

/// Pitch: how far down from the eyes to the mouth the nose lies. Faces seen from above have it low and cost nothing.
fn pitch(points: &[(f32, f32); 5]) -> Hindrance {
    let (_, down) = nose_and_mouth(points);
    within(down, PITCH, POSE_ERROR)
}

/// Where the nose lies: along the line of the eyes, from their middle, in distances of the eyes; and across it, as a part of
/// the way to the mouth.
fn nose_and_mouth(points: &[(f32, f32); 5]) -> (f32, f32) {
    let [one, other, nose, corner, other_corner] = *points;
    let middle = |a: (f32, f32), b: (f32, f32)| ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
    let (eyes, mouth) = (middle(one, other), middle(corner, other_corner));
    let (dx, dy) = (other.0 - one.0, other.1 - one.1);
    let square = dx * dx + dy * dy;
    let along = |p: (f32, f32)| ((p.0 - eyes.0) * dx + (p.1 - eyes.1) * dy) / square;
    let across = |p: (f32, f32)| (p.1 - eyes.1) * dx - (p.0 - eyes.0) * dy;
    (along(nose), across(nose) / across(mouth))
}

/// Truncation: the part of the box, grown by the margin that the networks see, that lies outside the frame.
fn outside(bounds: &Rect, (width, height): (f32, f32)) -> Hindrance {
    let grown = bounds.grown(AGE_MARGIN);
    if !grown.is_proper() {
        return Hindrance(f32::INFINITY);
    }
    within(1.0 - grown.clipped(width, height).area() / grown.area(), OUTSIDE, HIDDEN_ERROR)
}

/// Occlusion: the part of the box that other faces' boxes cover. Only faces at least as large can be in front. Any unit.
pub(super) fn covered(bounds: &Rect, others: impl Iterator<Item = Rect>) -> Hindrance {
    let in_front = others.filter(|other| other.area() >= bounds.area());
    let covered: f32 = in_front.map(|other| bounds.intersection_area(&other)).sum();
    within(covered / bounds.area(), COVERED, HIDDEN_ERROR)
}

/// Blur and exposure. `values`: a face as a network with this `input` wants it, cut with `margin`; `None` where the box was
/// not cut to a square (see [`super::framing::Framing`]).
pub(super) fn of_picture(values: &[f32], input: &InputSpec, margin: Option<f32>) -> Hindrance {
    Clarity::of(values, input, margin).hindrance()
}

#[cfg(test)]
mod tests;
