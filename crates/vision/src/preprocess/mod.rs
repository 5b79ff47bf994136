//! Frame to tensor: one pass over the pixels that the network will see, straight from the frame's own layout.
//!
//! Colour is converted once per output pixel: interpolation and the YUV matrix are both linear, so their order does not
//! matter, and the output is small where the frame is large.

mod axis;
mod finish;
mod placement;
mod planes;
pub mod reference;
mod twotap;
mod warp;

pub use placement::{Placement, Region};
pub use warp::{WarpScratch, warp_into};

use crate::{
    Frame,
    spec::{InputSpec, Resize},
};
use finish::Finish;
use twotap::TwoTapScratch;

/// Memory of [`picture_into`] between two pictures. One per thread and purpose: pictures of the same placement and
/// format find their tables here, and nothing is allocated once the largest was made.
#[derive(Default)]
pub struct Scratch {
    two_tap: TwoTapScratch,
    rows: [Vec<f32>; 3],
    plain: bool,
}

impl Scratch {
    /// For pictures made without SIMD instructions, as on a processor that has none of those used here: slower, and the
    /// same numbers.
    pub fn plain() -> Self {
        Self { plain: true, ..Self::default() }
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
    let placement = &placement.within(frame);
    let Scratch { two_tap, rows, plain } = scratch;
    let mut finish = Finish::new(frame, placement, input, rows, out, !*plain && simd());
    match input.resize {
        Resize::Bilinear => twotap::scale(frame, placement, true, two_tap, &mut finish),
        Resize::BilinearLegacy => twotap::scale(frame, placement, false, two_tap, &mut finish),
        Resize::Antialias => {
            drop(finish);
            out.copy_from_slice(&reference::picture(frame, placement, input));
        }
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
