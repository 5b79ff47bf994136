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

    /// Probabilities that sum up to 1. Where the network gives logits (a value below 0, or a sum that is not 1, by more than rounding) they are
    /// turned into probabilities.
    ///
    /// # Errors
    /// [`Error::Shape`] if the batch has no such picture, or a value is not a number.
    pub fn decode(&self, outputs: &[Tensor], picture: usize) -> Result<Vec<f32>> {
        let values = self.values(outputs, picture)?;
        let positive = |value: &f32| value.max(0.0);
        Ok(if is_distribution(values) { values.iter().map(positive).collect() } else { softmax(values) })
    }

    /// The same with the logits divided by `temperature` (above 0), which makes an overconfident network honest. `each` is
    /// told every class and its probability; nothing is allocated.
    ///
    /// # Errors
    /// As [`Classification::decode`].
    pub fn decode_cooled(
        &self,
        outputs: &[Tensor],
        picture: usize,
        temperature: f32,
        mut each: impl FnMut(usize, f32),
    ) -> Result<()> {
        let values = self.values(outputs, picture)?;
        let distribution = is_distribution(values);
        // The logarithm of a probability is its logit up to a constant, which does not matter here.
        let logit = |value: f32| {
            let logit = if distribution { value.max(f32::MIN_POSITIVE).ln() } else { value };
            logit / temperature
        };
        let most = values.iter().map(|v| logit(*v)).fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = values.iter().map(|v| (logit(*v) - most).exp()).sum();
        values.iter().enumerate().for_each(|(class, v)| each(class, (logit(*v) - most).exp() / total));
        Ok(())
    }

    /// As many finite values as classes.
    fn values<'a>(&self, outputs: &'a [Tensor], picture: usize) -> Result<&'a [f32]> {
        let values = item(outputs, 0, picture);
        if values.len() != self.classes || values.iter().any(|v| !v.is_finite()) {
            let expected = format!("{} finite", self.classes);
            return Err(wrong_size(&self.model, Decoder::Classification, &expected, values.len()));
        }
        Ok(values)
    }
}

/// How far below 0 a probability, and how far from 1 their sum, may come to lie by rounding: of a runtime that computes with
/// few bits, and of a picture whose white is a little above 255.
const ROUNDING: f32 = 0.01;

fn is_distribution(values: &[f32]) -> bool {
    values.iter().all(|v| *v >= -ROUNDING) && (values.iter().sum::<f32>() - 1.0).abs() < ROUNDING
}
