//! Single-shot detector with its anchors inside the network.

use super::{Candidates, DetectionDecoder, Outputs, item, scan, wrong_size};
use crate::{Rect, Result, runtime::Tensor, spec::Decoder};

pub struct SsdFace {
    model: String,
    pub(crate) boxes: usize,
    pub(crate) scores: usize,
}

impl SsdFace {
    /// # Errors
    /// [`crate::Error::Shape`]
    pub fn bind(outputs: &Outputs) -> Result<Self> {
        let boxes = outputs.named("boxes", &[None, None, Some(4)]);
        let scores = outputs.named("scores", &[None, None]);
        let (Some(boxes), Some(scores)) = (boxes, scores) else {
            return Err(outputs.mismatch("boxes [N, K, 4], scores [N, K]"));
        };
        Ok(Self { model: outputs.spec.name.clone(), boxes, scores })
    }
}

impl DetectionDecoder for SsdFace {
    fn candidates(
        &self,
        outputs: &[Tensor],
        picture: usize,
        _input: (usize, usize),
        threshold: f32,
        found: &mut Candidates,
    ) -> Result<()> {
        found.clear();
        let (boxes, scores) = (item(outputs, self.boxes, picture), item(outputs, self.scores, picture));
        if boxes.len() != scores.len() * 4 || scores.is_empty() {
            let expected = format!("4 x {} box", scores.len());
            return Err(wrong_size(&self.model, Decoder::SsdFace, &expected, boxes.len()));
        }
        found.scan(
            scores.len(),
            threshold,
            |range, out| out.copy_from_slice(&scores[range]),
            |found, index| {
                let score = scan::checked(&self.model, "scores", scores[index])?;
                let b = &boxes[index * 4..index * 4 + 4];
                if score > threshold {
                    found.push(Rect::from_corners(b[1], b[0], b[3], b[2]), score, None);
                }
                Ok(())
            },
        )
    }
    fn default_threshold(&self) -> f32 {
        0.5
    }
    fn default_iou(&self) -> f32 {
        0.5
    }
}
