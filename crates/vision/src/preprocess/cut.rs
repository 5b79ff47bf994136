//! Where a picture of a face comes from.

use super::{Placement, Scratch, Upright, WarpScratch, picture_into};
use crate::{Frame, spec::InputSpec};

/// Memory of cutting between two faces: nothing is allocated once it has seen the largest.
#[derive(Default)]
pub struct CutScratch {
    cut: Scratch,
    warp: WarpScratch,
}

impl CutScratch {
    /// Overwrites the pixels of faces that it still holds; tables and memory stay.
    pub fn wipe(&mut self) {
        self.cut.wipe();
        self.warp.wipe();
    }
}

/// Which part of a frame a picture shows: everything about it but the pixels. Decided once, by
/// [`crate::face::Portrait::cut_of`] and [`crate::face::Portrait::aligned_cut_of`], for frames in the computer's memory and
/// for those in a GPU's.
#[derive(Clone, Copy, PartialEq)]
pub enum Cut {
    /// A part of the frame, not turned, on a black canvas.
    Box(Placement),
    /// A turned part.
    Upright(Upright),
}

impl Cut {
    /// Writes the picture as `input` describes it into `out`: 3 x height x width values, see [`picture_into`]. `false`, with
    /// `out` as it was, where it is too short.
    pub fn write(&self, frame: &Frame, input: &InputSpec, memory: &mut CutScratch, out: &mut [f32]) -> bool {
        match self {
            Self::Box(placement) => match out.get_mut(..placement.values()) {
                Some(out) => {
                    picture_into(frame, placement, input, &mut memory.cut, out);
                    true
                }
                None => false,
            },
            Self::Upright(upright) => upright.cut_into(frame, input, &mut memory.warp, out),
        }
    }

    /// Width and height of the picture in pixels.
    pub fn size(&self, input: &InputSpec) -> (usize, usize) {
        match self {
            Self::Box(placement) => (placement.out_width, placement.out_height),
            Self::Upright(_) => (input.width as usize, input.height as usize),
        }
    }
}
