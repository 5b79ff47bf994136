//! Tiny YOLO v2 with depthwise-separable convolutions, as face-api trained it for faces.

use super::{Candidates, DetectionDecoder, Outputs, item, scan, sigmoid, wrong_size};
use crate::{Rect, Result, runtime::Tensor, spec::Decoder};
use std::ops::Range;

/// Width and height in cells, from face-api's `TinyFaceDetector`.
const ANCHORS: [(f32, f32); 5] = [
    (1.603_231, 2.094_468),
    (6.041_143, 7.080_126),
    (2.882_459, 3.518_061),
    (4.266_906, 5.178_857),
    (9.041_765, 10.663_08),
];
/// The first look must not lose what lies on the threshold.
const ROUNDING: f32 = 1e-3;
/// tx, ty, tw, th, objectness.
const VALUES: usize = 5;

pub struct TinyYoloFace {
    model: String,
    grid: usize,
}

impl TinyYoloFace {
    /// # Errors
    /// [`crate::Error::Shape`]
    pub fn bind(outputs: &Outputs) -> Result<Self> {
        let grid = outputs.only(&[None, Some(ANCHORS.len() * VALUES), None, None]);
        let grid = grid.ok_or_else(|| outputs.mismatch("one [N, 25, G, G]"))?;
        Ok(Self { model: outputs.spec.name.clone(), grid })
    }
}

impl DetectionDecoder for TinyYoloFace {
    fn candidates(
        &self,
        outputs: &[Tensor],
        picture: usize,
        _input: (usize, usize),
        threshold: f32,
        found: &mut Candidates,
    ) -> Result<()> {
        found.clear();
        let grid = item(outputs, self.grid, picture);
        let shape = outputs.get(self.grid).map_or(&[][..], Tensor::shape);
        let (Some(&rows), Some(&columns)) = (shape.get(2), shape.get(3)) else {
            return Err(wrong_size(&self.model, Decoder::TinyYoloFace, "25 x G x G", grid.len()));
        };
        let cells = rows * columns;
        if cells == 0 || grid.len() != ANCHORS.len() * VALUES * cells {
            return Err(wrong_size(&self.model, Decoder::TinyYoloFace, "25 x G x G", grid.len()));
        }
        // Objectness comes as a logit; a sigmoid rises, so that its inverse of the threshold is compared in the first look.
        let bound = (threshold / (1.0 - threshold)).ln() - ROUNDING;
        for (anchor, values) in ANCHORS.iter().zip(grid.chunks_exact(VALUES * cells)) {
            let value = |index: usize, cell: usize| values[index * cells + cell];
            let read = |range: Range<usize>, out: &mut [f32]| {
                out.copy_from_slice(&values[4 * cells + range.start..4 * cells + range.end]);
            };
            found.scan(cells, bound, read, |found, cell| {
                let confidence = scan::checked(&self.model, "grid", sigmoid(value(4, cell)))?;
                if confidence <= threshold {
                    return Ok(());
                }
                let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
                let (columns, rows) = (columns as f32, rows as f32);
                let x = (column + sigmoid(value(0, cell))) / columns;
                let y = (row + sigmoid(value(1, cell))) / rows;
                let width = value(2, cell).exp() * anchor.0 / columns;
                let height = value(3, cell).exp() * anchor.1 / rows;
                found.push(Rect::new(x - width / 2.0, y - height / 2.0, width, height), confidence, None);
                Ok(())
            })?;
        }
        Ok(())
    }
    fn default_threshold(&self) -> f32 {
        0.5
    }
    fn default_iou(&self) -> f32 {
        0.4
    }
}
