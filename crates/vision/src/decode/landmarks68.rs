//! 68 points of a face in the order of iBUG 300-W.

use super::{Outputs, item, wrong_size};
use crate::{Result, preprocess::Placement, runtime::Tensor, spec::Decoder};

pub const POINTS: usize = 68;

pub struct Landmarks68 {
    model: String,
}

impl Landmarks68 {
    /// # Errors
    /// [`crate::Error::Shape`]
    pub fn bind(outputs: &Outputs) -> Result<Self> {
        match outputs.only(&[None, Some(POINTS * 2)]) {
            Some(_) => Ok(Self { model: outputs.spec.name.clone() }),
            None => Err(outputs.mismatch("one [N, 136]")),
        }
    }

    /// The points in pixels of the frame that the picture was cut out of at `placed`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the batch has no such picture.
    pub fn decode(&self, outputs: &[Tensor], picture: usize, placed: &Placement) -> Result<Vec<(f32, f32)>> {
        let values = item(outputs, 0, picture);
        if values.len() != POINTS * 2 {
            return Err(wrong_size(&self.model, Decoder::Landmarks68, "136", values.len()));
        }
        let point = |xy: &[f32]| {
            let there = placed.to_frame(&crate::Rect::new(xy[0], xy[1], 0.0, 0.0));
            (there.x, there.y)
        };
        Ok(values.chunks_exact(2).map(point).collect())
    }
}
