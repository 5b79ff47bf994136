//! A face that tests fill in.

use super::Case;
use crate::eval::labels::Labelled;
use facialads_vision::face::{Age, Described, Gender, Label};

/// Nothing labelled; said to be of no known gender and 30 years old, 20 to 40 at 80 %.
pub fn case() -> Case {
    let mut age_bins = [0.0; 9];
    age_bins[4] = 1.0;
    Case {
        truth: Labelled { file: "face.jpg".into(), age: None, gender: None, group: None, emotion: None },
        said: Described {
            quality: 1.0,
            female: 0.5,
            gender: Label { value: Gender::Unknown, confidence: 0.5 },
            age: Age { years: 30.0, low: 20.0, high: 40.0, confidence: 0.8 },
            age_bins,
            emotion: None,
            least_years: 25.0,
            passes_undeclared: false,
            passes_declared: true,
        },
    }
}
