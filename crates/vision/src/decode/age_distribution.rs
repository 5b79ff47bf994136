//! Age as a distribution over years, and gender as one logit.

use super::{Outputs, age_gender::Estimate, item, wrong_size};
use crate::{Result, runtime::Tensor, spec::Decoder};

/// The first class is the age of one year.
const FIRST_YEAR: f32 = 1.0;

/// `age` [N,K] probabilities of the ages 1 to K years, `gender` [N,1] log-odds of male (before any sigmoid, which would cost
/// the digits that calibration needs).
pub struct AgeDistribution {
    model: String,
    age: usize,
    gender: usize,
}

impl AgeDistribution {
    /// # Errors
    /// [`crate::Error::Shape`], also if there is any output beside the two: networks of this kind are often published with
    /// an identity vector as a third, which is biometric identification and never computed here.
    pub fn bind(outputs: &Outputs) -> Result<Self> {
        let age = outputs.named("age", &[None, None]);
        let gender = outputs.named("gender", &[None, Some(1)]);
        match (age, gender) {
            (Some(age), Some(gender)) if outputs.network.outputs.len() == 2 => {
                Ok(Self { model: outputs.spec.name.clone(), age, gender })
            }
            _ => Err(outputs.mismatch("age [N, years], gender [N, 1] and no other (no identity vector)")),
        }
    }

    /// `years` is the mean of the distribution.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if there is no such picture in the batch; a number that is none; no probability.
    pub fn decode(&self, outputs: &[Tensor], picture: usize) -> Result<Estimate> {
        let (age, gender) = (item(outputs, self.age, picture), item(outputs, self.gender, picture));
        let total: f32 = age.iter().sum();
        let sum: f32 = age.iter().zip(0_u16..).map(|(p, i)| p * (f32::from(i) + FIRST_YEAR)).sum();
        match gender {
            [male] if male.is_finite() && sum.is_finite() && total > 0.5 => {
                Ok(Estimate::from_logit(sum / total, -male))
            }
            _ => {
                let expected = "age probabilities and 1 gender (finite)";
                Err(wrong_size(&self.model, Decoder::AgeDistribution, expected, age.len() + gender.len()))
            }
        }
    }
}
