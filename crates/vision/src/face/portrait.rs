//! One face cut out of a frame.

use crate::{
    Frame, Rect,
    geometry::Similarity,
    preprocess::{Cut, CutScratch, Placement, Region, Scratch, Upright, picture_into},
    spec::{InputSpec, Layout},
};

/// Faces smaller than this (pixels of the shorter side) are not described: there is nothing to see.
const LEAST_SIDE: usize = 20;

/// Where five points of an upright face lie, as fractions of a square picture: the eye on the left of the picture, the eye
/// on its right, the tip of the nose, the corner of the mouth on the left, the one on the right (the order of YuNet).
///
/// These are InsightFace's (`arcface_dst` in `insightface/utils/face_align.py`, in pixels of 112 whose centres are whole
/// numbers); they frame a face about as its box does without a margin.
pub const TEMPLATE: [(f32, f32); 5] = [
    ((38.2946 + 0.5) / 112.0, (51.6963 + 0.5) / 112.0),
    ((73.5318 + 0.5) / 112.0, (51.5014 + 0.5) / 112.0),
    ((56.0252 + 0.5) / 112.0, (71.7366 + 0.5) / 112.0),
    ((41.5493 + 0.5) / 112.0, (92.3655 + 0.5) / 112.0),
    ((70.7299 + 0.5) / 112.0, (92.2041 + 0.5) / 112.0),
];

/// A face's picture as a network wants it. Holds no reference to the frame, and is never printed.
#[derive(Clone)]
pub struct Portrait {
    pub(crate) values: Vec<f32>,
    /// Of the region that it shows; of an aligned one, as if the picture itself had been the frame.
    pub(crate) placement: Placement,
    /// From pixels of an aligned picture to the frame's.
    aligned: Option<Similarity>,
    layout: Layout,
}

impl Portrait {
    /// `bounds`: the face in pixels of the frame; grown by `margin` (0.2: 20 % wider and higher), clipped to the frame.
    /// `None` where less than 20 pixels a side remain.
    pub fn cut(frame: &Frame, bounds: &Rect, margin: f32, input: &InputSpec) -> Option<Self> {
        let placement = Self::placement(size(frame), bounds, margin, input)?;
        let mut values = vec![0.0; placement.values()];
        picture_into(frame, &placement, input, &mut Scratch::default(), &mut values);
        Some(Self { values, placement, aligned: None, layout: input.layout })
    }

    /// [`Portrait::cut`] straight into a batch: `out` gets 3 x `input.height` x `input.width` values in the network's
    /// layout. Returns where they come from, or `None`, with `out` as it was, where [`Portrait::cut`] gives none or `out` is
    /// shorter.
    pub fn cut_into(
        frame: &Frame,
        bounds: &Rect,
        margin: f32,
        input: &InputSpec,
        memory: &mut CutScratch,
        out: &mut [f32],
    ) -> Option<Placement> {
        let placement = Self::placement(size(frame), bounds, margin, input)?;
        Cut::Box(placement).write(frame, input, memory, out).then_some(placement)
    }

    /// What [`Portrait::cut`] would cut out of a frame of width and height `size`; `None` where it gives none.
    pub fn cut_of(size: (u32, u32), bounds: &Rect, margin: f32, input: &InputSpec) -> Option<Cut> {
        Self::placement(size, bounds, margin, input).map(Cut::Box)
    }

    fn placement(size: (u32, u32), bounds: &Rect, margin: f32, input: &InputSpec) -> Option<Placement> {
        let region = region(&bounds.grown(margin), size.0, size.1)?;
        Some(Placement::of_region(region, input, 1.0))
    }

    /// The face turned upright: moved, turned and scaled so that its five points (pixels of the frame, the corner of the
    /// first being 0, 0) come as close to `template` (fractions of the network's picture, see [`TEMPLATE`]) as they can. What
    /// lies beside the frame is black.
    ///
    /// `None`: the points are no face's (in one place, not numbers, far outside), or the picture would show less than 20
    /// pixels a side of the frame.
    pub fn cut_aligned(
        frame: &Frame,
        points: &[(f32, f32); 5],
        template: &[(f32, f32); 5],
        input: &InputSpec,
    ) -> Option<Self> {
        let (out_width, out_height) = (input.width as usize, input.height as usize);
        let mut values = vec![0.0; 3 * out_width * out_height];
        let memory = &mut CutScratch::default();
        let to_frame = Self::cut_aligned_into(frame, points, template, input, memory, &mut values)?;
        let placement = Placement {
            region: Region { x: 0, y: 0, width: out_width, height: out_height },
            left: 0,
            top: 0,
            canvas_width: f64::from(input.width),
            canvas_height: f64::from(input.height),
            out_width,
            out_height,
        };
        Some(Self { values, placement, aligned: Some(to_frame), layout: input.layout })
    }

    /// [`Portrait::cut_aligned`] straight into a batch, as [`Portrait::cut_into`]. Returns the way from pixels of the picture
    /// to the frame's.
    pub fn cut_aligned_into(
        frame: &Frame,
        points: &[(f32, f32); 5],
        template: &[(f32, f32); 5],
        input: &InputSpec,
        memory: &mut CutScratch,
        out: &mut [f32],
    ) -> Option<Similarity> {
        let upright = Self::upright(size(frame), points, template, input)?;
        let to_frame = *upright.to_frame();
        Cut::Upright(upright).write(frame, input, memory, out).then_some(to_frame)
    }

    /// What [`Portrait::cut_aligned`] would cut out of a frame of width and height `size`; `None` where it gives none.
    pub fn aligned_cut_of(
        size: (u32, u32),
        points: &[(f32, f32); 5],
        template: &[(f32, f32); 5],
        input: &InputSpec,
    ) -> Option<Cut> {
        Self::upright(size, points, template, input).map(Cut::Upright)
    }

    fn upright(
        size: (u32, u32),
        points: &[(f32, f32); 5],
        template: &[(f32, f32); 5],
        input: &InputSpec,
    ) -> Option<Upright> {
        let there = template.map(|(x, y)| (x * input.width as f32, y * input.height as f32));
        // Fitted in the picture, where all faces have one size, and not in the frame: the same measure for each.
        let to_frame = Similarity::fit(points, &there)?.inverse()?;
        if to_frame.scale() * (input.width.min(input.height) as f32) < LEAST_SIDE as f32 {
            return None;
        }
        Upright::new(size, &to_frame, input)
    }

    /// A point that a network found, placed by [`Portrait::placement`], in pixels of the frame.
    pub(crate) fn to_frame(&self, point: (f32, f32)) -> (f32, f32) {
        self.aligned.map_or(point, |to_frame| to_frame.apply(point))
    }

    /// The same face, left and right exchanged.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let mut mirrored = self.clone();
        mirror(&mut mirrored.values, self.placement.out_width, self.layout);
        mirrored
    }

    pub(crate) fn size(&self) -> (usize, usize) {
        (self.placement.out_width, self.placement.out_height)
    }
}

fn size(frame: &Frame) -> (u32, u32) {
    (frame.width(), frame.height())
}

/// Exchanges left and right of a picture of `width` pixels in a network's layout.
pub fn mirror(values: &mut [f32], width: usize, layout: Layout) {
    let width = width.max(1);
    match layout {
        Layout::Nchw => values.chunks_mut(width).for_each(<[f32]>::reverse),
        Layout::Nhwc => {
            for row in values.chunks_mut(width * 3) {
                row.reverse();
                // Reversing a row reversed the colours of each pixel too.
                row.chunks_mut(3).for_each(<[f32]>::reverse);
            }
        }
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
