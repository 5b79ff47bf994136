//! Ultra-Light-Fast-Generic-Face-Detector-1MB (Linzaer 2019): RFB-320, slim-320, and their kin of other sizes. An SSD whose scores
//! are normalised inside the network, and whose boxes are decoded inside some files and not in others:
//!
//! | decoder | files upstream | `boxes` |
//! |---|---|---|
//! | `ultralight` | `…_simplified.onnx`, `…_without_postprocessing.onnx` | offsets from the anchors |
//! | `ultralight-decoded` | `version-RFB-320.onnx`, `version-slim-320.onnx`, `…-640.onnx` | corners |
//!
//! Names and shapes are the same; a file that is described as the other kind is noticed by its values.
//!
//! Sources, in the original repository: anchors of `vision/ssd/config/fd_config.py` and `generate_priors` of
//! `vision/utils/box_utils.py`, offsets of its `convert_locations_to_boxes`, threshold and overlap of
//! `caffe/ultra_face_opencvdnn_inference.py` (other scripts allow an overlap of 0.5; one face must not count as two). That script
//! places the anchors by the stride instead of by the grid, which differs where a side is no multiple of the stride. On RFB-320,
//! compared with YuNet's boxes, large faces then lie lower by 10.2 and 7.2 of 240 pixels on average (strides 32 and 64); by the
//! grid by -0.8 and 0.9 (680 placements of 200 FairFace crops on a black picture).
//!
//! Two differences from `hard_nms`, which photographs do not show: the original compares the 200 best candidates where this
//! takes up to 1000, and adds 1e-5 to the union of two boxes.

use super::{Candidates, DetectionDecoder, Outputs, item, scan, wrong_size};
use crate::{Error, Rect, Result, runtime::Tensor, spec::Decoder};

/// Background, face.
const CLASSES: usize = 2;

/// Pixels of the input per cell, and the sides of the anchors in each cell in pixels.
const LEVELS: [(usize, &[f32]); 4] =
    [(8, &[10.0, 16.0, 24.0]), (16, &[32.0, 48.0]), (32, &[64.0, 96.0]), (64, &[128.0, 192.0, 256.0])];
const CENTRE_VARIANCE: f32 = 0.1;
const SIZE_VARIANCE: f32 = 0.2;

/// What the output `boxes` holds.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Offsets,
    Corners,
}

pub struct Ultralight {
    model: String,
    form: Form,
    boxes: usize,
    scores: usize,
}

impl Ultralight {
    /// # Errors
    /// [`Error::Shape`]
    pub fn bind(outputs: &Outputs) -> Result<Self> {
        let boxes = outputs.named("boxes", &[None, None, Some(4)]);
        let scores = outputs.named("scores", &[None, None, Some(CLASSES)]);
        let (Some(boxes), Some(scores)) = (boxes, scores) else {
            return Err(outputs.mismatch("boxes [N, K, 4], scores [N, K, 2]"));
        };
        let decoded = outputs.spec.decoder == Decoder::UltralightDecoded;
        let form = if decoded { Form::Corners } else { Form::Offsets };
        Ok(Self { model: outputs.spec.name.clone(), form, boxes, scores })
    }

    fn decoder(&self) -> Decoder {
        if self.form == Form::Corners { Decoder::UltralightDecoded } else { Decoder::Ultralight }
    }

    fn misdescribed(&self, problem: &str) -> Error {
        Error::Shape {
            model: self.model.clone(),
            decoder: self.decoder().name(),
            problem: problem.to_owned(),
        }
    }
}

/// How many anchors a picture of this size has.
fn anchors(width: usize, height: usize) -> usize {
    LEVELS
        .iter()
        .map(|(stride, sides)| width.div_ceil(*stride) * height.div_ceil(*stride) * sides.len())
        .sum()
}

