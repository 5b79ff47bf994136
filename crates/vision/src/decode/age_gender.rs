//! Age and gender.

use super::{Outputs, item, sigmoid, wrong_size};
use crate::{Result, runtime::Tensor, spec::Decoder};

pub struct AgeGender {
    model: String,
    age: usize,
    gender: usize,
}

/// One look at one face. Never printed.
#[derive(Clone, Copy, PartialEq)]
pub struct Estimate {
    pub years: f32,
    /// Probability, 0..=1; that of male is the rest.
    pub female: f32,
}

/// Log-odds beyond this are rounding: a 32-bit softmax cannot tell them apart.
const MOST_LOGIT: f32 = 14.0;

impl Estimate {
    /// `logit`: log-odds of female.
    pub fn from_logit(years: f32, logit: f32) -> Self {
        Self { years, female: sigmoid(logit) }
    }

    /// Log-odds of female, -14..=14.
    pub fn logit(&self) -> f32 {
        (self.female.ln() - (1.0 - self.female).ln()).clamp(-MOST_LOGIT, MOST_LOGIT)
    }
}

impl AgeGender {
    /// # Errors
    /// [`crate::Error::Shape`]
    pub fn bind(outputs: &Outputs) -> Result<Self> {
        let age = outputs.named("age", &[None, Some(1)]);
        let gender = outputs.named("gender", &[None, Some(2)]);
        let (Some(age), Some(gender)) = (age, gender) else {
            return Err(outputs.mismatch("age [N, 1], gender [N, 2]"));
        };
        Ok(Self { model: outputs.spec.name.clone(), age, gender })
    }

    /// # Errors
    /// [`crate::Error::Shape`] if there is no such picture in the batch; a number that is none.
    pub fn decode(&self, outputs: &[Tensor], picture: usize) -> Result<Estimate> {
        match (item(outputs, self.age, picture), item(outputs, self.gender, picture)) {
            ([years], [_, female]) if years.is_finite() && female.is_finite() => {
                Ok(Estimate { years: *years, female: female.clamp(0.0, 1.0) })
            }
            (age, gender) => {
                let expected = "1 age and 2 gender (finite)";
                Err(wrong_size(&self.model, Decoder::AgeGender, expected, age.len() + gender.len()))
            }
        }
    }
}
