//! YuNet (Wu et al. 2023): anchor-free, three strides. The formulas are those of OpenCV's `FaceDetectorYN`
//! (`modules/objdetect/src/face_detect.cpp`, `postProcess`).

use super::{Candidates, DetectionDecoder, Outputs, item, scan, wrong_size};
use crate::{Rect, Result, runtime::Tensor, spec::Decoder};
use std::ops::Range;

pub(crate) const STRIDES: [usize; 3] = [8, 16, 32];

/// The first look compares squares, without a root; rounding must not lose a score that lies on the threshold.
pub(crate) const ROUNDING: f32 = 1e-5;

pub struct Yunet {
    model: String,
    pub(crate) levels: [Level; 3],
}

/// Indices of the outputs of one stride.
#[derive(Clone, Copy)]
pub(crate) struct Level {
    pub class: usize,
    pub object: usize,
    pub bounds: usize,
    pub points: usize,
}

impl Yunet {
    /// # Errors
    /// [`crate::Error::Shape`]
    pub fn bind(outputs: &Outputs) -> Result<Self> {
        let level = |stride: usize| {
            let named = |kind: &str, size: usize| {
                outputs.named(&format!("{kind}_{stride}"), &[None, None, Some(size)]).ok_or_else(|| {
                    outputs.mismatch("cls_S [N, C, 1], obj_S [N, C, 1], bbox_S [N, C, 4], kps_S [N, C, 10] for S = 8, 16, 32")
                })
            };
            Ok(Level {
                class: named("cls", 1)?,
                object: named("obj", 1)?,
                bounds: named("bbox", 4)?,
                points: named("kps", 10)?,
            })
        };
        let levels = [level(STRIDES[0])?, level(STRIDES[1])?, level(STRIDES[2])?];
        Ok(Self { model: outputs.spec.name.clone(), levels })
    }
}

/// The square of the confidence. Not a number if one of the two is none.
fn squared(class: f32, object: f32) -> f32 {
    class.clamp(0.0, 1.0) * object.clamp(0.0, 1.0)
}

impl DetectionDecoder for Yunet {
    fn candidates(
        &self,
        outputs: &[Tensor],
        picture: usize,
        (width, height): (usize, usize),
        threshold: f32,
        found: &mut Candidates,
    ) -> Result<()> {
        found.clear();
        for (stride, level) in STRIDES.into_iter().zip(self.levels) {
            let (columns, rows) = (width.div_ceil(stride), height.div_ceil(stride));
            let cells = columns * rows;
            let values = |output: usize, per_cell: usize| {
                let values = item(outputs, output, picture);
                if values.len() == cells * per_cell {
                    return Ok(values);
                }
                let expected = format!("{per_cell} x {cells} (stride {stride} of {width}x{height})");
                Err(wrong_size(&self.model, Decoder::Yunet, &expected, values.len()))
            };
            let (classes, objects) = (values(level.class, 1)?, values(level.object, 1)?);
            let (bounds, points) = (values(level.bounds, 4)?, values(level.points, 10)?);
            // Pixels of the input as fractions of it.
            let (sx, sy) = (stride as f32 / width as f32, stride as f32 / height as f32);
            let read = |range: Range<usize>, squares: &mut [f32]| {
                let pairs = classes[range.clone()].iter().zip(&objects[range]);
                squares.iter_mut().zip(pairs).for_each(|(square, (c, o))| *square = squared(*c, *o));
            };
            let bound = threshold * threshold * (1.0 - ROUNDING);
            found.scan(cells, bound, read, |found, cell| {
                let confidence = squared(classes[cell], objects[cell]).sqrt();
                if confidence.is_nan() {
                    scan::checked(&self.model, &format!("cls_{stride} or obj_{stride}"), confidence)?;
                }
                if confidence < threshold {
                    return Ok(());
                }
                let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
                let b = &bounds[cell * 4..cell * 4 + 4];
                let (w, h) = (b[2].exp(), b[3].exp());
                let bounds = Rect::new(column + b[0] - w / 2.0, row + b[1] - h / 2.0, w, h).scaled(sx, sy);
                let p = &points[cell * 10..cell * 10 + 10];
                let points = std::array::from_fn(|i| ((column + p[2 * i]) * sx, (row + p[2 * i + 1]) * sy));
                found.push(bounds, confidence, Some(points));
                Ok(())
            })?;
        }
        Ok(())
    }
    fn default_threshold(&self) -> f32 {
        0.7
    }
    /// As OpenCV's `FaceDetectorYN`: one face must not count as two.
    fn default_iou(&self) -> f32 {
        0.3
    }
}
