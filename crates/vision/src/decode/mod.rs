//! Reading what networks put out. Each decoder finds its outputs when the network is loaded, so that a network that does
//! not fit is refused with both shapes named, and reads them after each run.
//!
//! | decoder | outputs |
//! |---|---|
//! | `ssd-face` | `boxes` [N,K,4] (ymin, xmin, ymax, xmax as fractions of the input), `scores` [N,K] 0..=1 |
//! | `ultralight` | `scores` [N,K,2] 0..=1 (background, face), `boxes` [N,K,4]: offsets from K anchors |
//! | `ultralight-decoded` | the same; `boxes` are xmin, ymin, xmax, ymax as fractions of the input |
//! | `tiny-yolo-face` | one [N,25,G,G]: 5 anchors of tx, ty, tw, th, objectness |
//! | `yunet` | `cls_S` [N,C,1], `obj_S` [N,C,1], `bbox_S` [N,C,4], `kps_S` [N,C,10] for S = 8, 16, 32, C = cells |
//! | `landmarks-68` | one [N,136]: x, y as fractions of the input |
//! | `age-gender` | `age` [N,1] years, `gender` [N,2] probabilities of male, female |
//! | `age-distribution` | `age` [N,K] probabilities of 1 to K years, `gender` [N,1] log-odds of male; no other output |
//! | `classification` | one [N,classes]: probabilities, or logits, which are then turned into probabilities |

pub mod age_distribution;
pub mod age_gender;
mod candidates;
pub mod classification;
pub mod landmarks68;
mod nms;
mod scan;
pub mod ssd_face;
pub mod tiny_yolo_face;
pub mod ultralight;
pub mod yunet;

pub use candidates::Candidates;
pub(crate) use scan::checked;

use crate::{
    Error, Rect, Result,
    runtime::{Description, Tensor},
    spec::{Decoder, ModelSpec},
};

/// A face found in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// In what unit, the function that returns it says.
    pub bounds: Rect,
    /// 0..=1.
    pub confidence: f32,
    /// Right eye, left eye, nose, right and left corner of the mouth (the person's own right), where the network tells.
    pub points: Option<[(f32, f32); 5]>,
}

/// A detector's outputs, bound to a decoder.
pub trait DetectionDecoder: Send + Sync {
    /// Candidates with at least `threshold` confidence in picture `item` of the batch, as fractions of the input, before
    /// duplicates are suppressed, in place of what `found` held. `input`: the input's width and height in pixels. Takes no
    /// memory once `found` has grown to what pictures need.
    ///
    /// # Errors
    /// [`Error::Shape`] if the outputs do not belong to such an input; [`Error::Inference`] if a score is no number or no
    /// probability. A box that is none (not finite, no area) is left out.
    fn candidates(
        &self,
        outputs: &[Tensor],
        item: usize,
        input: (usize, usize),
        threshold: f32,
        found: &mut Candidates,
    ) -> Result<()>;
    /// Used where neither the description nor the user gives one.
    fn default_threshold(&self) -> f32;
    fn default_iou(&self) -> f32;
}

/// The decoder that `spec` names, bound to a network's outputs.
///
/// # Errors
/// [`Error::Shape`], naming the outputs expected and found.
pub fn detector(spec: &ModelSpec, network: &Description) -> Result<Box<dyn DetectionDecoder>> {
    let outputs = Outputs { spec, network };
    match spec.decoder {
        Decoder::SsdFace => Ok(Box::new(ssd_face::SsdFace::bind(&outputs)?)),
        Decoder::TinyYoloFace => Ok(Box::new(tiny_yolo_face::TinyYoloFace::bind(&outputs)?)),
        Decoder::Ultralight | Decoder::UltralightDecoded => {
            Ok(Box::new(ultralight::Ultralight::bind(&outputs)?))
        }
        Decoder::Yunet => Ok(Box::new(yunet::Yunet::bind(&outputs)?)),
        other => {
            Err(Error::Role { model: spec.name.clone(), found: other.name(), wanted: "a face detector" })
        }
    }
}

/// A network's outputs, to be looked up by name and shape.
pub struct Outputs<'a> {
    pub spec: &'a ModelSpec,
    pub network: &'a Description,
}

impl Outputs<'_> {
    /// Index of the output `name` if its shape can be `shape` (`None`: any size).
    fn named(&self, name: &str, shape: &[Option<usize>]) -> Option<usize> {
        self.network.outputs.iter().position(|port| port.name == name && fits(&port.shape, shape))
    }

    /// Index of the only output, whatever its name, if its shape can be `shape`.
    fn only(&self, shape: &[Option<usize>]) -> Option<usize> {
        matches!(self.network.outputs.as_slice(), [port] if fits(&port.shape, shape)).then_some(0)
    }

    fn mismatch(&self, expected: &str) -> Error {
        let found: Vec<String> = self.network.outputs.iter().map(ToString::to_string).collect();
        Error::Shape {
            model: self.spec.name.clone(),
            decoder: self.spec.decoder.name(),
            problem: format!("expected the outputs {expected}; found {}", found.join(", ")),
        }
    }
}

/// Whether two shapes can be the same, `None` standing for any size.
fn fits(found: &[Option<usize>], wanted: &[Option<usize>]) -> bool {
    found.len() == wanted.len()
        && found
            .iter()
            .zip(wanted)
            .all(|(found, wanted)| found.is_none() || wanted.is_none() || found == wanted)
}

/// The error for outputs that turn out at run time to have another size than their input calls for.
pub(crate) fn wrong_size(model: &str, decoder: Decoder, expected: &str, found: usize) -> Error {
    Error::Shape {
        model: model.to_owned(),
        decoder: decoder.name(),
        problem: format!("expected {expected} values per picture; found {found}"),
    }
}

fn item(outputs: &[Tensor], output: usize, picture: usize) -> &[f32] {
    outputs.get(output).map_or(&[], |tensor| tensor.item(picture))
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Turns logits into probabilities. Also with infinite ones, as long as one is finite.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().filter(|v| v.is_finite()).fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> =
        logits.iter().map(|v| (v - most).exp()).map(|p| if p.is_nan() { 0.0 } else { p }).collect();
    let total: f32 = powers.iter().sum();
    powers.iter().map(|p| if total > 0.0 { p / total } else { 0.0 }).collect()
}
