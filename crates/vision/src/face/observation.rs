//! What a detector says of one face, whoever ran the detector.

use crate::{Rect, decode::Detection};

/// A face found in a frame: what [`super::FaceAnalyzer::observe`] takes. Positions are fractions of the frame, so they hold
/// at any size of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    pub bounds: Rect,
    /// Detector's confidence, 0..=1.
    pub confidence: f32,
    /// Right eye, left eye, nose, right and left corner of the mouth (the person's own right), where the detector tells.
    pub points: Option<[(f32, f32); 5]>,
}

impl Observation {
    /// `found` in pixels of a frame of `width` x `height` pixels.
    pub fn of_frame(found: &Detection, width: f32, height: f32) -> Self {
        let (sx, sy) = (1.0 / width, 1.0 / height);
        Self {
            bounds: found.bounds.scaled(sx, sy),
            confidence: found.confidence,
            points: found.points.map(|points| points.map(|(x, y)| (x * sx, y * sy))),
        }
    }

    /// Whether every number is one and the box has an area: a detector may say anything.
    pub fn is_proper(&self) -> bool {
        let finite = |points: &[(f32, f32); 5]| points.iter().all(|(x, y)| x.is_finite() && y.is_finite());
        self.bounds.is_proper() && self.confidence.is_finite() && self.points.as_ref().is_none_or(finite)
    }
}
