//! One face cut out of a frame.

use crate::{
    Frame, Rect,
    preprocess::{Placement, Region, picture},
    spec::{InputSpec, Layout},
};

/// Faces smaller than this (pixels of the shorter side) are not described: there is nothing to see.
const LEAST_SIDE: usize = 20;

/// A face's picture as a network wants it. Holds no reference to the frame, and is never printed.
#[derive(Clone)]
pub struct Portrait {
    pub(crate) values: Vec<f32>,
    pub(crate) placement: Placement,
    layout: Layout,
}

impl Portrait {
    /// `bounds`: the face in pixels of the frame; grown by `margin` (0.2: 20 % wider and higher), clipped to the frame.
    /// `None` where less than 20 pixels a side remain.
    pub fn cut(frame: &Frame, bounds: &Rect, margin: f32, input: &InputSpec) -> Option<Self> {
        let region = region(&bounds.grown(margin), frame.width(), frame.height())?;
        let placement = Placement::of_region(region, input, 1.0);
        Some(Self { values: picture(frame, &placement, input), placement, layout: input.layout })
    }

    /// The same face, left and right exchanged.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let mut mirrored = self.clone();
        let width = self.placement.out_width.max(1);
        match self.layout {
            Layout::Nchw => mirrored.values.chunks_mut(width).for_each(<[f32]>::reverse),
            Layout::Nhwc => {
                for row in mirrored.values.chunks_mut(width * 3) {
                    row.reverse();
                    // Reversing a row reversed the colours of each pixel too.
                    row.chunks_mut(3).for_each(<[f32]>::reverse);
                }
            }
        }
        mirrored
    }

    pub(crate) fn size(&self) -> (usize, usize) {
        (self.placement.out_width, self.placement.out_height)
    }
}

/// Whole pixels, in the original's way: the corner is clipped and cut down, the size is cut down.
fn region(bounds: &Rect, width: u32, height: u32) -> Option<Region> {
    let along = |start: f32, end: f32, limit: u32| {
        let clipped = start.max(0.0);
        let length = (end - clipped).min(limit as f32 - clipped).floor();
        // A box from a network may be anything: `as` saturates, and NaN becomes 0.
        let (at, length) = (clipped.floor() as usize, length as usize);
        (length >= LEAST_SIDE && at + length <= limit as usize).then_some((at, length))
    };
    let (x, region_width) = along(bounds.x, bounds.right(), width)?;
    let (y, region_height) = along(bounds.y, bounds.bottom(), height)?;
    Some(Region { x, y, width: region_width, height: region_height })
}