/// Centre and size of an anchor, as fractions of the input. `None` if there are not as many.
fn anchor(mut index: usize, width: usize, height: usize) -> Option<Rect> {
    for (stride, sides) in LEVELS {
        let (columns, rows) = (width.div_ceil(stride), height.div_ceil(stride));
        let count = columns * rows * sides.len();
        if index >= count {
            index -= count;
            continue;
        }
        let (cell, side) = (index / sides.len(), sides[index % sides.len()]);
        return Some(Rect {
            x: ((cell % columns) as f32 + 0.5) / columns as f32,
            y: ((cell / columns) as f32 + 0.5) / rows as f32,
            width: (side / width as f32).min(1.0),
            height: (side / height as f32).min(1.0),
        });
    }
    None
}

/// The box that lies at an offset from an anchor.
fn at_offset(anchor: &Rect, offset: &[f32; 4]) -> Rect {
    let [x, y, width, height] = *offset;
    let (width, height) =
        ((width * SIZE_VARIANCE).exp() * anchor.width, (height * SIZE_VARIANCE).exp() * anchor.height);
    let (x, y) =
        (x * CENTRE_VARIANCE * anchor.width + anchor.x, y * CENTRE_VARIANCE * anchor.height + anchor.y);
    Rect::new(x - width / 2.0, y - height / 2.0, width, height)
}

fn inverted([left, top, right, bottom]: &[f32; 4]) -> bool {
    right < left || bottom < top
}

impl DetectionDecoder for Ultralight {
    fn candidates(
        &self,
        outputs: &[Tensor],
        picture: usize,
        (width, height): (usize, usize),
        threshold: f32,
        found: &mut Candidates,
    ) -> Result<()> {
        found.clear();
        let (boxes, scores) = (item(outputs, self.boxes, picture), item(outputs, self.scores, picture));
        let (pairs, _) = scores.as_chunks::<CLASSES>();
        let (places, _) = boxes.as_chunks::<4>();
        let count = match self.form {
            Form::Offsets => anchors(width, height),
            Form::Corners => pairs.len(),
        };
        if boxes.len() != count * 4 || scores.len() != count * CLASSES || count == 0 {
            let expected = format!("{count} x 4 box and {count} x 2 score");
            return Err(wrong_size(&self.model, self.decoder(), &expected, boxes.len() + scores.len()));
        }
        // Of offsets about three of four look inverted, so that this ends after a few boxes.
        if self.form == Form::Offsets && !places.iter().any(inverted) {
            return Err(self.misdescribed(
                "its boxes are corners already; such a file needs decoder = \"ultralight-decoded\"",
            ));
        }
        found.scan(
            count,
            threshold,
            |range, out| out.iter_mut().zip(&pairs[range]).for_each(|(out, [_, face])| *out = *face),
            |found, index| {
                let score = scan::checked(&self.model, "scores", pairs[index][1])?;
                let place = &places[index];
                if score <= threshold {
                    return Ok(());
                }
                let bounds = match self.form {
                    Form::Offsets => {
                        anchor(index, width, height).map(|anchor| at_offset(&anchor, place)).unwrap_or_default()
                    }
                    Form::Corners if inverted(place) => {
                        return Err(self.misdescribed(
                            "its boxes are no corners; a file without its post-processing needs decoder = \"ultralight\"",
                        ));
                    }
                    Form::Corners => Rect::from_corners(place[0], place[1], place[2], place[3]),
                };
                found.push(bounds, score, None);
                Ok(())
            },
        )
    }
    fn default_threshold(&self) -> f32 {
        0.7
    }
    fn default_iou(&self) -> f32 {
        0.3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anchors_are_the_originals() {
        assert_eq!(anchors(320, 240), 4420);
        assert_eq!(anchors(640, 480), 17640);
        assert_eq!(anchor(0, 320, 240), Some(Rect::new(0.0125, 0.5 / 30.0, 10.0 / 320.0, 10.0 / 240.0)));
        // The last row of stride 64 reaches beyond the picture; by the grid its centre is at 7/8 of the height.
        let last = Rect::new(0.9, 0.875, 0.8, 1.0);
        assert_eq!(anchor(4419, 320, 240), Some(last));
        assert_eq!(anchor(4420, 320, 240), None);
    }
}
