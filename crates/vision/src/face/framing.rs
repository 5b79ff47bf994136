//! Which part of a frame a network is shown of a face.

use super::portrait::Portrait;
use crate::{Rect, preprocess::Cut, spec::InputSpec};

/// How a face is cut out. Networks are accurate with the framing that they were trained with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Framing {
    /// The detector's box, clipped to the frame, padded as the description of the network says.
    Box,
    /// A square around the middle of the box, as large as its longer side, turned so that the line through the eyes is level;
    /// where the detector tells no landmarks, not turned. What lies beside the frame is black.
    Upright,
}

/// A face in pixels of the frame.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) bounds: Rect,
    pub(super) points: Option<[(f32, f32); 5]>,
}

impl Framing {
    /// What is cut out of a frame of width and height `size`, in whichever memory it lies, with `margin` (0.2: 20 % more of the
    /// frame in width and in height). `None`: it cannot be cut.
    pub(super) fn cut_of(
        self,
        size: (u32, u32),
        face: &Place,
        margin: f32,
        input: &InputSpec,
    ) -> Option<Cut> {
        match self {
            Self::Box => Portrait::cut_of(size, &face.bounds, margin, input),
            Self::Upright => {
                // The corners and the middle of the square serve as landmarks.
                const CORNERS: [(f32, f32); 5] = [(0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (0.0, 1.0), (1.0, 1.0)];
                let side = face.bounds.width.max(face.bounds.height) * (1.0 + margin);
                let (along_x, along_y) = face.points.as_ref().and_then(level).unwrap_or((1.0, 0.0));
                let (x, y) = face.bounds.centre();
                let points = CORNERS.map(|(u, v)| {
                    let (right, down) = ((u - 0.5) * side, (v - 0.5) * side);
                    (x + right * along_x - down * along_y, y + right * along_y + down * along_x)
                });
                Portrait::aligned_cut_of(size, &points, &CORNERS, input)
            }
        }
    }
}

/// The direction from the eye on the left of the picture to the one on its right, of length 1. `None`: they are in one place.
fn level(points: &[(f32, f32); 5]) -> Option<(f32, f32)> {
    let [left, right, ..] = points;
    let (dx, dy) = (right.0 - left.0, right.1 - left.1);
    let length = dx.hypot(dy);
    (length.is_normal()).then(|| (dx / length, dy / length))
}
