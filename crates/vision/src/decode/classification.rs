//! One probability per class.

use super::{Outputs, item, softmax, wrong_size};
use crate::{Error, Result, runtime::Tensor, spec::Decoder};

pub struct Classification {
    model: String,
    classes: usize,
}

impl Classification {
    /// # Errors
    /// [`Error::Shape`], also if there are not as many labels in the description as classes.
    pub fn bind(outputs: &Outputs) -> Result<Self> {
        let classes = outputs.spec.labels.len();
        if classes == 0 {
            return Err(Error::Shape {
                model: outputs.spec.name.clone(),
                decoder: Decoder::Classification.name(),
                problem: "the description gives no labels".into(),
            });
        }
        if outputs.only(&[None, Some(classes)]).is_none() {
            return Err(outputs.mismatch(&format!("one [N, {classes}] (as many as labels)")));
        }
        Ok(Self { model: outputs.spec.name.clone(), classes })
    }

    /// Probabilities that sum up to 1. Where the network gives logits (a negative value, or a sum that is not 1) they are
    /// turned into probabilities.
    ///
    /// # Errors
    /// [`Error::Shape`] if the batch has no such picture, or a value is not a number.
    pub fn decode(&self, outputs: &[Tensor], picture: usize) -> Result<Vec<f32>> {
        let values = item(outputs, 0, picture);
        if values.len() != self.classes || values.iter().any(|v| !v.is_finite()) {
            let expected = format!("{} finite", self.classes);
            return Err(wrong_size(&self.model, Decoder::Classification, &expected, values.len()));
        }
        let total: f32 = values.iter().sum();
        let probabilities = values.iter().all(|v| *v >= 0.0) && (total - 1.0).abs() < 0.01;
        Ok(if probabilities { values.to_vec() } else { softmax(values) })
    }
}

/// Makes an overconfident distribution honest: its logits divided by `temperature` (above 0; 1 changes nothing).
pub fn cooled(probabilities: &[f32], temperature: f32) -> Vec<f32> {
    // The logarithm of a probability is its logit up to a constant, which softmax does not see.
    let logits: Vec<f32> =
        probabilities.iter().map(|p| p.max(f32::MIN_POSITIVE).ln() / temperature).collect();
    softmax(&logits)
}
