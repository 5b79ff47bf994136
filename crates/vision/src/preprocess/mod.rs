//! Frame to tensor: one pass over the pixels that the network will see, straight from the frame's own layout.
//!
//! Colour is converted once per output pixel: interpolation and the YUV matrix are both linear, so their order does not
//! matter, and the output is small where the frame is large.

mod area;
pub(crate) mod axis;
mod cut;
mod finish;
mod placement;
mod planes;
pub mod reference;
mod twotap;
mod warp;

pub use cut::{Cut, CutScratch};
pub use placement::{Placement, Region};
pub use warp::{Upright, WarpScratch, warp_into};

use crate::{
    Frame,
    spec::{InputSpec, Resize},
};
use area::AreaScratch;
use finish::Finish;
use twotap::TwoTapScratch;

/// Memory of [`picture_into`] between two pictures. One per thread and purpose: pictures of the same placement and
/// format find their tables here, and nothing is allocated once the largest was made.
#[derive(Default)]
pub struct Scratch {
    two_tap: TwoTapScratch,
    area: AreaScratch,
    rows: [Vec<f32>; 3],
    plain: bool,
}

impl Scratch {
    /// For pictures made without SIMD instructions, as on a processor that has none of those used here: slower, and the
    /// same numbers.
    pub fn plain() -> Self {
        Self { plain: true, ..Self::default() }
    }

    /// Overwrites the rows of pixels that it still holds; tables stay.
    pub fn wipe(&mut self) {
        self.rows.iter_mut().for_each(|row| row.fill(0.0));
        self.two_tap.wipe();
        self.area.wipe();
    }
}

/// Writes the picture as `input` describes it: [`Placement::values`] values (3 x `out_height` x `out_width`, or
/// `out_height` x `out_width` x 3), normalised. A region that reaches beyond the frame is clipped. An `out` that is too
/// short is left as it is.
pub fn picture_into(
    frame: &Frame,
    placement: &Placement,
    input: &InputSpec,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let Some(out) = out.get_mut(..placement.values()) else { return };
    let placement = &placement.within((frame.width(), frame.height()));
    let Scratch { two_tap, area, rows, plain } = scratch;
    let mut finish = Finish::new(frame, placement, input, rows, out, !*plain && simd());
    match input.resize {
        Resize::Bilinear => twotap::scale(frame, placement, true, two_tap, &mut finish),
        Resize::BilinearLegacy => twotap::scale(frame, placement, false, two_tap, &mut finish),
        Resize::Antialias => area::scale(frame, placement, area, &mut finish),
    }
}

/// Whether this processor has what the fast paths are written for. The plain ones give the same numbers.
fn simd() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx2")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// [`picture_into`] with memory of its own.
pub fn picture(frame: &Frame, placement: &Placement, input: &InputSpec) -> Vec<f32> {
    let mut values = vec![0.0; placement.values()];
    picture_into(frame, placement, input, &mut Scratch::default(), &mut values);
    values
}

/// A picture together with the memory that it is made in: the next one of the same size allocates nothing.
#[derive(Default)]
pub struct Picture {
    placement: Placement,
    values: Vec<f32>,
    scratch: Scratch,
}

impl Picture {
    /// Replaces it, see [`picture_into`].
    pub fn make(&mut self, frame: &Frame, placement: &Placement, input: &InputSpec) {
        self.placement = *placement;
        self.values.resize(placement.values(), 0.0);
        picture_into(frame, placement, input, &mut self.scratch, &mut self.values);
    }

    pub fn placement(&self) -> &Placement {
        &self.placement
    }
    /// Width and height.
    pub fn size(&self) -> (usize, usize) {
        (self.placement.out_width, self.placement.out_height)
    }
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Overwrites the pixels.
    pub fn wipe(&mut self) {
        self.values.fill(0.0);
        self.scratch.wipe();
    }
}
